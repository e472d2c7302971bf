package call

import "runtime"

// A goroutine begins with a stack of 2 kB, which is copied each time it is doubled, and
// the deeper the calls, the dearer. Who knows what is to come asks for it at once.

// Roomy makes sure of a stack of 8 kB, which a call comes to need, and most messages of
// signalling.
//
//go:noinline
func Roomy() {
	var room [5 << 10]byte
	runtime.KeepAlive(&room)
}

// Roomier makes sure of 16 kB: an originate, or a call that comes in.
//
//go:noinline
func Roomier() {
	var room [10 << 10]byte
	runtime.KeepAlive(&room)
}
