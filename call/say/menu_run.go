package say

import (
	"context"
	"strings"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/call/regex"
	"github.com/switchlet/switchlet/media"
)

// outcome is how a menu, or an entry of one, ended.
type outcome int

const (
	goOn  outcome = iota // the menu asks again; of a sub menu: it is over
	back                 // this level is left
	top                  // all levels are left down to the first, which goes on
	leave                // all levels are left
	sub                  // a sub menu was left: the long greeting again
)

// wrongEntryPause follows an entry that is not in the menu, as in the reference.
const wrongEntryPause = time.Second

// menuRun is one run of a menu and its sub menus on a call.
type menuRun struct {
	a     *Announcements
	ch    *call.Channel
	menus *menus
	first *menu
}

// Menu leads a caller through a menu of ivr.conf until it is left. Afterwards
// ivr_menu_status is success, timeout or failure. The error says why there is no
// such menu.
func (a *Announcements) Menu(ctx context.Context, ch *call.Channel, name string) error {
	all, err := a.openMenus(ctx, name)
	if err != nil {
		return err
	}
	m, err := all.get(name)
	if err != nil {
		ch.Log(call.LogWarning, "%v", err)
		ch.Log(call.LogErr, "Unable to build xml menu")
		return message("Unable to create menu")
	}
	if m == nil {
		return message("Unable to find menu")
	}
	if err := ch.PreAnswer(ctx); err != nil && !ch.MediaReady() {
		return err
	}
	r := &menuRun{a: a, ch: ch, menus: all, first: m}
	r.enter(ctx, m, 1)
	if ch.Ready() && ctx.Err() == nil {
		r.play(ctx, m.exit)
	}
	return context.Cause(ctx)
}

// enter runs one level until it is left.
func (r *menuRun) enter(ctx context.Context, m *menu, depth int) outcome {
	if depth > menuDepth {
		r.ch.Log(call.LogErr, "Too many levels of recursion.")
		return leave
	}
	if m.ttsEngine != "" && m.ttsVoice != "" {
		r.ch.Set("tts_engine", m.ttsEngine)
		r.ch.Set("tts_voice", m.ttsVoice)
	}
	r.ch.Set("ivr_menu_status", "success")
	r.fire("menu::enter", m)
	defer r.fire("menu::exit", m)
	if m.pin != "" && !r.askPin(ctx, m) {
		return goOn
	}
	greeting := m.long
	failures, timeouts := 0, 0
	for r.ch.Ready() && ctx.Err() == nil {
		if failures >= m.maxFailures {
			r.ch.Log(call.LogDebug, "Maximum failures")
			r.give(ctx, "failure", m.onMaxFailures)
			return goOn
		}
		if timeouts >= m.maxTimeouts {
			r.ch.Log(call.LogDebug, "Maximum timeouts")
			r.give(ctx, "timeout", m.onMaxTimeouts)
			return goOn
		}
		digits, timedOut := r.ask(ctx, m, greeting)
		if m.short != "" {
			greeting = m.short
		}
		if digits == "" && timedOut {
			timeouts++
			continue
		}
		next, matched := r.choose(ctx, m, digits, depth)
		switch {
		case !matched:
			failures++
			r.refuse(ctx, m, digits)
			continue
		case next == sub:
			greeting = m.long
		case next == back:
			return goOn
		case next == top && m != r.first, next == leave:
			return next
		}
		failures = 0
	}
	return goOn
}

// give ends a menu whose caller does not come to terms with it.
func (r *menuRun) give(ctx context.Context, status, app string) {
	r.ch.Set("ivr_menu_status", status)
	if app != "" {
		name, args, _ := strings.Cut(r.ch.Expand(app), " ")
		r.execute(ctx, name, args)
	}
}

// refuse answers what is not in the menu.
func (r *menuRun) refuse(ctx context.Context, m *menu, digits string) {
	if !r.ch.Ready() || ctx.Err() != nil {
		return
	}
	if digits == "" {
		r.ch.Log(call.LogDebug, "IVR menu '%s' no input detected", m.name)
	} else {
		r.ch.Log(call.LogDebug, "IVR menu '%s' caught invalid input '%s'", m.name, digits)
		r.play(ctx, m.invalid)
	}
	if r.ch.Ready() {
		_ = r.ch.Sleep(ctx, wrongEntryPause, call.WaitOptions{})
	}
}

// ask plays a greeting, which a digit stops, and collects digits. timedOut tells
// silence from an entry that was rejected.
func (r *menuRun) ask(ctx context.Context, m *menu, greeting string) (digits string, timedOut bool) {
	keys := first(r.ch.Get("ivr_menu_terminator"), "#")
	digits, ended := r.prompt(ctx, greeting, m.digits, keys)
	if m.digits == 0 {
		return "", false
	}
	if !ended && len(digits) < m.digits && r.ch.Ready() {
		inter := m.inter
		if inter == 0 {
			inter = m.timeout
		}
		var used byte
		var err error
		digits, used, err = r.ch.Collect(ctx, call.CollectOptions{Max: m.digits, Terminators: keys, First: m.timeout, Inter: inter, Got: digits})
		timedOut = used == 0 && err == nil && len(digits) < m.digits
	}
	if digits != "" && m.confirmMacro != "" && !r.confirm(ctx, m, digits, keys) {
		r.ch.Log(call.LogDebug, "rejecting digits '%s' via confirm key %s", digits, m.confirmKey)
		return "", false
	}
	return digits, timedOut
}

