package media

import (
	"sync"
	"time"
)

// comfortNoise is the static payload type of CN (RFC 3389).
const comfortNoise = 13

// receiver is what happens to the packets of one leg, on the reader's goroutine.
type receiver struct {
	port *Port

	mu         sync.Mutex
	generation uint64 // of Attach: packets of an older Wire are dropped
	format     Format
	dtmf       DTMF
	target     *Port         // relay gear: who gets the packets
	jitter     *jitterBuffer // PCM gear: where they wait
	past       jitterStats   // of jitter buffers that are gone
	background int           // peak of the comfort noise that the far end asked for
	digits     digitReceiver
	stats      inbound
}

func (r *receiver) attach(f Format, d DTMF) (generation uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.generation++
	r.format, r.dtmf = f, d
	return r.generation
}

func (r *receiver) detach() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.generation++
	r.target, r.jitter = nil, nil
}

// packet takes one packet from the Wire.
func (r *receiver) packet(generation uint64, k *Packet) {
	p := r.port
	if k.Arrived.IsZero() {
		k.Arrived = time.Now()
	}
	var digit Digit
	var got bool
	r.mu.Lock()
	if generation != r.generation {
		r.mu.Unlock()
		return
	}
	p.heardAt.Store(k.Arrived.UnixNano())
	if r.stats.arrive(k, r.format) {
		r.digits = digitReceiver{}
		if r.jitter != nil {
			r.jitter.restart()
		}
	}
	event := r.dtmf.receives()
	switch {
	case k.PayloadType == r.format.Receives() && r.format.Codec != nil:
		r.stats.media++
		r.background = 0
		r.stats.mediaBytes += uint64(len(k.Payload))
		if r.target != nil {
			r.target.out.relay(k, k.Arrived)
		} else if r.jitter != nil {
			r.jitter.push(k)
		}
	case event != 0 && k.PayloadType == event:
		r.stats.dtmf++
		if r.dtmf.PassThrough && r.target != nil && r.target.out.relayEvent(k, r.dtmf.rate(), k.Arrived) {
			break
		}
		digit, got = r.digits.packet(k, r.dtmf.rate())
		if r.target != nil {
			r.target.out.swallow(k)
		}
	case k.PayloadType == comfortNoise:
		r.stats.noise++
		r.background = noisePeak(k.Payload)
		if r.target != nil {
			r.target.out.swallow(k)
		}
	default:
		r.stats.wrong++
		r.stats.wrongType = k.PayloadType
		if r.target != nil {
			r.target.out.swallow(k)
		}
	}
	r.mu.Unlock()
	if got {
		p.digit(digit)
	}
}

// digit hands a received digit to the port's owner and to the joined port.
func (p *Port) digit(d Digit) {
	if f := p.onDigit.Load(); f != nil {
		(*f)(d)
	}
	if q := p.peer.Load(); q != nil && p.regenerate.Load() {
		q.SendDigits([]Digit{d})
	}
}

// OnDigit sets the function that gets each digit received: by RFC 4733, in the
// sound if DetectInband is on, or by Inject. It is called without locks held, on
// the reader's or the clock's goroutine, and must not block.
func (p *Port) OnDigit(f func(Digit)) {
	if f == nil {
		p.onDigit.Store(nil)
		return
	}
	p.onDigit.Store(&f)
}

// Inject takes a digit that came by signalling (SIP INFO, verto.info).
func (p *Port) Inject(d Digit) {
	if d.Source == DigitUnknown {
		d.Source = DigitEndpoint
	}
	p.digit(d)
}

// LastHeard returns when the last packet came from the far end; zero if none did.
func (p *Port) LastHeard() time.Time {
	n := p.heardAt.Load()
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n)
}

// watchdog calls a function when nothing was heard for a while.
type watchdog struct {
	mu    sync.Mutex
	timer *time.Timer
	limit time.Duration
	since time.Time
	fn    func()
}

// OnTimeout calls fn once when no packet came from the far end for d, counted
// from now at first (media_timeout). A d of 0 turns it off; each call replaces
// the former one.
func (p *Port) OnTimeout(d time.Duration, fn func()) {
	w := &p.watch
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timer != nil {
		w.timer.Stop()
		w.timer = nil
	}
	if d <= 0 || fn == nil {
		return
	}
	w.limit, w.fn, w.since = d, fn, time.Now()
	var t *time.Timer
	t = time.AfterFunc(d, func() { p.expire(&t) })
	w.timer = t
}

// expire looks whether the silence lasted, and waits for the rest if it did not.
func (p *Port) expire(t **time.Timer) {
	w := &p.watch
	w.mu.Lock()
	if w.timer == nil || w.timer != *t {
		w.mu.Unlock()
		return
	}
	from := w.since
	if heard := p.LastHeard(); heard.After(from) {
		from = heard
	}
	if rest := w.limit - time.Since(from); rest > 0 {
		w.timer.Reset(rest)
		w.mu.Unlock()
		return
	}
	fn := w.fn
	w.timer = nil
	w.mu.Unlock()
	fn()
}

func (w *watchdog) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timer != nil {
		w.timer.Stop()
		w.timer = nil
	}
}
