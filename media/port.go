package media

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// ErrClosed is returned for what is asked of a closed Port.
var ErrClosed = errors.New("media: port is closed")

// DTMF says how digits travel on a leg.
type DTMF struct {
	PayloadType uint8         // telephone-event as we send it; 0: not negotiated
	ReceiveType uint8         // telephone-event as the peer sends it; 0 means PayloadType
	ClockRate   int           // of telephone-event in Hz; 0 means 8000
	PassThrough bool          // where packets are relayed, events are too, unread
	Gap         time.Duration // between digits that we send; 0 means 40 ms
}

func (d DTMF) receives() uint8 {
	if d.ReceiveType != 0 {
		return d.ReceiveType
	}
	return d.PayloadType
}

func (d DTMF) rate() int {
	if d.ClockRate == 0 {
		return 8000
	}
	return d.ClockRate
}

// Port is the sound of one leg. It sits on a Wire and is what applications ask
// to play, record, or be joined. All methods may be called from any goroutine,
// but not from a function or Source that the Port itself calls while it is on
// the Clock (taps, sources, sinks); OnDigit and OnTimeout functions may.
//
// Locks, in the order in which they are taken: Engine.topology (who is joined to
// whom, which gear), Port.mu (chain and lists), receiver.mu, sender.mu.
type Port struct {
	engine *Engine
	name   string

	in  receiver
	out sender

	lent       lent
	peer       atomic.Pointer[Port]
	onDigit    atomic.Pointer[func(Digit)]
	onFallback atomic.Pointer[func(Digit)]
	regenerate atomic.Bool // digits received go to the joined port
	dirty      atomic.Bool // the gear may be lowered
	heardAt    atomic.Int64
	watch      watchdog
	unheard    unheard

	mu        sync.Mutex
	wire      Wire
	format    Format
	dtmf      DTMF
	attached  bool
	closed    bool
	hold      bool
	echo      bool
	fill      bool
	noise     int // peak of what fill sends; 0 is silence
	inband    bool
	mute      Direction
	gain      [2]int // by side
	delay     time.Duration
	delayEcho bool
	jitterMin int // ms
	jitterMax int
	plays     [2][]*Playback // by side; the last is heard
	tones     [2]*toneRun    // by side, the digits that sound
	taps      []*tap
	records   []*Recording
	seat      Seat
	chain     *chain // not nil in the PCM gear
	pending   []Digit
}

// side indexes what exists for each direction.
func side(d Direction) int {
	if d == Write {
		return 1
	}
	return 0
}

// NewPort returns a Port that has no Wire yet. The name is for reports.
func (e *Engine) NewPort(name string) *Port {
	p := &Port{engine: e, name: name, jitterMax: defaultJitterMax}
	p.regenerate.Store(true)
	p.in.port = p
	p.out.init()
	return p
}

// Name returns the name given to NewPort.
func (p *Port) Name() string { return p.name }

// Attach gives the Port its Wire and what was negotiated. It may be called again
// when that changes; sequence numbers and timestamps go on without a jump. The
// Wire stays its owner's to close.
func (p *Port) Attach(w Wire, f Format, d DTMF) {
	p.engine.topology.Lock()
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		p.engine.topology.Unlock()
		return
	}
	old := p.wire
	p.wire, p.format, p.dtmf, p.attached = w, f, d, true
	p.releaseCodecs()
	p.mu.Unlock()
	generation := p.in.attach(f, d)
	p.out.attach(w, f, d)
	if old != nil && old != w {
		old.Receive(nil)
	}
	w.Receive(func(k *Packet) { p.in.packet(generation, k) })
	p.settle()
	p.engine.topology.Unlock()
	p.await(w)
	p.sendWaiting(d)
}

// Attached reports whether media was negotiated.
func (p *Port) Attached() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.attached
}

// Format returns what is read from and written to the far end.
func (p *Port) Format() (read, write Format) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.format, p.format
}

// Addresses returns the transport addresses of the Wire, for reports.
func (p *Port) Addresses() (local, remote string) {
	p.mu.Lock()
	w := p.wire
	p.mu.Unlock()
	if w == nil {
		return "", ""
	}
	return w.Addresses()
}

// Join connects two ports both ways and returns at once. While their formats are
// the same on the wire and nobody listens, packets are relayed untouched.
// A port that was joined before leaves its partner.
func Join(a, b *Port) error {
	if a == b || a.engine != b.engine {
		return fmt.Errorf("media: join %s to %s: not two ports of one engine", a.name, b.name)
	}
	a.engine.topology.Lock()
	defer a.engine.topology.Unlock()
	for _, p := range [...]*Port{a, b} {
		p.mu.Lock()
		closed := p.closed
		p.mu.Unlock()
		if closed {
			return fmt.Errorf("media: join %s to %s: %w", a.name, b.name, ErrClosed)
		}
	}
	a.part()
	b.part()
	a.unseat()
	b.unseat()
	a.peer.Store(b)
	b.peer.Store(a)
	a.settle()
	return nil
}

// Leave ends what Join or JoinMixer began.
func (p *Port) Leave() {
	p.engine.topology.Lock()
	defer p.engine.topology.Unlock()
	p.part()
	p.unseat()
	p.settle()
}

// Peer returns the port that this one is joined to, or nil.
func (p *Port) Peer() *Port { return p.peer.Load() }

