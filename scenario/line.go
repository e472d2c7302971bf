package scenario

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/media"
	"github.com/switchlet/switchlet/media/codec/g711"
)

// Digits as telephones press them: how long a key is held, and the pause after
// it, unless the scenario has another rhythm.
const (
	keyTime   = 100 * time.Millisecond
	keyPause  = 60 * time.Millisecond
	digitType = 101 // RTP payload type of telephone-event
)

// line is a telephone with one call: the Leg of a channel, the far side of its
// Wire, an ear and a mouth. It speaks PCMU in packets of 20 ms, silence too.
type line struct {
	name   string   // as the scenario has it
	names  []string // others that it is called by
	studio *Studio
	tell   func(at time.Time, who, text string)
	ear    *ear
	ch     *call.Channel
	format media.Format
	wire   media.Wire

	receive  atomic.Pointer[func(*media.Packet)]
	attached atomic.Bool

	mu         sync.Mutex
	sequence   uint16
	stamp      uint32
	keys       []key
	pressed    *key
	held       int // packets of the key that is held
	rest       int // packets of pause
	mouth      media.Source
	silent     chan struct{} // closed when the mouth has said all
	got        strings.Builder
	gotStamp   uint32
	gotAny     bool
	over       bool
	cause      call.Cause
	answered   bool
	ringing    bool
	buffer     [frame]int16
	payload    [frame]byte
	moment     time.Time // what the scenario has heard up to
	tones      string    // the tone that was heard last, while it may go on
	deeds      []deed
	seenDigits string
}

// key is one digit to be pressed.
type key struct {
	char  byte
	pause int // packets after it
}

// far is a line as the switch sees it: what media calls a Wire.
type far struct{ l *line }

// Receive implements media.Wire.
func (w far) Receive(f func(*media.Packet)) {
	if f == nil {
		w.l.receive.Store(nil)
		return
	}
	w.l.receive.Store(&f)
}

// Send implements media.Wire: it is what the telephone hears.
func (w far) Send(p *media.Packet) error {
	w.l.hear(p)
	return nil
}

// Addresses implements media.Wire.
func (w far) Addresses() (local, remote string) { return "", "" }

// Close implements media.Wire.
func (w far) Close() error { return nil }

func newLine(name string, sw *call.Switch, studio *Studio, tell func(time.Time, string, string)) *line {
	l := &line{name: name, studio: studio, tell: tell}
	for _, c := range sw.Media.Codecs() {
		if c.Name == "PCMU" {
			l.format = media.Format{Codec: c, Ptime: 20}
		}
	}
	l.ear = &ear{studio: studio, told: func(h *heard) { tell(h.start, l.name, "hears "+h.describe()) }}
	l.wire = far{l}
	return l
}

// describe is a sound in words.
func (h *heard) describe() string {
	switch {
	case h.take != nil:
		return h.name
	case h.tone > 0:
		return fmt.Sprintf("a tone of about %.0f Hz", h.tone)
	}
	return "a sound that no file is"
}

// hear takes a packet of the switch, on the clock or from another line.
func (l *line) hear(p *media.Packet) {
	now := time.Now()
	if p.PayloadType == digitType {
		l.hearDigit(p)
		return
	}
	if p.PayloadType != 0 || len(p.Payload) == 0 {
		return
	}
	var pcm [frame]int16
	g711.ULaw.Expand(pcm[:], p.Payload[:min(len(p.Payload), frame)])
	l.ear.packet(&pcm, now)
}

func (l *line) hearDigit(p *media.Packet) {
	if len(p.Payload) < 4 || p.Payload[1]&0x80 == 0 || int(p.Payload[0]) >= len(keyNames) {
		return
	}
	l.mu.Lock()
	if l.gotAny && p.Timestamp == l.gotStamp {
		l.mu.Unlock()
		return
	}
	l.gotAny, l.gotStamp = true, p.Timestamp
	c := keyNames[p.Payload[0]]
	l.got.WriteByte(c)
	l.mu.Unlock()
	l.tell(time.Now(), l.name, "gets digit "+string(c))
}

