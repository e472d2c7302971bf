// Package udp reads and writes many UDP sockets at the price of few.
//
// A telephone's packet takes a microsecond to handle and, on a machine that is
// idle otherwise, twenty to wake up for. The sockets of a Group are therefore read
// together: once packets come quickly, all that arrived in a millisecond are taken
// in one go. A packet waits a millisecond at most, and not at all where few come.
//
// Beyond some hundred sockets a processor packets come together by themselves, and
// further sockets have a goroutine each that reads it. On other systems than Linux
// all have.
package udp

import (
	"net/netip"
	"time"
)

const (
	// period is how long datagrams are let come together where they come quickly.
	period = time.Millisecond
	// calmPeriod is the same where all sockets are calm and nobody calls Read.
	calmPeriod = 5 * time.Millisecond
	// lead is how long before the next call of Read calm sockets are read once more
	// where that is wanted: digits that come by then are answered in time for it.
	lead = 5 * time.Millisecond
)

// MaxDatagram is the longest datagram that is received whole, in bytes; longer
// ones are no telephone's and are cut off there.
const MaxDatagram = 1600

// sharedBuffer is what a socket that many far ends share may hold in each direction,
// in bytes, as far as the system allows it (net.core.rmem_max and wmem_max): a
// process that gets no processor for a while loses nothing of theirs.
const sharedBuffer = 4 << 20

// Receive takes a datagram and says nothing. It is called by one goroutine at a
// time for a Socket, and must not block: the other sockets of the Group wait for
// it. The bytes are valid, and may be changed, until it returns. It must not close
// its own Socket. at is when the turn began in which the datagram was read or, where it
// may have waited, when it came.
type Receive func(b []byte, from netip.AddrPort, at time.Time)
