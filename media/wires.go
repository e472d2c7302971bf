package media

import (
	"errors"
	"sync"
	"sync/atomic"
)

// null is a Wire without a far end.
type null struct{}

// Null returns a Wire that swallows what is sent and never delivers anything.
func Null() Wire { return null{} }

func (null) Receive(func(*Packet))       {}
func (null) Send(*Packet) error          { return nil }
func (null) Addresses() (string, string) { return "", "" }
func (null) Close() error                { return nil }

// pipeQueue is how many packets may wait in one direction of a pipe; the newest
// are dropped beyond.
const pipeQueue = 64

// ErrPipeFull is returned when a packet is lost because the other end is busy.
var ErrPipeFull = errors.New("media: pipe is full")

// pipe is one end of a pair of Wires in memory.
type pipe struct {
	name    string
	other   *pipe
	ssrc    uint32
	queue   chan *Packet
	spare   sync.Pool
	receive atomic.Pointer[func(*Packet)]
	quit    chan struct{}
	once    sync.Once
	done    sync.WaitGroup
}

// Pipe returns two Wires that are each other's far end: the legs of a loopback
// call. Each has a goroutine that delivers, until its Close.
func Pipe() (a, b Wire) {
	x, y := newPipe("a", 0x10C0FFEE), newPipe("b", 0x20C0FFEE)
	x.other, y.other = y, x
	x.done.Go(x.read)
	y.done.Go(y.read)
	return x, y
}

func newPipe(name string, ssrc uint32) *pipe {
	p := &pipe{name: "pipe:" + name, ssrc: ssrc, queue: make(chan *Packet, pipeQueue), quit: make(chan struct{})}
	p.spare.New = func() any { return &Packet{Buf: make([]byte, 0, maxPayload)} }
	return p
}

func (p *pipe) Receive(f func(*Packet)) {
	if f == nil {
		p.receive.Store(nil)
		return
	}
	p.receive.Store(&f)
}

func (p *pipe) Addresses() (local, remote string) { return p.name, p.other.name }

func (p *pipe) Send(k *Packet) error {
	o := p.other
	c := o.spare.Get().(*Packet)
	buf := append(c.Buf[:0], k.Payload...)
	*c = *k
	c.Buf, c.Payload = buf, buf
	if c.SSRC == 0 {
		c.SSRC = p.ssrc
	}
	select {
	case o.queue <- c:
		return nil
	case <-o.quit:
		return nil
	default:
		return ErrPipeFull
	}
}

func (p *pipe) read() {
	for {
		select {
		case <-p.quit:
			return
		case k := <-p.queue:
			if f := p.receive.Load(); f != nil {
				buf := k.Buf
				k.Buf = nil // it holds no header
				(*f)(k)
				k.Buf = buf
			}
			p.spare.Put(k)
		}
	}
}

func (p *pipe) Close() error {
	p.once.Do(func() { close(p.quit) })
	p.done.Wait()
	return nil
}
