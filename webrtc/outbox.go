package webrtc

import "sync"

// outbox is what waits to be sent. It takes no memory while it is empty.
type outbox struct {
	wake chan struct{}

	mu    sync.Mutex
	list  [][]byte
	bytes int
	last  bool // after what is queued the socket is closed
}

// put queues a message; false if too much waits already.
func (o *outbox) put(data []byte) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.list) >= sendQueue || o.bytes+len(data) > sendBytes {
		return false
	}
	if !o.last {
		o.list = append(o.list, data)
		o.bytes += len(data)
		o.signal()
	}
	return true
}

// behind reports whether so much waits that what is not needed is better left out.
func (o *outbox) behind() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.list) >= sendQueue/2 || o.bytes >= sendBytes/2
}

func (o *outbox) signal() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// finish lets the writer close the socket after what is queued.
func (o *outbox) finish() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.last = true
	o.signal()
}

// take returns all that waits, and whether it is the last.
func (o *outbox) take() (list [][]byte, last bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	list, o.list, o.bytes = o.list, nil, 0
	return list, o.last
}
