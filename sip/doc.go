// Package sip speaks SIP: profiles with their sockets, access control and digest,
// the registrar, gateways, and the legs of calls in both directions.
//
// Messages come in from phones and carriers and become verbs of package call
// (a new channel, ringing, answered, hung up with a cause, a digit, a hold);
// what the channel asks of its Leg goes out as messages. Directory, dialplan
// and codecs are asked, never decided upon here. Sound travels through a
// media/rtp session that each leg owns and hands to the channel's Port.
//
// Parsing, transport and transactions are sipgo's. Everything from outside is
// bounded before it is parsed: datagrams and dialogs a source, connections,
// bindings, and tables of nonces. Names, texts and formats are those of
// FreeSWITCH's mod_sofia (spec/sip.md).
package sip
