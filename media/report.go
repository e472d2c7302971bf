package media

import (
	"fmt"
	"strings"
	"time"
)

// Chain describes the port for uuid_media_chain: its gear, the stages of each
// direction with formats, addresses and counts, and in words what is wrong.
func (p *Port) Chain() string {
	local, remote := p.Addresses()
	s := p.Stats()
	p.mu.Lock()
	v := view{port: p, stats: s, local: or(local, "none"), remote: or(remote, "none"), peer: p.peer.Load(), relay: p.Relaying()}
	v.seated = p.seat != nil
	text := v.text()
	p.mu.Unlock()
	return text
}

// view is what Chain looks at. Port.mu is held.
type view struct {
	port          *Port
	stats         Stats
	local, remote string
	peer          *Port
	relay         bool
	seated        bool
}

func (v view) text() string {
	p := v.port
	var b strings.Builder
	fmt.Fprintf(&b, "port: %s\ngear: %s\nformat: %s\naddress: %s <-> %s\n", p.name, v.gear(), p.format, v.local, v.remote)
	fmt.Fprintf(&b, "joined: %s\n", v.joined())
	fmt.Fprintf(&b, "read: %s\nwrite: %s\n", strings.Join(v.readStages(), " > "), strings.Join(v.writeStages(), " > "))
	s := v.stats
	fmt.Fprintf(&b, "in: %d packets, %d lost (%.2f%%), %d late or surplus, jitter %.1f ms, MOS %.2f, %d dtmf, %d cn\n",
		s.InPackets, s.InSkipped, s.LossRate, s.InJitterPackets, s.Jitter, s.MOS, s.InDTMF, s.InCN)
	fmt.Fprintf(&b, "out: %d packets, %d skipped, %d dtmf, %d failed\n", s.OutPackets, s.OutSkipped, s.OutDTMF, s.OutFailed)
	for _, w := range v.troubles() {
		fmt.Fprintf(&b, "problem: %s\n", w)
	}
	return b.String()
}

func (v view) gear() string {
	switch {
	case v.port.chain != nil:
		return fmt.Sprintf("pcm %d Hz", v.port.chain.rate)
	case v.relay:
		return "relay"
	}
	return "idle"
}

func (v view) joined() string {
	switch {
	case v.seated:
		return "a mixer"
	case v.peer != nil:
		return v.peer.name
	case v.port.echo || v.port.delayEcho:
		return "itself (echo)"
	}
	return "nothing"
}

func (v view) readStages() []string {
	p := v.port
	out := []string{"receive"}
	if c := p.chain; c != nil {
		p.in.mu.Lock()
		out = append(out, fmt.Sprintf("jitter buffer %d ms", c.jitter.depth()))
		p.in.mu.Unlock()
		if c.dec == nil && c.scout.dec == nil && c.scout.faint >= wakeful {
			out = append(out, "watch for packets that are not marked silent")
		}
		if c.scout.dec != nil {
			out = append(out, fmt.Sprintf("decode %s to %d Hz", p.format.Codec.Name, codecRate(p.format, scoutRate)), "watch")
		}
		if c.dec != nil {
			out = append(out, fmt.Sprintf("decode %s to %d Hz", p.format.Codec.Name, c.rate), "conceal")
		}
		out = append(out, v.common(Read)...)
	}
	if v.relay {
		out = append(out, "relay")
	}
	return out
}

func (v view) writeStages() []string {
	p := v.port
	var out []string
	c := p.chain
	if c == nil {
		if v.relay {
			out = append(out, "relay")
		}
		return append(out, "send")
	}
	switch {
	case v.seated:
		out = append(out, "mix")
	case v.peer != nil:
		out = append(out, "peer")
	}
	if c.toPeer.rs != nil {
		out = append(out, fmt.Sprintf("resample %d to %d Hz", c.toPeer.from, c.toPeer.to))
	}
	out = append(out, v.common(Write)...)
	switch {
	case c.stream != nil:
		out = append(out, "encode "+p.format.Codec.Name+" (shared)")
	case c.enc != nil:
		out = append(out, "encode "+p.format.Codec.Name)
	}
	return append(out, "send")
}

// common lists the stages that both directions can have.
func (v view) common(d Direction) (out []string) {
	p := v.port
	if p.delay > 0 && d == Read {
		out = append(out, fmt.Sprintf("delay %d ms", p.delay/time.Millisecond))
	}
	if n := len(p.plays[side(d)]); n > 0 {
		out = append(out, fmt.Sprintf("play (%d)", n))
	}
	if g := p.gain[side(d)]; g != 0 {
		out = append(out, fmt.Sprintf("gain %+d", g))
	}
	if p.mute&d != 0 {
		out = append(out, "mute")
	}
	taps := 0
	for _, t := range p.taps {
		if t.direction&d != 0 {
			taps++
		}
	}
	if taps > 0 {
		out = append(out, fmt.Sprintf("tap (%d)", taps))
	}
	for _, r := range p.records {
		if r.opts.Direction&d != 0 {
			out = append(out, "record")
		}
	}
	return out
}

// stale is how long a far end may be silent before that counts as a problem.
const stale = 5 * time.Second

// troubles says in words what an operator should look at.
func (v view) troubles() (out []string) {
	p, s := v.port, v.stats
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if !p.attached {
		say("no media was negotiated yet")
		return out
	}
	heard := p.LastHeard()
	switch {
	case heard.IsZero():
		say("nothing received yet from %s", v.remote)
	case time.Since(heard) >= stale:
		say("nothing received from %s for %d s", v.remote, int(time.Since(heard)/time.Second))
	}
	if s.InPackets == 0 && s.OutPackets > 0 || s.InPackets > 0 && s.OutPackets == 0 {
		say("sound goes one way only: %d packets in, %d out", s.InPackets, s.OutPackets)
	}
	if s.InWrongType > 0 {
		p.in.mu.Lock()
		say("wrong payload type %d in %d packets: %d was negotiated", p.in.stats.wrongType, s.InWrongType, p.format.Receives())
		p.in.mu.Unlock()
	}
	if s.OutFailed > 0 {
		say("%d packets could not be sent: %v", s.OutFailed, s.OutFailure)
	}
	if p.mute != 0 {
		say("muted: %s", p.mute)
	}
	if p.hold {
		say("on hold")
	}
	if s.LossRate > 1 {
		say("%.1f%% of the packets from %s are lost", s.LossRate, v.remote)
	}
	if c := p.chain; c != nil && p.format.Codec != nil {
		if c.decFailed || c.encFailed {
			say("%s can be passed through only, not be heard or made here", p.format.Codec.Name)
		}
	}
	if w, ok := p.wire.(Reporter); ok {
		out = append(out, w.Troubles()...)
	}
	return out
}

// Reporter is a Wire that knows of its own troubles ("source differs from SDP").
type Reporter interface {
	Troubles() []string
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
