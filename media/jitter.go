package media

import (
	"sync"
	"time"
)

const (
	jitterSlots      = 64 // packets that can wait; a power of two
	jitterCapacityMs = 1200
	defaultJitterMax = 1000 // ms
	// shrinkAfter is how many frames in a row must have had a packet to spare
	// before the delay is reduced: one and a half seconds. Each time that this
	// turns out to have been too early it doubles, up to half a minute.
	shrinkAfter = 75
	shrinkRare  = 1500
	// lateLimit is how many late packets in a row mean that the sender started
	// over rather than that the network is slow.
	lateLimit = 8
)

// jitterBuffer puts packets into order and holds them until the clock takes them.
// Its delay adapts: it begins with the first packet (or the minimum asked for),
// grows whenever the clock comes too early, and shrinks when there was always a
// packet to spare.
type jitterBuffer struct {
	pool     *sync.Pool
	slots    [jitterSlots]jitterSlot
	next     uint16 // sequence number that is taken next
	newest   uint16
	count    int
	playing  bool // false while it fills
	ptime    int  // ms in a packet
	minMs    int
	maxMs    int
	late     int  // in a row
	spare    int  // frames in a row that had a packet to spare
	patience int  // frames for which there must be one before the delay shrinks
	shrunk   bool // since the last time that nothing was there
	stats    jitterStats
}

type jitterSlot struct {
	buf      *[]byte // from the pool; nil: empty
	size     int
	sequence uint16
	ts       uint32
	ssrc     uint32
	silent   bool // it says so itself
}

// jitterStats counts what became of the packets.
type jitterStats struct {
	late, duplicate, overflow, lost, restarts uint64
	largest                                   int // packets that waited at once
}

func (j *jitterBuffer) init(pool *sync.Pool) { j.pool, j.ptime, j.patience = pool, 20, shrinkAfter }

func (j *jitterBuffer) bound(minMs, maxMs int) { j.minMs, j.maxMs = minMs, maxMs }

// push takes a copy of k.
func (j *jitterBuffer) push(k *Packet) {
	if len(k.Payload) > maxPayload {
		j.stats.overflow++
		return
	}
	if j.count == 0 && !j.playing {
		j.next, j.newest = k.Sequence, k.Sequence
	}
	ahead := int(int16(k.Sequence - j.next))
	switch {
	case ahead < 0 && !j.playing && int(j.newest-k.Sequence) < jitterSlots:
		j.next = k.Sequence // an older one that still comes in time
	case ahead < 0:
		j.stats.late++
		j.late++
		if j.late < lateLimit {
			return
		}
		j.restart()
		j.next, j.newest = k.Sequence, k.Sequence
	case ahead >= jitterSlots:
		j.restart()
		j.next, j.newest = k.Sequence, k.Sequence
	}
	j.late = 0
	s := &j.slots[k.Sequence%jitterSlots]
	if s.buf != nil {
		j.stats.duplicate++
		return
	}
	s.buf = j.pool.Get().(*[]byte)
	s.size = copy(*s.buf, k.Payload)
	s.sequence, s.ts, s.ssrc, s.silent = k.Sequence, k.Timestamp, k.SSRC, k.Silent
	j.count++
	if int16(k.Sequence-j.newest) > 0 {
		j.newest = k.Sequence
	}
	j.stats.largest = max(j.stats.largest, j.count)
	for j.next != j.newest && j.depth() > max(j.maxMs, j.minMs+j.ptime) {
		j.drop()
	}
}

// depth is the sound between the oldest and the newest packet in ms.
func (j *jitterBuffer) depth() int {
	if j.count == 0 {
		return 0
	}
	return (int(j.newest-j.next) + 1) * j.ptime
}

// drop forgets the oldest packet, or the hole where it should be.
func (j *jitterBuffer) drop() {
	s := &j.slots[j.next%jitterSlots]
	if s.buf != nil {
		j.release(s)
		j.stats.overflow++
	}
	j.next++
}

func (j *jitterBuffer) release(s *jitterSlot) {
	j.pool.Put(s.buf)
	s.buf = nil
	j.count--
}

// take moves the next packet's payload to out. lost means that it is missing
// though later ones are there; neither means that nothing is there.
func (j *jitterBuffer) take(out []byte) (n int, ok, lost bool) {
	if !j.playing {
		if j.count == 0 || j.depth() < j.minMs {
			return 0, false, false
		}
		j.playing = true
	}
	if j.count == 0 {
		j.spare = 0
		if j.shrunk {
			j.shrunk, j.patience = false, min(2*j.patience, shrinkRare)
		}
		return 0, false, false
	}
	s := &j.slots[j.next%jitterSlots]
	j.next++
	if s.buf == nil {
		j.stats.lost++
		return 0, false, true
	}
	n = copy(out, (*s.buf)[:s.size])
	j.release(s)
	if j.count*j.ptime > j.minMs {
		j.spare++
	} else {
		j.spare = 0
	}
	return n, true, false
}

// peek returns the packet after a lost one, from which some codecs can restore
// it; nil if that is missing too.
func (j *jitterBuffer) peek() []byte {
	if s := &j.slots[j.next%jitterSlots]; s.buf != nil && s.sequence == j.next {
		return (*s.buf)[:s.size]
	}
	return nil
}

// silent reports whether the packet that peek returns says that it holds silence.
func (j *jitterBuffer) silent() bool {
	s := &j.slots[j.next%jitterSlots]
	return s.silent && s.buf != nil && s.sequence == j.next
}

// idle makes the buffer fill again before it plays: the far end paused.
func (j *jitterBuffer) idle() {
	if j.count == 0 {
		j.playing, j.spare = false, 0
	}
}

// slack reports, once, that the delay can be reduced.
func (j *jitterBuffer) slack() bool {
	if j.spare < j.patience {
		return false
	}
	j.spare, j.shrunk = 0, true
	return true
}

// restart forgets everything: the sender changed.
func (j *jitterBuffer) restart() {
	for i := range j.slots {
		if s := &j.slots[i]; s.buf != nil {
			j.release(s)
		}
	}
	j.playing, j.late, j.spare = false, 0, 0
	j.stats.restarts++
}

// drain hands out in order what waits, and empties the buffer.
func (j *jitterBuffer) drain(f func(*Packet)) {
	now := time.Now()
	for j.count > 0 {
		s := &j.slots[j.next%jitterSlots]
		j.next++
		if s.buf == nil {
			continue
		}
		f(&Packet{Sequence: s.sequence, Timestamp: s.ts, SSRC: s.ssrc, Payload: (*s.buf)[:s.size], Arrived: now})
		j.release(s)
	}
	j.playing, j.spare = false, 0
}