// part takes p and its peer apart. Caller holds topology.
func (p *Port) part() {
	q := p.peer.Swap(nil)
	if q == nil {
		return
	}
	q.peer.Store(nil)
	q.settle()
}

func (p *Port) unseat() {
	p.mu.Lock()
	p.seat = nil
	p.mu.Unlock()
}

// JoinMixer gives the Port a seat in a mixer; it leaves where it was joined.
func (p *Port) JoinMixer(s Seat) error {
	p.engine.topology.Lock()
	defer p.engine.topology.Unlock()
	p.part()
	p.mu.Lock()
	closed := p.closed
	p.seat = s
	p.mu.Unlock()
	if closed {
		return fmt.Errorf("media: %s into a mixer: %w", p.name, ErrClosed)
	}
	p.settle()
	return nil
}

// Echo sends back to the far end what it says, while it is joined to nothing.
func (p *Port) Echo(on bool) { p.configure(func() { p.echo = on; p.delay, p.delayEcho = 0, false }) }

// DelayEcho is Echo, ms milliseconds later (at most 10 s); 0 ends it.
func (p *Port) DelayEcho(ms int) {
	p.configure(func() {
		p.echo = ms > 0
		p.delay, p.delayEcho = clampDelay(ms), ms > 0
	})
}

// Delay holds back what the far end says by ms milliseconds (at most 10 s).
func (p *Port) Delay(ms int) { p.configure(func() { p.delay, p.delayEcho = clampDelay(ms), false }) }

const maxDelay = 10 * time.Second

func clampDelay(ms int) time.Duration {
	return min(max(time.Duration(ms)*time.Millisecond, 0), maxDelay).Truncate(FrameTime)
}

// Gain changes the level of a direction by a FreeSWITCH volume step, -4 to 4;
// 0 leaves the sound alone.
func (p *Port) Gain(d Direction, level int) {
	p.configure(func() {
		for _, one := range [...]Direction{Read, Write} {
			if d&one != 0 {
				p.gain[side(one)] = min(max(level, -maxVolume), maxVolume)
			}
		}
	})
}

// Mute replaces the sound of a direction by silence.
func (p *Port) Mute(d Direction, on bool) {
	p.configure(func() {
		if on {
			p.mute |= d
		} else {
			p.mute &^= d
		}
	})
}

// Hold stops the sound between the far end and whatever the Port is joined to,
// both ways. Playbacks are still heard.
func (p *Port) Hold(on bool) { p.configure(func() { p.hold = on }) }

// SilenceFill makes the Port send silence while it has nothing to say, once
// something keeps it on the Clock or it is joined to nothing.
func (p *Port) SilenceFill(on bool) { p.configure(func() { p.fill, p.noise = on, 0 }) }

// DetectInband turns the search for DTMF digits in the far end's sound on or
// off. It does nothing in an Engine without a detector.
func (p *Port) DetectInband(on bool) {
	p.configure(func() { p.inband = on && p.engine.detector != nil })
}

// RegenerateDigits says whether digits received from the far end are sent to the
// joined port. It is on from the start; off is FreeSWITCH's drop_dtmf.
func (p *Port) RegenerateDigits(on bool) { p.regenerate.Store(on) }

// SetJitter bounds the delay of the jitter buffer in ms; min is also the delay it
// starts with. Zeros mean "as small as the network allows", up to 1 s.
func (p *Port) SetJitter(minMs, maxMs int) {
	p.configure(func() {
		p.jitterMin = min(max(minMs, 0), jitterCapacityMs)
		p.jitterMax = defaultJitterMax
		if maxMs > 0 {
			p.jitterMax = min(max(maxMs, p.jitterMin), jitterCapacityMs)
		}
		if c := p.chain; c != nil {
			p.in.mu.Lock()
			c.jitter.bound(p.jitterMin, p.jitterMax)
			p.in.mu.Unlock()
		}
	})
}

// configure changes what the gear depends on and then lets it follow.
func (p *Port) configure(change func()) {
	p.engine.topology.Lock()
	defer p.engine.topology.Unlock()
	p.mu.Lock()
	if !p.closed {
		change()
	}
	p.mu.Unlock()
	p.settle()
}

// Close stops playbacks and recordings, leaves what was joined, and takes the
// Port off its Wire. It waits until recordings are on disk.
func (p *Port) Close() {
	p.engine.topology.Lock()
	p.part()
	p.mu.Lock()
	wasOpen := !p.closed
	p.closed, p.seat, p.echo, p.fill, p.inband = true, nil, false, false, false
	p.mute, p.gain, p.delay = 0, [2]int{}, 0
	plays := slices.Concat(p.plays[0], p.plays[1])
	records := slices.Clone(p.records)
	p.plays, p.taps, p.records = [2][]*Playback{}, nil, nil
	w := p.wire
	p.wire, p.attached = nil, false
	p.mu.Unlock()
	p.in.detach()
	p.out.detach()
	p.watch.stop()
	p.unheard.stop()
	p.settle()
	p.engine.topology.Unlock()
	if !wasOpen {
		return
	}
	if w != nil {
		w.Receive(nil)
	}
	for _, b := range plays {
		b.finish(ErrStopped)
	}
	for _, r := range records {
		r.end(CauseClosed)
	}
	for _, r := range records {
		<-r.done
	}
}
