// Package directory answers who is who: domains, groups and users of the
// configuration's directory section, with what a user inherits, and the lists
// of addresses (ACL) that are built from it.
//
// A look-up goes through conf.Store, so that scripts and web services bound
// there answer first. Out come a User with ordered parameters and variables,
// group dial strings, and the texts of the API commands that report on the
// directory (spec/config.md §4 and §6, spec/api-commands.md §2).
//
// Nothing here authenticates, registers or calls: the endpoints do, with what
// they find here.
package directory
