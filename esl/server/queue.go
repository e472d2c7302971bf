package server

import "sync"

// queue is a ring that grows with need up to a limit and shrinks when it has been
// emptied, so that ten thousand idle listeners cost nothing. A full queue drops
// the newest entry and counts it.
type queue[T any] struct {
	mu    sync.Mutex
	ring  []T
	head  int
	n     int
	limit int

	run       uint64 // dropped since the last entry that found room
	recovered uint64 // length of finished runs that nobody has reported yet
	total     uint64 // dropped in all
}

const (
	firstRing = 16
	// keptRing is the largest ring that an empty queue keeps.
	keptRing = 256
)

// push adds an entry. It reports whether there was room, and how many entries in
// a row had none.
func (q *queue[T]) push(v T) (ok bool, run uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.n >= q.limit {
		q.run++
		q.total++
		return false, q.run
	}
	if q.run > 0 {
		q.recovered += q.run
		q.run = 0
	}
	if q.n == len(q.ring) {
		q.grow()
	}
	q.ring[(q.head+q.n)%len(q.ring)] = v
	q.n++
	return true, 0
}

func (q *queue[T]) grow() {
	ring := make([]T, min(max(2*len(q.ring), firstRing), max(q.limit, 1)))
	for i := range q.n {
		ring[i] = q.ring[(q.head+i)%len(q.ring)]
	}
	q.ring, q.head = ring, 0
}

// pop moves the oldest entries to dst and returns how many.
func (q *queue[T]) pop(dst []T) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	var none T
	n := min(len(dst), q.n)
	for i := range n {
		dst[i] = q.ring[q.head]
		q.ring[q.head] = none
		q.head = (q.head + 1) % len(q.ring)
	}
	if q.n -= n; q.n == 0 && len(q.ring) > keptRing {
		q.ring, q.head = nil, 0
	}
	return n
}

// clear drops what waits, which does not count as lost.
func (q *queue[T]) clear() {
	q.mu.Lock()
	q.ring, q.head, q.n = nil, 0, 0
	q.mu.Unlock()
}

// report returns how many entries were dropped in runs that have ended since the
// last call, and how many wait now.
func (q *queue[T]) report() (lost uint64, waiting int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	lost, q.recovered = q.recovered, 0
	return lost, q.n
}

// count returns how many entries wait and how many were dropped in all.
func (q *queue[T]) count() (waiting int, lost uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.n, q.total
}
