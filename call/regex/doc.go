// Package regex matches as FreeSWITCH's dialplan does: Perl compatible patterns,
// unanchored, over bytes, in the forms /…/i and /…/s and in Asterisk's _NXX.
//
// A pattern is first translated: what PCRE has and the engines below spell
// differently or lack (POSIX classes, \h, \R, \Q…\E, \K, possessive quantifiers,
// named groups that count among the numbered ones) becomes what they have, and
// what cannot be said is an error that names the place. A pattern that needs
// neither look-around nor back-references then runs on the standard library's
// engine, in time linear in the subject; the others run on a backtracking engine
// with a time limit, so that no pattern holds up a call.
//
// Compiled patterns live in a bounded [Cache] that its owner keeps. The package
// imports nothing of the module.
package regex
