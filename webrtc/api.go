package webrtc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/coder/websocket"

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

// mayRun checks a command, and the one inside it, and so on. What cannot be told
// apart from text with commands in it is refused.
func (k *socket) mayRun(name, arg string) bool {
	k.mu.Lock()
	perm := k.account.perms.fsapi.clone()
	k.mu.Unlock()
	if perm.any {
		return true
	}
	if strings.Contains(arg, "${") {
		return false
	}
	for perm.allows(name) {
		wrap := strings.ToLower(name)
		if !slices.Contains(wrapping, wrap) {
			return true
		}
		if wrap == "sched_api" { // its time and group stand before
			words := strings.SplitN(strings.TrimSpace(arg), " ", 3)
			arg = words[len(words)-1]
		}
		name, arg, _ = strings.Cut(strings.TrimSpace(arg), " ")
	}
	return false
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

// jsapi runs a JSON API: the result is what the API answers, without anything
// around it (spec/verto.md §3). Those about a call are for calls of this session.
func (k *socket) jsapi(p params) (object, *failure) {
	name, data := p.text("command"), p.object("data")
	k.mu.Lock()
	allowed := k.account.perms.jsapi.allows(name)
	k.mu.Unlock()
	if !allowed {
		return nil, fail(codeDenied, "Permission Denied")
	}
	// The API takes names in any case, and the first of several.
	switch strings.ToLower(name) {
	case "fsapi":
		return k.fsapi(data)
	case "channeldata", "mediastats", "execute":
		uuid := data.text("uuid")
		if uuid == "" {
			return object{{"response", "INVALID INPUT"}}, nil
		} else if k.mine(uuid) == nil {
			return object{{"response", "Session does not exist"}}, nil
		}
		data = data.about(uuid)
	case "store": // of a call, or by name
		if data.has("uuid") {
			uuid := data.text("uuid")
			if k.mine(uuid) == nil {
				return object{{"errorMessage", "Invalid INPUT, Missing UUID"}}, nil
			}
			data = data.about(uuid)
		}
	}
	if data == nil {
		data = params{}
	}
	request, err := json.Marshal(object{{"command", name}, {"data", data}})
	if err != nil {
		return nil, fail(codeDenied, "Permission Denied")
	}
	var answer struct{ Response json.RawMessage }
	out, ok := k.run("json", string(request))
	if !ok || json.Unmarshal([]byte(out), &answer) != nil {
		return nil, fail(codeDenied, "Permission Denied")
	}
	result := members(answer.Response)
	if result == nil {
		return nil, fail(codeDenied, "Permission Denied")
	}
	return result, nil
}

// has reports whether there is a member of that name, in any case.
func (p params) has(name string) bool {
	for n := range p {
		if strings.EqualFold(n, name) {
			return true
		}
	}
	return false
}

// about is the data of a JSON API with one member uuid, however many there were.
func (p params) about(uuid string) params {
	p = maps.Clone(p)
	maps.DeleteFunc(p, func(name string, _ any) bool { return strings.EqualFold(name, "uuid") })
	p["uuid"] = uuid
	return p
}

// members reads an object and keeps the order of its members; nil if the text is
// none.
func members(text json.RawMessage) object {
	d := json.NewDecoder(bytes.NewReader(text))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil
	}
	o := object{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil
		}
		var value json.RawMessage
		if d.Decode(&value) != nil {
			return nil
		}
		o = o.with(fmt.Sprint(name), value)
	}
	return o
}

// Bounds of the speed test (spec/verto.md §3, §13.12).
const (
	speedEvery  = 10 * time.Second
	speedBytes  = 1 << 20
	speedMost   = 10 << 20 // that a browser may name
	speedRounds = 10
	speedFrame  = 1024
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
		if _, err := fmt.Sscanf(text, "#SPU %d", &n); err != nil || n < 1 || n > speedMost || time.Since(k.speed.last) < speedEvery {
			return true
		}
		k.speed = speedTest{last: time.Now(), began: time.Now(), bytes: n}
	case strings.HasPrefix(text, "#SPE") && k.speed.bytes > 0:
		n := k.speed.bytes
		k.speed.bytes = 0
		return k.speedDown(n, time.Since(k.speed.began))
	}
	return true
}

// speedDown tells how long the browser's n bytes took and sends it rounds of as
// many, as long as they are no more than speedBytes in all; what the browser is
// told is the time of one round. Frames go out at once, not by the queue, so that
// the time is that of the connection. False means that the browser does not read.
func (k *socket) speedDown(n int, up time.Duration) (goOn bool) {
	ctx, stop := context.WithTimeout(k.ctx, writeLimit)
	defer stop()
	write := func(text []byte) bool { return k.conn.Write(ctx, websocket.MessageText, text) == nil }
	if !write(fmt.Appendf(nil, "#SPU %d", up.Milliseconds())) {
		return false
	}
	filler := []byte("#SPB" + strings.Repeat(".", speedFrame-4))
	began, total := time.Now(), min(n, speedBytes)
	if rounds := speedBytes / n; rounds > 1 {
		total = n * min(rounds, speedRounds)
	}
	for left := total; left > 0; left -= speedFrame {
		if !write(filler[:min(left, speedFrame)]) {
			return false
		}
	}
	took := time.Since(began).Milliseconds() * int64(n) / int64(total)
	return write(fmt.Appendf(nil, "#SPD %d", took))
}

// marshalIndent is v as JSON for people.
func marshalIndent(v any) string {
	b, err := json.MarshalIndent(v, "", "\t")
	if err != nil {
		return ""
	}
	return string(b)
}
