package apps

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/expand"
	"github.com/switchlet/switchlet/media"
)

const bindSyntax = "<key> [a|b|ab] [a|b|o|s|i|1] <app>"

func metaKeys(Deps) []call.Application {
	return []call.Application{
		{Name: "bind_meta_app", Syntax: bindSyntax, Description: "Bind a key to an application", Flags: n, Run: bindMeta},
		{Name: "unbind_meta_app", Syntax: "[<key>]", Description: "Unbind a key from an application", Flags: n, Run: unbindMeta},
	}
}

// metaTimeout is how soon the key must follow the meta key.
const metaTimeout = 5 * time.Second

// metaKeyNames are the keys that can be bound.
const metaKeyNames = "0123456789*#ABCD"

// executor is who runs the application of a meta key.
type executor int

const (
	byOwner    executor = iota // the channel that bound the key
	byPartner                  // its partner
	byPresser                  // who pressed
	byOpposite                 // who did not
)

// metaBinding is what a key does.
type metaBinding struct {
	app      string // "app::args"
	executor executor
	inline   bool // without holding the partner
	once     bool
}

// metaSide is one direction of digits: pressed by the channel's far end, or by
// its partner's.
type metaSide struct {
	up    bool // something was bound
	bound map[byte]metaBinding
	armed time.Time // when the meta key was pressed; zero: it was not
}

// metaMap is what a channel has bound.
type metaMap struct {
	mu             sync.Mutex
	meta           byte
	self, opposite metaSide
}

func bindMeta(_ context.Context, ch *call.Channel, args string) error {
	f := expand.SplitSeparate(args, ' ', 4)
	if len(f) != 4 || len(f[0]) == 0 {
		ch.Log(call.LogErr, "Usage: %s", bindSyntax)
		return nil
	}
	key := strings.ToUpper(f[0][:1])[0]
	if strings.IndexByte(metaKeyNames, key) < 0 {
		ch.Log(call.LogErr, "Bind Error!")
		return nil
	}
	b := metaBinding{app: f[3], inline: strings.Contains(f[2], "i"), once: strings.Contains(f[2], "1")}
	chosen := 0
	for letter, who := range map[string]executor{"a": byOwner, "b": byPartner, "s": byPresser, "o": byOpposite} {
		if strings.Contains(f[2], letter) {
			b.executor = who
			chosen++
		}
	}
	if chosen > 1 {
		ch.Log(call.LogErr, "Cannot bind execute to multiple legs")
		return nil
	}
	meta := byte('*')
	if v := ch.Get("bind_meta_key"); v != "" {
		if strings.IndexByte(metaKeyNames, v[0]) >= 0 {
			meta = v[0]
		} else {
			ch.Log(call.LogWarning, "Invalid META KEY %c", v[0])
		}
	}
	if meta == key && meta != '*' && meta != '#' {
		ch.Log(call.LogErr, "Invalid key %c, same as META CHAR", key)
		return nil
	}
	m, _ := ch.Private("meta").(*metaMap)
	if m == nil {
		m = &metaMap{self: metaSide{bound: map[byte]metaBinding{}}, opposite: metaSide{bound: map[byte]metaBinding{}}}
		ch.SetPrivate("meta", m)
		ch.Intercept("meta", func(d media.Digit) bool { return m.press(ch, &m.self, d) })
		ch.InterceptPassed("meta", func(d media.Digit) bool { return m.press(ch, &m.opposite, d) })
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.meta = meta
	if strings.Contains(f[1], "a") {
		m.self.up, m.self.bound[key] = true, b
		ch.Log(call.LogInfo, "Bound A-Leg: %c%c %s", meta, key, b.app)
	}
	if strings.Contains(f[1], "b") {
		m.opposite.up, m.opposite.bound[key] = true, b
		ch.Log(call.LogInfo, "Bound B-Leg: %c%c %s", meta, key, b.app)
	}
	return nil
}

func unbindMeta(_ context.Context, ch *call.Channel, args string) error {
	m, _ := ch.Private("meta").(*metaMap)
	if m == nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if key := strings.ToUpper(strings.TrimSpace(args)); key != "" && key != "0" {
		delete(m.self.bound, key[0])
		delete(m.opposite.bound, key[0])
		return nil
	}
	clear(m.self.bound)
	clear(m.opposite.bound)
	ch.SetPrivate("meta", nil)
	ch.Intercept("meta", nil)
	ch.InterceptPassed("meta", nil)
	return nil
}

// press looks at a digit and reports whether it is swallowed.
func (m *metaMap) press(ch *call.Channel, side *metaSide, d media.Digit) bool {
	m.mu.Lock()
	if !side.up || consulting(ch) {
		m.mu.Unlock()
		return false
	}
	armed := !side.armed.IsZero()
	late := armed && time.Since(side.armed) > metaTimeout
	if d.Char == m.meta && !armed {
		side.armed = time.Now()
		m.mu.Unlock()
		return true
	}
	side.armed = time.Time{}
	b, bound := side.bound[d.Char]
	if bound && b.once && armed && !late && d.Char != m.meta {
		delete(side.bound, d.Char)
	}
	meta := m.meta
	m.mu.Unlock()
	switch {
	case late:
		ch.Log(call.LogErr, "%s Meta digit timeout parsing %c", ch.Name(), d.Char)
		return false
	case !armed, d.Char == meta:
		return false
	case !bound:
		ch.Log(call.LogWarning, "%s Ignoring meta digit '%c' not mapped", ch.Name(), d.Char)
		return true
	}
	ch.Log(call.LogDebug, "%s Processing meta digit '%c' [%s]", ch.Name(), d.Char, b.app)
	onOwner := b.executor == byOwner || b.executor == byPresser && side == &m.self || b.executor == byOpposite && side == &m.opposite
	if err := broadcast(ch, b.app, broadcastLegs{self: onOwner, partner: !onOwner, hold: !b.inline}); err != nil {
		ch.Log(call.LogErr, "%s meta digit '%c': %v", ch.Name(), d.Char, err)
	}
	return true
}
