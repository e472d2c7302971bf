// Package call is the heart of the switch: the Switch itself, channels and
// their state machine, the wall to endpoints (Leg, Endpoint), bridges, the inbox
// through which others reach a running channel, the scheduler and the log.
//
// Verbs come in from endpoints, dialplans, applications and commands; events
// fall out on the bus in one place (events.go). One goroutine owns a channel
// from CS_NEW to CS_DESTROY; everybody else posts messages to it, or marks facts
// of signalling on it (ringing, answered, hung up) which are serialised here.
//
// No sockets, no disk and no XML: what needs those comes in through the tables
// and small interfaces that a Switch is made with.
package call
