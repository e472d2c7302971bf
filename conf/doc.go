// Package conf reads a switch's configuration: a tree of XML files in
// FreeSWITCH's format becomes one document that knows, for every element, the
// file and the line it was written in.
//
// In: a base tree (the embedded one, or a directory), overlays, global
// variables and single parameters from the command line. Load runs the
// preprocessor (X-PRE-PROCESS, $${name}), parses the flat text leniently and
// applies the overrides; the result is a Tree that never changes again. A Store
// holds the Tree in force, the live global variables, and the bindings that
// answer look-ups before the Tree does; a reload that fails leaves everything as
// it was.
//
// Out: *Node. What a parameter means is the business of the room that reads it;
// nothing here knows of calls, SIP or media.
package conf
