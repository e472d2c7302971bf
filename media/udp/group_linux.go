//go:build linux && !386 && !s390x

package udp

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// full is how many sockets a reader has at most: so many that packets come
	// together, and so few that a reader never falls behind.
	full = 96
	// batch is how many sockets are asked for at once.
	batch = 128
	// turn is how many datagrams are taken at most from a socket that many share
	// before the others have their turn.
	turn = 32
	// window is how long datagrams are counted for their pace.
	window = 20 * time.Millisecond
	// many is how many datagrams a window are let come together: where fewer come than
	// periods pass, waking for each of them costs less.
	many = int(window / period)
	// trust is how many promises of Read may be broken before the goroutine sees it.
	trust = 4
	// maxAge is how long before it was read a datagram can have come.
	maxAge = 200 * time.Millisecond
)

// Group is a number of sockets that are read together. The zero Group is ready to
// use; it holds a goroutine and descriptors only while it has sockets.
type Group struct {
	mu      sync.Mutex
	readers []*reader // one for each processor, made when they are needed
}

// Listen opens a socket on addr and begins to read it; port 0 chooses a free one.
func (g *Group) Listen(addr netip.AddrPort, receive Receive) (*Socket, error) {
	fd, err := bind(addr, false)
	if err != nil {
		return nil, fmt.Errorf("udp: listen on %s: %w", addr, err)
	}
	s := &Socket{fd: fd, six: !addr.Addr().Is4(), receive: receive, turn: 1, weight: 1}
	return s.begin(addr, g.add)
}

// ListenShared opens a socket on which many far ends meet: it has room for what
// they send together, and is read by more than one datagram at a time. RTP is read
// apart from the rest where the system can tell them apart, so that it may be calm
// while the rest comes at once; receive is called by two goroutines then.
func (g *Group) ListenShared(addr netip.AddrPort, receive Receive) (*Socket, error) {
	fd, err := bind(addr, false)
	if err != nil {
		return nil, fmt.Errorf("udp: listen on %s: %w", addr, err)
	}
	shared := func(fd int) *Socket {
		// A system that allows less gives what it allows.
		_ = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_RCVBUF, sharedBuffer)
		_ = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_SNDBUF, sharedBuffer)
		return &Socket{fd: fd, six: !addr.Addr().Is4(), receive: receive, turn: turn, weight: 1}
	}
	all := shared(fd)
	sound, err := apart(fd)
	if err != nil {
		all.mixed = true
		return all.begin(addr, g.add)
	}
	s := shared(sound)
	if s.rest, err = all.begin(addr, (*Socket).readAlone); err != nil {
		syscall.Close(sound)
		return nil, err
	}
	if _, err = s.begin(addr, g.add); err != nil {
		s.rest.Close()
		return nil, err
	}
	return s, nil
}

// begin has a new socket read by what add chooses.
func (s *Socket) begin(addr netip.AddrPort, add func(*Socket) error) (*Socket, error) {
	var err error
	if s.local, err = boundTo(s.fd); err == nil {
		err = add(s)
	}
	if err != nil {
		syscall.Close(s.fd)
		return nil, fmt.Errorf("udp: listen on %s: %w", addr, err)
	}
	return s, nil
}

// Beside opens a second socket for what belongs to s and is rare, as RTCP is: it is
// read with s, and calm.
func (s *Socket) Beside(addr netip.AddrPort, receive Receive) (*Socket, error) {
	fd, err := bind(addr, false)
	if err != nil {
		return nil, fmt.Errorf("udp: listen on %s: %w", addr, err)
	}
	t := &Socket{fd: fd, six: !addr.Addr().Is4(), receive: receive, turn: 1, reader: s.reader}
	if t.reader == nil {
		return t.begin(addr, (*Socket).readAlone)
	}
	t.calm = t.stamp()
	return t.begin(addr, t.reader.add)
}

// stamp has the system say when datagrams come, and reports whether it can.
func (s *Socket) stamp() bool {
	if !s.stamped.Load() {
		s.stamped.Store(stampArrivals(s.fd) == nil)
	}
	return s.stamped.Load()
}

