package apps

import (
	"context"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/call/expand"
	"github.com/switchlet/switchlet/media"
)

const bindDigitUsage = "<realm>,<digits|~regex>,<string>[,<value>][,<dtmf target leg>][,<event target leg>]"

func digitActions(d Deps) []call.Application {
	return []call.Application{
		{Name: "bind_digit_action", Syntax: bindDigitUsage, Description: "bind a key sequence or regex to an action", Flags: n, Run: bindDigitAction(d)},
		{Name: "clear_digit_action", Syntax: "<realm>|all[,target]", Description: "clear all digit bindings", Flags: n, Run: clearDigitAction},
		{Name: "digit_action_set_realm", Syntax: "<realm>[,<target>]", Description: "change binding realm", Flags: n, Run: digitActionSetRealm},
	}
}

// Bounds of digit actions.
const (
	digitActionTimeout = 1500 * time.Millisecond // bind_digit_digit_timeout
	maxDigitActions    = 500                     // bindings on a channel
	maxActionDigits    = 128                     // digits that wait for a match
)

// targets are the legs that a word names: self, peer, both.
func targets(word string) (self, peer bool) {
	switch strings.ToLower(word) {
	case "peer":
		return false, true
	case "both":
		return true, true
	}
	return true, false
}

// digitBinding is what a sequence does.
type digitBinding struct {
	digits   string
	pattern  string // a regular expression instead of digits
	action   string // exec:app, exec[flags]:app, api:cmd, or an event header's name
	value    string
	self     bool // who executes
	peer     bool
	priority bool // matches even if longer sequences are possible
}

// digitMachine collects the digits of one direction and finds what they are bound
// to.
type digitMachine struct {
	ch    *call.Channel
	peer  bool // the digits are the partner's
	match func(text, pattern string) bool

	mu           sync.Mutex
	realms       map[string][]digitBinding
	realm        string
	digits       string
	digitTimeout time.Duration
	inputTimeout time.Duration
	terminators  string
	timer        *time.Timer
	count        int
}

func machineName(peer bool) string {
	if peer {
		return "digits peer"
	}
	return "digits self"
}

// machine is the channel's machine of a direction, made if it is not there.
func machine(d Deps, ch *call.Channel, peer bool) *digitMachine {
	if m, ok := ch.Private(machineName(peer)).(*digitMachine); ok {
		return m
	}
	m := &digitMachine{ch: ch, peer: peer, realms: make(map[string][]digitBinding), digitTimeout: digitActionTimeout}
	m.match = func(text, pattern string) bool {
		_, ok, err := d.Regex.Match(text, pattern)
		if err != nil {
			ch.Log(call.LogErr, "bind_digit_action: %v", err)
		}
		return ok
	}
	if n := number(ch.Get("bind_digit_digit_timeout"), 0); n > 0 {
		m.digitTimeout = ms(n)
	}
	if n := number(ch.Get("bind_digit_input_timeout"), 0); n > 0 {
		m.inputTimeout = ms(n)
	}
	m.terminators = ch.Get("bda_terminators")
	ch.SetPrivate(machineName(peer), m)
	ch.OnHangup(func(*call.Channel) { m.stop() })
	if peer {
		ch.InterceptPassed("digit action", m.press)
	} else {
		ch.Intercept("digit action", m.press)
	}
	return m
}

func (m *digitMachine) stop() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.timer != nil {
		m.timer.Stop()
	}
	m.digits = ""
}

var execFlags = regexp.MustCompile(`^(exec|api)(?:\[([^\]]*)\])?:(.*)$`)

func bindDigitAction(d Deps) run {
	return func(_ context.Context, ch *call.Channel, args string) error {
		f := expand.SplitSeparate(args, ',', 6)
		if len(f) < 3 || f[0] == "" || f[1] == "" || f[2] == "" {
			ch.Log(call.LogWarning, "Syntax Error, USAGE %s", bindDigitUsage)
			return nil
		}
		b := digitBinding{digits: f[1], action: f[2], value: arg(f, 3)}
		if pattern, ok := strings.CutPrefix(f[1], "~"); ok {
			b.digits, b.pattern = "", pattern
		}
		if parts := execFlags.FindStringSubmatch(b.action); parts != nil {
			b.priority = strings.Contains(parts[2], "P")
		}
		b.self, b.peer = targets(arg(f, 5))
		self, peer := targets(arg(f, 4))
		if peer {
			machine(d, ch, true).bind(f[0], b)
		}
		if self {
			machine(d, ch, false).bind(f[0], b)
		}
		return nil
	}
}

func (m *digitMachine) bind(realm string, b digitBinding) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.count >= maxDigitActions {
		m.ch.Log(call.LogErr, "bind_digit_action: more than %d bindings", maxDigitActions)
		return
	}
	m.count++
	if m.realm == "" {
		m.realm = realm
	}
	m.realms[realm] = append(m.realms[realm], b)
}

func clearDigitAction(_ context.Context, ch *call.Channel, args string) error {
	realm, target, _ := strings.Cut(args, ",")
	if args == "" {
		return usage("clear_digit_action <realm>|all[,target]")
	}
	eachMachine(ch, target, func(m *digitMachine) {
		m.stop()
		m.mu.Lock()
		delete(m.realms, realm)
		all := strings.EqualFold(realm, "all")
		m.mu.Unlock()
		if !all {
			return
		}
		ch.SetPrivate(machineName(m.peer), nil)
		if m.peer {
			ch.InterceptPassed("digit action", nil)
		} else {
			ch.Intercept("digit action", nil)
		}
	})
	return nil
}

