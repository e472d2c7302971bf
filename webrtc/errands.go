package webrtc

import (
	"slices"
	"sync"
)

// maxErrands is how many errands of a kind may wait.
const maxErrands = 64

// errands are what a page asked for and what may take its time: they are done beside
// the socket's reader, in order, by a goroutine that there is only meanwhile.
type errands struct {
	mu   sync.Mutex
	list []func() // the first is being done
}

// add has an errand done after those before it; work counts the goroutine. It returns
// false if too many wait.
func (e *errands) add(work *sync.WaitGroup, do func()) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.list) >= maxErrands {
		return false
	}
	if e.list = append(e.list, do); len(e.list) == 1 {
		work.Go(e.run)
	}
	return true
}

func (e *errands) run() {
	for do := e.next(false); do != nil; do = e.next(true) {
		do()
	}
}

// next is the first errand, nil if there is none; done takes the one before it away.
func (e *errands) next(done bool) func() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if done {
		e.list = slices.Delete(e.list, 0, 1)
	}
	if len(e.list) == 0 {
		return nil
	}
	return e.list[0]
}