// add gives s to the first reader that is not full. When all are, packets come
// together by themselves, and s has a goroutine of its own, as sockets of package net
// have: that stands a full machine better.
func (g *Group) add(s *Socket) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.IndexFunc(g.readers, func(r *reader) bool { return r.weight() < full })
	if i < 0 {
		if len(g.readers) >= runtime.GOMAXPROCS(0) {
			return s.readAlone()
		}
		i = len(g.readers)
		g.readers = append(g.readers, &reader{sockets: make(map[int32]*Socket)})
	}
	s.reader = g.readers[i]
	return s.reader.add(s)
}

// Read takes what has come to all sockets by now. The caller promises to do so again
// at next, and then with every period of that length: calm sockets rely on it.
func (g *Group) Read(next time.Time, every time.Duration) {
	for i := 0; ; i++ {
		g.mu.Lock()
		if i >= len(g.readers) {
			g.mu.Unlock()
			return
		}
		r := g.readers[i]
		g.mu.Unlock()
		r.promise(next, every)
	}
}

// Socket is one UDP socket of a Group.
type Socket struct {
	reader  *reader // nil: alone and done are in use
	alone   *os.File
	done    chan struct{} // closed when the goroutine of alone ended
	receive Receive
	local   netip.AddrPort
	fd      int
	six     bool        // of IPv6
	calm    bool        // under reader.mu
	early   bool        // so, too; only with calm
	mixed   bool        // of many far ends, and not only RTP comes
	rest    *Socket     // nil, or what is no RTP comes there
	turn    int         // datagrams that are taken at a time
	weight  int         // 1, or 0 for what is rare
	stamped atomic.Bool // the system says when datagrams came

	reading sync.Mutex // held while receive runs
	writing sync.Mutex
	closed  bool // changed with both held
}

// Local returns the address that the socket is bound to.
func (s *Socket) Local() netip.AddrPort { return s.local }

// Calm says whether a datagram may wait, because somebody calls Read when it is
// needed: until then, or a moment where nobody does. early wants it a little before
// that, too. A new Socket is not calm, and none is where the system does not say when
// datagrams came, or does not tell RTP from the rest that comes to a shared one.
func (s *Socket) Calm(calm, early bool) {
	r := s.reader
	if r == nil || s.mixed {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	early = early && calm
	if s.calm == calm && s.early == early || r.sockets[int32(s.fd)] != s || calm && !s.stamp() {
		return // as it is already, or closed: the descriptor may be somebody else's
	}
	r.count(s, -1)
	s.calm, s.early = calm, early
	r.count(s, 1)
	r.nudge()
}

// Send transmits b to the address to. Where the system has no room for it at the
// moment, it is lost, and the error says so: sound that comes late is worth nothing.
func (s *Socket) Send(b []byte, to netip.AddrPort) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.closed {
		return net.ErrClosed
	}
	return sendTo(s.fd, b, to, s.six)
}

// Close closes the socket. After it, receive is not called any more; a call of it
// that runs is waited for.
func (s *Socket) Close() error {
	err := s.close()
	if s.rest != nil {
		err = errors.Join(err, s.rest.close())
	}
	return err
}

func (s *Socket) close() error {
	if s.reader == nil {
		s.writing.Lock()
		s.closed = true
		s.writing.Unlock()
		err := s.alone.Close()
		<-s.done
		return err
	}
	s.reader.remove(s)
	s.reading.Lock()
	defer s.reading.Unlock()
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	return syscall.Close(s.fd)
}

// readAlone gives the socket a goroutine.
func (s *Socket) readAlone() error {
	s.alone, s.done = os.NewFile(uintptr(s.fd), "udp"), make(chan struct{})
	err := s.alone.SetReadDeadline(time.Time{}) // fails where Go's poller cannot watch it
	var raw syscall.RawConn
	if err == nil {
		raw, err = s.alone.SyscallConn()
	}
	if err != nil {
		s.alone.Close()
		s.fd = -1
		return err
	}
	go func() {
		defer close(s.done)
		buf := make([]byte, MaxDatagram)
		var (
			n    int
			from netip.AddrPort
			err  error
		)
		take := func(fd uintptr) bool {
			n, from, err = receiveFrom(int(fd), buf)
			return err != syscall.EAGAIN
		}
		for raw.Read(take) == nil {
			if err == nil { // else an ICMP answer to an earlier packet
				s.receive(buf[:n], from, time.Now())
			}
		}
	}()
	return nil
}