func digitActionSetRealm(_ context.Context, ch *call.Channel, args string) error {
	realm, target, _ := strings.Cut(args, ",")
	if realm == "" {
		return usage("digit_action_set_realm <realm>[,<target>]")
	}
	eachMachine(ch, target, func(m *digitMachine) {
		m.mu.Lock()
		m.realm, m.digits = realm, ""
		m.mu.Unlock()
	})
	return nil
}

func eachMachine(ch *call.Channel, target string, fn func(*digitMachine)) {
	self, peer := targets(target)
	for _, side := range []struct{ peer, wanted bool }{{false, self}, {true, peer}} {
		if m, ok := ch.Private(machineName(side.peer)).(*digitMachine); ok && side.wanted {
			fn(m)
		}
	}
}

// press takes a digit; a machine with bindings swallows all, and gives back what
// matches nothing.
func (m *digitMachine) press(d media.Digit) bool {
	m.mu.Lock()
	if len(m.realms[m.realm]) == 0 || !m.ch.Up() {
		m.mu.Unlock()
		return false
	}
	if m.timer != nil {
		m.timer.Stop()
	}
	over := false
	if strings.IndexByte(m.terminators, d.Char) >= 0 {
		over = true
	} else if len(m.digits) < maxActionDigits {
		m.digits += string(d.Char)
	}
	m.decide(over)
	return true
}

// decide looks for a binding; m.mu is held and released. over means that no more
// digits come.
func (m *digitMachine) decide(over bool) {
	digits := m.digits
	hit, more := m.find(digits, over)
	switch {
	case hit != nil:
		m.digits = ""
	case more && !over:
		wait := m.digitTimeout
		if len(digits) == 0 && m.inputTimeout > 0 {
			wait = m.inputTimeout
		}
		m.timer = time.AfterFunc(wait, func() {
			m.mu.Lock()
			if m.digits == "" {
				m.mu.Unlock()
				return
			}
			m.decide(true)
		})
		m.mu.Unlock()
		return
	default:
		m.digits = ""
	}
	m.mu.Unlock()
	if digits == "" {
		return
	}
	if hit != nil {
		m.run(*hit, digits)
	} else {
		m.giveBack(digits)
	}
}

// find returns the binding that digits fulfil now, and whether more digits could
// fulfil one.
func (m *digitMachine) find(digits string, over bool) (hit *digitBinding, more bool) {
	list := m.realms[m.realm]
	patterns := 0
	for _, b := range list {
		if b.pattern != "" {
			patterns++
		} else if strings.HasPrefix(b.digits, digits) && b.digits != digits {
			more = true
		}
	}
	for i := range list {
		b := &list[i]
		switch {
		case b.pattern == "" && b.digits == digits:
			if over || b.priority || (!more && patterns == 0) {
				return b, more
			}
			more = true
		case b.pattern != "" && m.match(digits, b.pattern):
			if over || b.priority || len(list) == 1 {
				return b, more
			}
			more = true
		case b.pattern != "":
			more = true // an expression may match when more digits have come
		}
	}
	return nil, more
}

// run does what a sequence is bound to.
func (m *digitMachine) run(b digitBinding, digits string) {
	partner := m.ch.Partner()
	if b.peer && partner != nil {
		runDigitAction(m.ch, partner, b, digits)
	}
	if b.self || partner == nil {
		runDigitAction(m.ch, m.ch, b, digits)
	}
}

func runDigitAction(owner, on *call.Channel, b digitBinding, digits string) {
	on.Set("last_matching_digits", digits)
	on.Log(call.LogDebug, "%s Digit match binding [%s][%s]", on.Name(), b.action, b.value)
	parts := execFlags.FindStringSubmatch(b.action)
	name := b.action
	e := event.New(event.ChannelData, "")
	if parts != nil {
		name = parts[3]
	}
	e.Add(name, b.value)
	e.Add("digits", digits)
	switch {
	case parts == nil:
	case parts[1] == "api":
		owner.Switch().Go(func() {
			out, err := owner.Switch().Run(owner.Context(), name, b.value, nil, nil)
			if err != nil {
				on.Log(call.LogErr, "%s: %v", b.action, err)
			}
			on.Set("bind_digit_action_api_result", out)
		})
	case strings.Contains(parts[2], "i"):
		e.Add("execute", "blocking")
		on.PostExecute(name, b.value, true)
	default:
		e.Add("execute", "non-blocking")
		hold := !strings.Contains(parts[2], "H") && !(b.self && b.peer)
		broadcast(on, name+"::"+b.value, broadcastLegs{self: true, hold: hold})
	}
	if !on.QueueEvent(e) {
		on.Log(call.LogWarning, "%s event queue failure.", on.Name())
	}
}

// giveBack hands digits that match nothing to who would have had them.
func (m *digitMachine) giveBack(digits string) {
	on := m.ch
	if p := on.Partner(); m.peer && p != nil {
		on = p
	}
	on.Set("last_non_matching_digits", digits)
	on.Log(call.LogDebug, "%s Digit NOT match binding [%s]", on.Name(), digits)
	e := event.New(event.ChannelData, "")
	e.Add("digits", digits)
	on.QueueEvent(e)
	for i := 0; i < len(digits); i++ {
		d := media.Digit{Char: digits[i], Duration: call.DigitDurationDefault, Source: media.DigitApp}
		if m.peer {
			m.ch.SendDigits([]media.Digit{d})
		} else {
			on.QueueDigit(d)
		}
	}
}
