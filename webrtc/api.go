package webrtc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/switchlet/switchlet/call"
)

// apiLimit is how long an API command of a browser may run.
const apiLimit = 60 * time.Second

// wrapping are the commands that run another command, which is checked as well.
var wrapping = []string{"bgapi", "sched_api", "eval", "expand", "xml_wrap"}

// fsapi runs an API command.
func (k *socket) fsapi(p params) (object, *failure) {
	name, arg := p.text("cmd"), p.text("arg")
	if name == "" {
		return object{{"message", "INVALID CALL"}}, nil
	}
	if !k.mayRun(name, arg) {
		return nil, fail(codeDenied, "Permission Denied")
	}
	out, ok := k.run(name, arg)
	if !ok {
		return object{{"message", "INVALID CALL"}}, nil
	}
	return object{{"message", out}}, nil
}

// mayRun checks a command, and the one inside it. What cannot be told apart from
// text with commands in it is refused.
func (k *socket) mayRun(name, arg string) bool {
	k.mu.Lock()
	perm := k.account.perms.fsapi.clone()
	k.mu.Unlock()
	if perm.any {
		return true
	}
	if !perm.allows(name) || strings.Contains(arg, "${") {
		return false
	}
	if !slices.Contains(wrapping, name) {
		return true
	}
	words := strings.Fields(arg)
	if name == "sched_api" && len(words) > 2 {
		words = words[2:]
	}
	return len(words) > 0 && perm.allows(words[0])
}

// run executes a command; false if there is none of that name.
func (k *socket) run(name, arg string) (string, bool) {
	ctx, stop := context.WithTimeout(k.server.ctx, apiLimit)
	defer stop()
	a := k.who()
	facts := map[string]string{"verto_user": a.uid, "verto_jsock_uuid": k.session(), "verto_client_address": k.remote}
	out, err := k.server.sw.Run(ctx, name, arg, nil, facts)
	if errors.Is(err, call.ErrNoCommand) || errors.Is(err, call.ErrCommand) {
		return "", false
	}
	return out, true
}

// jsapi runs a JSON API: status, or fsapi with its own list (spec/verto.md §3).
func (k *socket) jsapi(p params) (object, *failure) {
	name := p.text("command")
	k.mu.Lock()
	allowed := k.account.perms.jsapi.allows(name)
	k.mu.Unlock()
	if !allowed {
		return nil, fail(codeDenied, "Permission Denied")
	}
	data := p.object("data")
	switch name {
	case "status":
		return object{{"response", k.server.status()}, {"status", "success"}}, nil
	case "fsapi":
		out, f := k.fsapi(data)
		if f != nil {
			return nil, f
		}
		return object{{"response", out}, {"status", "success"}}, nil
	case "channelData":
		l := k.mine(data.text("uuid"))
		if l == nil {
			return object{{"message", noCall}, {"status", "error"}}, nil
		}
		vars := object{}
		for _, v := range l.ch.Vars().All() {
			vars = vars.with(v.Name, v.Value)
		}
		return object{{"response", object{{"channelData", vars}}}, {"status", "success"}}, nil
	case "mediaStats":
		l := k.mine(data.text("uuid"))
		if l == nil {
			return object{{"message", noCall}, {"status", "error"}}, nil
		}
		s := l.ch.Port().Stats()
		return object{{"response", object{{"audio", object{{"in_packet_count", s.InPackets}, {"in_skip_packet_count", s.InSkipped},
			{"in_mos", s.MOS}, {"out_packet_count", s.OutPackets}}}}}, {"status", "success"}}, nil
	}
	return object{{"message", fmt.Sprintf("Invalid API [%s]", name)}, {"status", "error"}}, nil
}

// status is what the JSON API of that name tells of the switch.
func (s *Server) status() object {
	u := s.sw.Limits.Usage()
	up := time.Since(s.sw.Started())
	return object{
		{"systemStatus", "ready"},
		{"uptime", object{{"years", 0}, {"days", int(up.Hours()) / 24}, {"hours", int(up.Hours()) % 24},
			{"minutes", int(up.Minutes()) % 60}, {"seconds", int(up.Seconds()) % 60}, {"milliseconds", up.Milliseconds() % 1000}}},
		{"sessions", object{{"count", object{{"total", u.Total}, {"active", u.Active}, {"peak", u.Peak}, {"peak5Min", u.PeakFiveMinutes}, {"limit", u.Max}}},
			{"rate", object{{"current", u.Rate}, {"max", u.RateMax}, {"peak", u.RatePeak}, {"peak5Min", u.RateFiveMinutes}}}}},
	}
}

// Bounds of the speed test (spec/verto.md §3, §13.12).
const (
	speedEvery = 10 * time.Second
	speedBytes = 1 << 20
	speedFrame = 1024
)

// speedTest is the state of a browser's test of its connection.
type speedTest struct {
	last  time.Time
	began time.Time
	bytes int
}

// speedFrame takes one frame of the speed test: #SPU n, #SPB…, #SPE. Other frames
// that begin with '#' are ignored. Before login the socket is closed.
func (k *socket) speedFrame(data []byte) (goOn bool) {
	if k.who() == nil {
		return false
	}
	text := string(data[:min(len(data), 32)])
	switch {
	case strings.HasPrefix(text, "#SPU "):
		var n int
		if _, err := fmt.Sscanf(text, "#SPU %d", &n); err != nil || n < 1 || time.Since(k.speed.last) < speedEvery {
			return true
		}
		k.speed = speedTest{last: time.Now(), began: time.Now(), bytes: min(n, speedBytes)}
	case strings.HasPrefix(text, "#SPE") && k.speed.bytes > 0:
		k.sendText(fmt.Appendf(nil, "#SPU %d", time.Since(k.speed.began).Milliseconds()))
		began := time.Now()
		filler := []byte("#SPB " + strings.Repeat(".", speedFrame-5))
		for left := k.speed.bytes; left > 0; left -= speedFrame {
			k.sendText(filler[:min(left, speedFrame)])
		}
		k.sendText(fmt.Appendf(nil, "#SPD %d", time.Since(began).Milliseconds()))
		k.speed.bytes = 0
	}
	return true
}

// marshalIndent is v as JSON for people.
func marshalIndent(v any) string {
	b, err := json.MarshalIndent(v, "", "\t")
	if err != nil {
		return ""
	}
	return string(b)
}