// prompt plays a sound that a digit stops, unless one waits already. It returns
// the digit, and whether it was one that ends the entry.
func (r *menuRun) prompt(ctx context.Context, sound string, want int, keys string) (digits string, ended bool) {
	if sound == "" || want > 0 && r.ch.HasDigit() {
		return "", false
	}
	o := call.PlayOptions{}
	if want > 0 {
		o.Digit = func(_ *media.Playback, d media.Digit) bool {
			if strings.IndexByte(keys, d.Char) >= 0 {
				ended = true
			} else {
				digits += string(d.Char)
			}
			return true
		}
	}
	if _, err := r.ch.Play(ctx, sound, o); err != nil {
		r.complain(sound, err)
	}
	return digits, ended
}

// confirm has digits confirmed: the macro says them, the right key approves.
func (r *menuRun) confirm(ctx context.Context, m *menu, digits, keys string) bool {
	for try := 0; try < m.confirmAttempts && r.ch.Ready() && ctx.Err() == nil; try++ {
		answer := ""
		o := call.PlayOptions{}
		if m.confirmKey != "" {
			o.Digit = func(_ *media.Playback, d media.Digit) bool { answer = string(d.Char); return true }
		}
		if _, err := r.a.Phrase(ctx, r.ch, m.confirmMacro, digits, "", o); err != nil {
			r.complain("phrase:"+m.confirmMacro, err)
		}
		if m.confirmKey == "" {
			continue
		}
		if answer == "" {
			answer, _, _ = r.ch.Collect(ctx, call.CollectOptions{Max: 1, Terminators: keys, First: m.timeout})
		}
		if answer != "" {
			return answer[0] == m.confirmKey[0]
		}
	}
	return false
}

// askPin asks for the pin of a menu.
func (r *menuRun) askPin(ctx context.Context, m *menu) bool {
	return r.ch.PlayAndGetDigits(ctx, call.PagdOptions{Min: len(m.pin), Max: len(m.pin), Tries: menuPinTries,
		Timeout: menuPinTimeout, DigitTimeout: menuPinTimeout, Terminators: "#", File: m.pinFile, BadFile: m.badPinFile,
		Valid: func(s string) bool { return s == m.pin }}) != ""
}

// choose runs every entry that matches, in their order; the last decides, but
// none undoes a way back or to the top.
func (r *menuRun) choose(ctx context.Context, m *menu, digits string, depth int) (next outcome, matched bool) {
	if digits == "" {
		return goOn, false
	}
	for _, e := range m.entries {
		param := e.param
		if e.pattern != nil {
			groups, ok, err := e.pattern.Match(digits)
			if err != nil || !ok {
				continue
			}
			param = regex.Substitute(param, groups)
		} else if e.digits != digits {
			continue
		}
		matched = true
		r.ch.Log(call.LogDebug, "IVR action on menu '%s' matched '%s' param '%s'", m.name, digits, param)
		did := r.act(ctx, m, e.action, param, depth)
		if next != top && (next != back || did == top || did == leave) {
			next = did
		}
		if !r.ch.Ready() || ctx.Err() != nil {
			break
		}
	}
	return next, matched
}

// act carries out one entry.
func (r *menuRun) act(ctx context.Context, m *menu, action, param string, depth int) outcome {
	switch action {
	case actionExit:
		return leave
	case actionBack:
		return back
	case actionTop:
		return top
	case actionPlay:
		r.play(ctx, param)
	case actionSub:
		return r.enterSub(ctx, m, param, depth)
	case actionApp:
		name, args, _ := strings.Cut(param, " ")
		if strings.EqualFold(name, "transfer") {
			r.play(ctx, m.transfer)
		}
		if !r.execute(ctx, name, args) {
			return leave
		}
	}
	return goOn
}

// enterSub runs another menu; a menu within itself asks again.
func (r *menuRun) enterSub(ctx context.Context, m *menu, name string, depth int) outcome {
	if strings.EqualFold(name, m.name) {
		return goOn
	}
	other, err := r.menus.get(name)
	if err != nil {
		r.ch.Log(call.LogWarning, "%v", err)
	}
	if other == nil {
		r.ch.Log(call.LogErr, "Invalid Menu!")
		return leave
	}
	if next := r.enter(ctx, other, depth+1); next != goOn {
		return next
	}
	return sub
}

// execute runs an application; false if there is none of that name.
func (r *menuRun) execute(ctx context.Context, name, args string) bool {
	if r.ch.Switch().Application(name) == nil {
		r.ch.Log(call.LogErr, "Invalid Application %s", name)
		return false
	}
	_ = r.ch.Execute(ctx, name, args)
	return true
}

// play plays a sound that digits do not stop; "" is none.
func (r *menuRun) play(ctx context.Context, sound string) {
	r.prompt(ctx, sound, 0, "")
}

// complain logs a sound that cannot be played; the menu goes on without it.
func (r *menuRun) complain(sound string, err error) {
	if r.ch.Up() {
		r.ch.Log(call.LogErr, "%s: %v", sound, err)
	}
}

// fire publishes an event of a menu.
func (r *menuRun) fire(subclass string, m *menu) {
	bus := r.ch.Switch().Bus
	if !bus.Wanted(event.Custom, subclass) {
		return
	}
	e := event.New(event.Custom, subclass)
	e.Add("Menu-Name", m.name)
	r.ch.AddTo(e)
	bus.Publish(e, "switch_ivr_menu.c", "switch_ivr_menu_execute", 1)
}
