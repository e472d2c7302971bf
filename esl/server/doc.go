// Package server is the switch's side of the event socket: the listening port
// for controllers (Server.Start) and the application "socket", by which a call
// connects out to a controller of its own (Application).
//
// Every connection is a listener. One goroutine reads its commands and carries
// them out one after the other; a second one, which exists only while there is
// something to deliver, writes events and log lines. They take turns, so that
// nothing comes between a command and the end of its reply. Publishers of events
// put them into a listener's bounded queue and never wait; what a listener may
// lose, and when it is cut off, is said at Options.EventQueue.
//
// Commands, texts and their order are those of spec/esl.md. How commands of the
// API, calls and events work is the business of call; what the password, the
// access lists and the directory say comes in through Options.
package server