// read takes what the socket has, as much as is its turn.
func (s *Socket) read(buf []byte, at time.Time) {
	s.reading.Lock()
	defer s.reading.Unlock()
	if s.closed {
		return
	}
	for range s.turn {
		var (
			n       int
			from    netip.AddrPort
			err     error
			arrived = at
		)
		if s.stamped.Load() {
			var stamp int64
			n, from, stamp, err = receiveStamped(s.fd, buf)
			arrived = arrival(at, stamp)
		} else {
			n, from, err = receiveFrom(s.fd, buf)
		}
		if err != nil {
			return // nothing there, or an ICMP answer to an earlier packet
		}
		s.receive(buf[:n], from, arrived)
	}
}

// arrival is when a datagram came that the system stamped, in nanoseconds since 1970,
// and that was read now. Who sets the clock in between changes nothing by more than
// maxAge.
func arrival(now time.Time, stamp int64) time.Time {
	if age := time.Duration(now.UnixNano() - stamp); age > 0 && age <= maxAge {
		return now.Add(-age)
	}
	return now
}

// reader is the goroutine that reads a share of a Group's sockets.
//
// The sockets are in one epoll descriptor, the inner one. While few packets come,
// that is in another, the gate, which Go's own poller watches, and each of them wakes
// the goroutine. While they come quickly (pace) it is taken out, so that none of them
// wakes anybody, and the inner descriptor is asked each period. Where all sockets are calm and Group.Read is called
// in time, that does most of the work: the goroutine asks once, shortly before it, or
// only looks now and then whether the promise is kept.
type reader struct {
	mu      sync.Mutex
	sockets map[int32]*Socket
	load    int // their weights
	calm    int // how many of them are
	early   int // so, too
	inner   int
	gate    *os.File // nil: no goroutine

	next  time.Time     // when Group.Read is called again
	every time.Duration // and how often then
	took  bool          // it has found datagrams since the goroutine looked
	alarm *alarm        // by which the goroutine sleeps; set with gate

	reading sync.Mutex
	events  [batch]syscall.EpollEvent
	ready   [batch]*Socket
	buf     [MaxDatagram]byte
}

func (r *reader) weight() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.load
}

func (r *reader) add(s *Socket) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.gate == nil {
		if err := r.start(); err != nil {
			return err
		}
	}
	ev := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(s.fd)}
	if err := syscall.EpollCtl(r.inner, syscall.EPOLL_CTL_ADD, s.fd, &ev); err != nil {
		return os.NewSyscallError("epoll_ctl", err)
	}
	r.sockets[int32(s.fd)] = s
	r.count(s, 1)
	r.nudge()
	return nil
}

// count adds (n is 1) or takes away (-1) what a socket is. r.mu is held.
func (r *reader) count(s *Socket, n int) {
	r.load += n * s.weight
	if s.calm {
		r.calm += n
	}
	if s.early {
		r.early += n
	}
}

// nudge has the goroutine look anew at how long it may sleep. r.mu is held.
func (r *reader) nudge() {
	if r.alarm != nil {
		r.alarm.ring()
	}
}

func (r *reader) remove(s *Socket) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sockets[int32(s.fd)] != s {
		return
	}
	delete(r.sockets, int32(s.fd))
	r.count(s, -1)
	var ev syscall.EpollEvent
	_ = syscall.EpollCtl(r.inner, syscall.EPOLL_CTL_DEL, s.fd, &ev)
	if len(r.sockets) == 0 {
		_ = r.gate.SetReadDeadline(time.Unix(1, 0)) // wakes the goroutine, which ends
		r.nudge()
	}
}

// start makes the descriptors and the goroutine. r.mu is held.
func (r *reader) start() error {
	inner, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("epoll_create", err)
	}
	outer, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		syscall.Close(inner)
		return os.NewSyscallError("epoll_create", err)
	}
	// This tells os.NewFile to let Go's poller watch it.
	if err := syscall.SetNonblock(outer, true); err != nil {
		syscall.Close(inner)
		syscall.Close(outer)
		return os.NewSyscallError("fcntl", err)
	}
	gate := os.NewFile(uintptr(outer), "udp gate")
	if err := gate.SetReadDeadline(time.Time{}); err != nil {
		syscall.Close(inner)
		gate.Close()
		return err
	}
	alarm, err := newAlarm()
	if err != nil {
		syscall.Close(inner)
		gate.Close()
		return err
	}
	r.inner, r.gate, r.alarm = inner, gate, alarm
	go r.run(gate, alarm)
	return nil
}

