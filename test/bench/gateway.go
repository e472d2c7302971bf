package main

import (
	"flag"
	"fmt"
	"sync/atomic"
	"time"
)

// gatewayMode holds calls from browsers to phones: Opus in DTLS-SRTP on one side,
// G.711 in plain RTP on the other.
func gatewayMode(f *flag.FlagSet) func(*rig) (*report, error) {
	url := f.String("url", "ws://127.0.0.1:8081", "Verto websocket")
	to := f.String("to", "77%d-%s", "extension that bridges to the port put in for %d, with the codec put in for %s")
	calls := f.Int("calls", 10, "calls")
	seconds := f.Float64("seconds", 10, "steady phase")
	codec := f.String("codec", "PCMU", "codec of the phones: PCMU or PCMA")
	return func(r *rig) (*report, error) {
		c, err := findCodec(*codec)
		if err != nil {
			return nil, err
		}
		if c.name[:3] != "PCM" {
			return nil, fmt.Errorf("the phones hear G.711 alone, not %s", c.name)
		}
		return r.gateway(*url, *to, *calls, *seconds, c)
	}
}

func (r *rig) gateway(url, to string, calls int, seconds float64, c codec) (*report, error) {
	if err := r.prepare(); err != nil {
		return nil, err
	}
	api, err := r.webrtcAPI()
	if err != nil {
		return nil, err
	}
	e, err := r.newEngine()
	if err != nil {
		return nil, err
	}
	defer e.close()

	var measuring atomic.Bool
	there, back := &flow{measuring: &measuring}, &flow{measuring: &measuring} // from the browsers; to them
	var calling atomic.Pointer[browser]                                       // whose call is being set up
	var streams []*stream                                                     // under the engine's lock
	called, err := r.called(e, c, func(s *stream) {
		e.locked(func() {
			streams = append(streams, s)
			there.listen(s, &calling.Load().changed)
			back.sing(s)
			back.edge++ // nobody listens to that one
		})
	})
	if err != nil {
		return nil, err
	}
	defer called.close()

	number := fmt.Sprintf(to, called.port(), c.name)
	var answers, medias []float64
	var browsers []*browser
	_, before := memory(r.pid)
	for range calls {
		b, err := r.newBrowser(api, url)
		if err != nil {
			return nil, err
		}
		browsers = append(browsers, b)
		defer b.hangup(number)
		b.changes = true
		calling.Store(b)
		answer, media, err := b.invite(number, &measuring)
		if err != nil {
			return nil, err
		}
		answers, medias = append(answers, answer), append(medias, media)
	}
	time.Sleep(r.settle)

	m := startMeter(r.pid)
	e.locked(func() { measuring.Store(true); e.late = nil })
	time.Sleep(time.Duration(seconds * float64(time.Second)))
	m.stop()
	_, after := memory(r.pid)
	var jitter []float64
	e.locked(func() {
		measuring.Store(false)
		for _, s := range streams {
			jitter = append(jitter, s.jitter)
		}
	})
	lost := 0
	for _, b := range browsers {
		b.mu.Lock()
		there.sent += b.sent
		back.received += b.received
		back.silent += b.silent
		b.mu.Unlock()
		if b.ended.Load() {
			lost++
		}
	}

	rep := &report{}
	rep.add("calls", float64(calls), "")
	rep.add("seconds", seconds, "s")
	rep.quantiles("invite_to_answer_ms", answers, "ms")
	rep.quantiles("invite_to_media_ms", medias, "ms")
	rep.add("loss_pct", there.lossPct(), "%")
	rep.add("loss_back_pct", back.lossPct(), "%")
	rep.add("silent_pct", there.silentPct(), "%")
	rep.add("silent_back_pct", back.silentPct(), "%")
	rep.quantiles("delay_ms", there.delays, "ms")
	rep.quantiles("jitter_ms", jitter, "ms")
	m.perUnit(rep, "call", calls)
	if before > 0 {
		rep.add("pss_kb_per_call", (after-before)/float64(calls), "kB")
	}
	e.addLateness(rep)
	rep.add("calls_lost", float64(lost), "")
	return rep, nil
}