const keyNames = "0123456789*#ABCD"

// tick is the telephone's clock: every 20 ms one packet, half a millisecond after
// those of the switch, so that nothing depends on who comes first.
func (l *line) tick(now time.Time) {
	if !l.attached.Load() {
		return
	}
	l.ear.tick(now)
	f := l.receive.Load()
	if f == nil {
		return
	}
	l.mu.Lock()
	p := media.Packet{SSRC: 0x5C12E ^ uint32(len(l.name)), Arrived: now}
	if l.key(&p, f) {
		l.stamp += frame
		l.mu.Unlock()
		return
	}
	p.Payload = l.say()
	l.number(&p)
	p.Timestamp = l.stamp
	l.stamp += frame
	l.mu.Unlock()
	(*f)(&p)
}

func (l *line) number(p *media.Packet) {
	l.sequence++
	p.Sequence = l.sequence
}

// key sends a packet of the key that is pressed; false if none is.
func (l *line) key(p *media.Packet, f *func(*media.Packet)) bool {
	if l.rest > 0 {
		l.rest--
		return false
	}
	if l.pressed == nil {
		if len(l.keys) == 0 {
			return false
		}
		k := l.keys[0]
		l.keys = l.keys[1:]
		l.pressed, l.held = &k, 0
	}
	const length = int(keyTime / media.FrameTime)
	l.held++
	duration := uint16(l.held * frame)
	p.PayloadType, p.Marker = digitType, l.held == 1
	p.Timestamp = l.stamp - uint32((l.held-1)*frame)
	code := byte(strings.IndexByte(keyNames, l.pressed.char))
	l.number(p)
	send := *p
	send.Payload = []byte{code, 10, byte(duration >> 8), byte(duration)}
	packets := []media.Packet{send}
	if l.held == length {
		for range 3 {
			l.number(p)
			end := *p
			end.Marker = false
			end.Payload = []byte{code, 10 | 0x80, byte(duration >> 8), byte(duration)}
			packets = append(packets, end)
		}
		l.rest = l.pressed.pause
		l.pressed = nil
	}
	l.mu.Unlock()
	for i := range packets {
		(*f)(&packets[i])
	}
	l.mu.Lock()
	return true
}

// say is the next packet of what the telephone's user says: silence mostly.
func (l *line) say() []byte {
	n := 0
	if l.mouth != nil {
		for n < frame {
			m, err := l.mouth.Read(l.buffer[n:])
			n += m
			if err != nil {
				l.hush()
				break
			}
			if m == 0 {
				break
			}
		}
	}
	clear(l.buffer[n:])
	g711.ULaw.Compress(l.payload[:], l.buffer[:])
	return l.payload[:]
}

// hush ends what is said; mu is held.
func (l *line) hush() {
	if l.mouth == nil {
		return
	}
	_ = l.mouth.Close()
	l.mouth = nil
	close(l.silent)
}

// speak says a sound; the channel is closed when it is said.
func (l *line) speak(ctx context.Context, s Sound, long time.Duration) (<-chan struct{}, error) {
	src, err := l.studio.open(ctx, s, long)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hush()
	done := make(chan struct{})
	l.mouth, l.silent = src, done
	return done, nil
}

// stopSpeaking ends what is said before its end.
func (l *line) stopSpeaking() {
	l.mu.Lock()
	l.hush()
	l.mu.Unlock()
}

// press queues digits and returns how long they take. every is from one to the
// next.
func (l *line) press(digits string, every time.Duration) time.Duration {
	pause := keyPause
	if every > keyTime {
		pause = every - keyTime
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range len(digits) {
		l.keys = append(l.keys, key{digits[i], int(pause / media.FrameTime)})
	}
	return time.Duration(len(digits)) * (keyTime + pause)
}

// ended reports whether the call is over, and why.
func (l *line) ended() (bool, call.Cause) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.over, l.cause
}

// digits are those that the switch sent.
func (l *line) digits() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.got.String()
}
