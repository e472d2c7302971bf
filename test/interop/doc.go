// Package interop judges the switch by programs that this project did not write:
// SIPp, baresip, the Go library eslgo and the Node library modesl. A test starts a
// whole appliance on free loopback ports, sets such a program on it, and looks at
// what the program says, at the events that a client of the event socket receives,
// and at the sound, which is judged by its frequency.
//
// What no program sends (garbage, connections that say nothing, files that are cut
// in half) comes from plain sockets and files of the tests.
//
// It is a module of its own, so that what it needs stays out of the switch's:
//
//	test/interop/run.sh                  installs the peers, then runs everything
//	cd test/interop && go test ./...     when they are installed
package interop
