// Package event holds what the switch tells the world: events, their wire
// forms, and the bus that carries them.
//
// An [Event] is an ordered list of headers and an optional body. Whoever makes
// one fills it, gives it to [Bus.Publish], and must not touch it afterwards: it
// is shared by every subscriber. Publishing serialises nothing; a subscriber
// that wants text asks the event for its plain, JSON or XML form, which is made
// once and shared by all who ask.
//
// A [Subscription] is a bounded queue that loses the newest event when it is
// full and counts what it lost, so no reader can hold up a call. A handler
// ([Bus.Handle]) is a subscription with a goroutine of the bus.
//
// The package knows no channel, no socket and no configuration. Formats and
// names are those of FreeSWITCH's event socket.
package event
