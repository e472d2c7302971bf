// Package esl speaks FreeSWITCH's event socket. It is a client for programs that
// control a switch from outside, and it holds the framing that the switch's own
// side (esl/server) shares.
//
// Dial makes an inbound connection: commands go out (Send, API, BgAPI, Execute,
// SendMsg, SendEvent), replies come back in order, events, log lines and results
// of background jobs arrive beside them. Keep holds such a connection up. Listen
// accepts the outbound connections that the application "socket" makes, one for
// each call.
//
// Whatever comes from the network is bounded: heads, bodies, numbers of headers,
// and queues. A queue that its reader leaves full loses its newest entries and
// counts them. The package imports nothing of this module and knows nothing of
// how a switch works.
package esl