// end reports whether there is nothing left to read, and then takes all down.
func (r *reader) end() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.sockets) > 0 {
		_ = r.gate.SetReadDeadline(time.Time{})
		return false
	}
	r.gate.Close()
	r.alarm.close()
	syscall.Close(r.inner)
	r.gate, r.alarm = nil, nil
	return true
}

func (r *reader) run(gate *os.File, alarm *alarm) {
	raw, err := gate.SyscallConn()
	if err != nil {
		panic(err) // of an open file there is one
	}
	var (
		speed pace
		last  time.Time     // of look
		wait  time.Duration // until the next
	)
	// look reads, and reports whether it is to be called again without the gate.
	look := func() bool {
		start := time.Now()
		n, more := r.now()
		next, usual, took := r.pause(start, time.Now())
		wait = next
		quick, gap := speed.add(start, n), start.Sub(last)
		last = start
		switch {
		case more:
			wait = 0
			return true
		case usual == period:
			return quick
		}
		return (n > 0 || took) && gap <= 2*usual
	}
	open := false
	come := func(outer uintptr) bool {
		var ev syscall.EpollEvent
		if !open {
			open, ev.Events = true, syscall.EPOLLIN
			_ = syscall.EpollCtl(int(outer), syscall.EPOLL_CTL_ADD, r.inner, &ev)
		}
		if look() {
			open = false
			_ = syscall.EpollCtl(int(outer), syscall.EPOLL_CTL_DEL, r.inner, &ev)
		}
		return !open
	}
	for {
		if err := raw.Read(come); err != nil {
			if !errors.Is(err, os.ErrDeadlineExceeded) || r.end() {
				return
			}
			continue
		}
		for again := true; again; again = look() {
			if wait > 0 {
				alarm.sleep(wait)
			}
		}
	}
}

// pace is how quickly datagrams come.
type pace struct {
	since     time.Time // when the window at hand began
	n, before int       // datagrams in it, and in the one before it
}

// add counts n more, and reports whether they come so quickly that it is cheaper to
// look each period than to wake for each of them.
func (p *pace) add(now time.Time, n int) bool {
	if passed := now.Sub(p.since); passed >= window {
		p.before = p.n
		if passed >= 2*window {
			p.before = 0
		}
		p.since, p.n = now, 0
	}
	p.n += n
	return max(p.n, p.before) >= many
}

// pause says how long from now on the goroutine may sleep that began to read at start,
// how often datagrams must come for it to sleep at all, and whether Group.Read has taken
// some.
func (r *reader) pause(start, now time.Time) (wait, usual time.Duration, took bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	took, r.took = r.took, false
	switch {
	case len(r.sockets) == 0: // the goroutine is to end
		return 0, 0, false
	case r.calm < len(r.sockets):
		return period - now.Sub(start), period, took
	case !now.Before(r.next.Add(r.every)): // nobody reads, or not in time
		return calmPeriod - now.Sub(start), calmPeriod, took
	}
	if r.early == 0 {
		wait = r.next.Add(trust * r.every).Sub(now)
		return wait, wait, took
	}
	if wait = r.next.Add(-lead).Sub(now); wait <= 0 {
		wait += r.every
	}
	return wait, r.every, took
}

// promise reads for Group.Read; what is too much for that the goroutine takes.
func (r *reader) promise(next time.Time, every time.Duration) {
	n, more := r.now()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.next, r.every = next, every
	r.took = r.took || n > 0
	if more {
		r.nudge()
	}
}

// now takes what has come to the sockets, a turn of each after the other, for no
// longer than a period. It returns how many sockets had some, each time counted, and
// whether there may be more.
func (r *reader) now() (some int, more bool) {
	r.reading.Lock()
	defer r.reading.Unlock()
	start := time.Now()
	for at := start; at.Sub(start) <= period; at = time.Now() {
		r.mu.Lock()
		n := 0
		if r.gate != nil {
			n = pollNow(r.inner, r.events[:])
		}
		for i, e := range r.events[:n] {
			r.ready[i] = r.sockets[e.Fd]
		}
		r.mu.Unlock()
		if n == 0 {
			return some, false
		}
		some += n
		for i, s := range r.ready[:n] {
			if s != nil {
				s.read(r.buf[:], at)
				r.ready[i] = nil
			}
		}
	}
	return some, true
}
