// Package webrtc lets browsers call: it speaks Verto, FreeSWITCH's JSON-RPC over
// WebSocket, and carries the sound of each call over ICE, DTLS and SRTP.
//
// A Server reads verto.conf, listens on the profiles' addresses, and is an
// http.Handler for pages served elsewhere. A socket logs in as a user of the
// directory and becomes a session; its requests make channels, or act on the
// calls that belong to it and to nobody else. Each call is a Leg over one pion
// PeerConnection; all of them share one UDP port. What the switch wants to tell
// a browser comes in as verbs of the Leg, as events on the bus, or through the
// endpoint verto.rtc.
//
// Descriptions (SDP) of both sides are read and written here; pion sees only the
// one audio section that was agreed on. Dialplans, bridges and sound belong to
// call and media; what a page looks like belongs to ui.
package webrtc
