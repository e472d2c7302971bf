package server

import (
	"strconv"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
)

const (
	// batchEvents is how many events one turn takes from the queue.
	batchEvents = 64
	// bufferSize is when a batch is written out, in bytes.
	bufferSize = 64 << 10
	// maxBuffer is the largest buffer that is kept for reuse.
	maxBuffer = 256 << 10
)

// startPump begins delivery; l.turn is held, or nobody else has the listener yet.
func (l *listener) startPump() {
	if l.pumped == nil {
		l.pumped = make(chan struct{})
		go l.pump()
	}
}

// nudge makes the pump look at the queues.
func (l *listener) nudge() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// pump writes events and log lines as they come, and looks after the end of the
// controlled call.
func (l *listener) pump() {
	defer close(l.pumped)
	var lingering <-chan time.Time
	over := false // the end of the call was dealt with
	for {
		var reported <-chan struct{}
		if ch := l.channel(); ch != nil && !over {
			reported = ch.Reported()
		}
		select {
		case <-l.ctx.Done():
			return
		case <-l.wake:
			l.flush()
		case <-lingering:
			l.end(errGoodbye)
			return
		case <-reported:
			over = true
			l.flush()
			wait, stay := l.callEnded()
			if !stay {
				l.end(errGoodbye)
				return
			}
			if wait > 0 {
				t := time.NewTimer(wait)
				defer t.Stop()
				lingering = t.C
			}
		}
	}
}

// callEnded sends the linger notice if the listener outlives its call. It returns
// for how long (0 is without end) and whether it does.
func (l *listener) callEnded() (time.Duration, bool) {
	l.turn.Lock()
	defer l.turn.Unlock()
	if l.linger == 0 {
		return 0, false
	}
	ch := l.channel()
	l.say(appendNotice(nil, "Controlled-Session-UUID: "+ch.UUID()+"\nContent-Disposition: linger\nChannel-Name: "+ch.Name()+
		"\nLinger-Time: "+strconv.Itoa(l.linger)+"\n", ""))
	if l.linger < 0 {
		return 0, true
	}
	return time.Duration(l.linger) * time.Second, true
}

// flush writes until the queues are empty. Between batches it gives commands
// their turn.
func (l *listener) flush() {
	for l.ctx.Err() == nil {
		l.turn.Lock()
		more := l.deliver()
		l.turn.Unlock()
		if !more {
			return
		}
	}
}

// deliver writes one batch; l.turn is held.
func (l *listener) deliver() (more bool) {
	buffer := l.s.buffers.Get().(*[]byte)
	b := (*buffer)[:0]
	var lines [batchEvents]*call.LogLine
	n := l.logs.pop(lines[:])
	for _, line := range lines[:n] {
		b = appendLog(b, line)
	}
	var batch [batchEvents]*event.Event
	k := l.events.pop(batch[:])
	for _, e := range batch[:k] {
		if !passes(l.filters, e) {
			continue
		}
		if b = appendEvent(b, l.format, e); len(b) >= bufferSize {
			l.say(b)
			b = b[:0]
		}
	}
	if k > 0 || n > 0 {
		b = l.confess(b)
	}
	l.say(b)
	if cap(b) <= maxBuffer {
		*buffer = b[:0]
		l.s.buffers.Put(buffer)
	}
	return n == batchEvents || k == batchEvents
}

// confess tells the log, and the listener itself, what it has lost.
func (l *listener) confess(b []byte) []byte {
	if lost, waiting := l.logs.report(); lost > 0 {
		l.sw.Log.Printf(call.LogCrit, "Lost [%d] log lines! Log Queue size: [%d/%d] (%s)", lost, waiting, l.s.LogQueue, l.remote)
	}
	lost, waiting := l.events.report()
	if lost == 0 {
		return b
	}
	l.sw.Log.Printf(call.LogCrit, "Lost [%d] events! Event Queue size: [%d/%d] (%s)", lost, waiting, l.s.EventQueue, l.remote)
	_, total := l.events.count()
	e := event.New(event.Custom, "event_socket::lost")
	e.Add("Lost-Events", strconv.FormatUint(lost, 10))
	e.Add("Lost-Events-Total", strconv.FormatUint(total, 10))
	e.Add("Event-Queue-Size", strconv.Itoa(waiting))
	e.Add("Event-Queue-Limit", strconv.Itoa(l.s.EventQueue))
	l.sw.Bus.Stamp(e, "mod_event_socket.c", "event_handler", 1)
	return appendEvent(b, l.format, e)
}

// rest appends what still waits when the listener ends, as far as one more buffer
// holds.
func (l *listener) rest(b []byte) []byte {
	var batch [batchEvents]*event.Event
	for start := len(b); len(b)-start < bufferSize; {
		n := l.events.pop(batch[:])
		if n == 0 {
			break
		}
		for _, e := range batch[:n] {
			if passes(l.filters, e) {
				b = appendEvent(b, l.format, e)
			}
		}
	}
	return b
}
