package lua

import (
	"context"
	"fmt"
	"strings"
	"time"

	glua "github.com/yuin/gopher-lua"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/call/regex"
)

// Defaults and bounds of menus (spec/lua.md §3.11).
const (
	menuConfirmAttempts = 3
	menuTimeout         = 10000 // ms
	menuTries           = 3
	menuDepth           = 12
)

// menu is a freeswitch.IVRMenu: one level of a menu of digits.
type menu struct {
	name                       string
	parent                     *menu
	children                   map[string]*menu
	long, short, invalid, exit string // sounds
	transfer                   string
	confirm, confirmKey        string
	ttsEngine, ttsVoice        string
	confirmAttempts, digits    int
	inter, timeout             int // ms
	maxFailures, maxTimeouts   int
	bindings                   []binding
}

// binding is what a menu does for some digits.
type binding struct {
	action, arg string
	keys        string
	pattern     *regex.Regexp // instead of keys
}

// result is where a menu goes on.
type result int

const (
	resultAgain result = iota // this level, once more
	resultBack                // the level above
	resultTop                 // the first level
	resultExit                // out of all of them
)

func menuClass() *class {
	return &class{
		name: "IVRMenu", shown: "IVRMenu", pointer: "IVRMenu *",
		is:          func(o any) bool { _, ok := o.(*menu); return ok },
		constructor: method{signature: "MSSSSSSSSSSiiiiii"},
		forms:       map[int]string{13: "MSSSSSSSiiiii", 16: "MSSSSSSSSSiiiiii"},
		construct:   newMenu,
		methods: []method{
			{name: "bindAction", signature: "sSS", run: func(a *arguments) int {
				a.self.(*menu).bind(a, a.str(0), a.str(1), a.str(2))
				return 0
			}},
			{name: "execute", signature: "CS", run: menuExecute},
		},
	}
}

// menuForms are the argument lists that the constructor takes, by their number:
// the positions of the seventeen arguments of the present form.
//
// Older scripts have 13 (no transfer sound, speech or timeouts) or 16 (no
// transfer sound).
var menuForms = map[int][]int{
	13: {0, 1, 2, 3, 4, 5, 7, 8, 11, 12, 13, 14, 15},
	16: {0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16},
	17: {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16},
}

func newMenu(a *arguments) any {
	var values [17]glua.LValue
	for i := range values {
		values[i] = glua.LNil
	}
	for i, at := range menuForms[a.n] {
		values[at] = a.value(i)
	}
	str := func(i int) string { return text(values[i]) }
	num := func(i int) int {
		n, _ := number(values[i])
		return toInt(n)
	}
	m := &menu{name: str(1), long: str(2), short: str(3), invalid: str(4), exit: str(5), transfer: str(6),
		confirm: str(7), confirmKey: str(8), ttsEngine: str(9), ttsVoice: str(10), confirmAttempts: num(11),
		inter: num(12), digits: num(13), timeout: num(14), maxFailures: num(15), maxTimeouts: num(16),
		children: make(map[string]*menu)}
	orDefault := func(v *int, def int) {
		if *v <= 0 {
			*v = def
		}
	}
	orDefault(&m.confirmAttempts, menuConfirmAttempts)
	orDefault(&m.timeout, menuTimeout)
	orDefault(&m.inter, m.timeout/2)
	orDefault(&m.maxFailures, menuTries)
	orDefault(&m.maxTimeouts, menuTries)
	if ud, ok := values[0].(*glua.LUserData); ok {
		if parent, ok := ud.Value.(*menu); ok {
			m.parent = parent
			parent.children[m.name] = m
		}
	}
	return m
}

var menuActions = []string{"menu-exit", "menu-sub", "menu-exec-app", "menu-play-sound", "menu-back", "menu-top"}

func (m *menu) bind(a *arguments, action, arg, keys string) {
	b := binding{action: strings.ToLower(action), arg: arg, keys: keys}
	known := false
	for _, name := range menuActions {
		known = known || name == b.action
	}
	if !known {
		a.s.host.sw.Log.Printf(call.LogErr, "invalid action %s", action)
		return
	}
	if strings.HasPrefix(keys, "/") {
		pattern, err := a.s.host.regexes.Compile(keys)
		if err != nil {
			a.s.host.sw.Log.Printf(call.LogErr, "menu %s: %v", m.name, err)
			return
		}
		b.pattern = pattern
	} else {
		m.digits = max(m.digits, len(keys))
	}
	m.bindings = append(m.bindings, b)
}

// menuRun is one execution of a menu on a call.
type menuRun struct {
	x   *session
	top *menu
}

func menuExecute(a *arguments) int {
	m, x := a.self.(*menu), a.session(0)
	if x == nil || x.dead() {
		return 0
	}
	x.checkHook(a.L)
	run := &menuRun{x: x, top: m}
	x.do(func(ctx context.Context, ch *call.Channel) error {
		if err := ch.PreAnswer(ctx); err != nil && !ch.MediaReady() {
			return err
		}
		if m.ttsEngine != "" && m.ttsVoice != "" {
			ch.Set("tts_engine", m.ttsEngine)
			ch.Set("tts_voice", m.ttsVoice)
		}
		run.enter(ctx, ch, a.str(1), 0)
		if ch.Ready() && m.exit != "" {
			run.play(ctx, ch, m.exit)
		}
		return nil
	})
	x.checkHook(a.L)
	return 0
}

// find looks a menu up by name in the whole tree.
func (m *menu) find(name string) *menu {
	if m.name == name {
		return m
	}
	for _, child := range m.children {
		if found := child.find(name); found != nil {
			return found
		}
	}
	return nil
}

// enter runs a level until it is left.
func (r *menuRun) enter(ctx context.Context, ch *call.Channel, name string, depth int) result {
	if depth > menuDepth {
		r.x.log(call.LogErr, "Too many levels of recursion.\n")
		return resultExit
	}
	m := r.top.find(name)
	if m == nil {
		r.x.log(call.LogErr, "Invalid Menu!\n")
		return resultExit
	}
	r.fire(ch, "menu::enter", m)
	defer r.fire(ch, "menu::exit", m)
	ch.Set("ivr_menu_status", "success")
	greeting := m.long
	failures, timeouts := 0, 0
	for ch.Ready() && ctx.Err() == nil {
		if failures >= m.maxFailures {
			ch.Set("ivr_menu_status", "failure")
			return resultExit
		}
		if timeouts >= m.maxTimeouts {
			ch.Set("ivr_menu_status", "timeout")
			return resultExit
		}
		digits := r.ask(ctx, ch, m, greeting)
		if m.short != "" {
			greeting = m.short
		}
		if !ch.Ready() || ctx.Err() != nil {
			break
		}
		if digits == "" {
			timeouts++
			continue
		}
		next, matched := r.choose(ctx, ch, m, digits, depth)
		if !matched {
			failures++
			if m.invalid != "" && ch.Ready() {
				r.play(ctx, ch, m.invalid)
			}
			continue
		}
		failures, timeouts = 0, 0
		switch {
		case next == resultAgain:
		case next == resultTop && m == r.top:
		default:
			return next
		}
	}
	return resultExit
}

// ask plays a greeting, which a digit stops, reads digits and has them confirmed.
func (r *menuRun) ask(ctx context.Context, ch *call.Channel, m *menu, greeting string) string {
	for range m.confirmAttempts {
		terminator := ch.Get("ivr_menu_terminator")
		if terminator == "" {
			terminator = "#"
		}
		digits, _ := ch.ReadDigits(ctx, call.ReadOptions{Min: 1, Max: max(m.digits, 1), File: greeting,
			Timeout: time.Duration(m.timeout) * time.Millisecond, DigitTimeout: time.Duration(m.inter) * time.Millisecond, Terminators: terminator})
		if digits == "" || m.confirm == "" || m.confirmKey == "" {
			return digits
		}
		if ch.Switch().Application("phrase") != nil {
			ch.Execute(ctx, "phrase", m.confirm+","+digits)
		}
		answer, _ := ch.ReadDigits(ctx, call.ReadOptions{Min: 1, Max: 1, Timeout: time.Duration(m.timeout) * time.Millisecond, Terminators: terminator})
		if answer == m.confirmKey {
			return digits
		}
	}
	return ""
}

// choose runs the bindings that match, in their order.
func (r *menuRun) choose(ctx context.Context, ch *call.Channel, m *menu, digits string, depth int) (next result, matched bool) {
	for _, b := range m.bindings {
		arg := b.arg
		if b.pattern != nil {
			groups, ok, err := b.pattern.Match(digits)
			if err != nil || !ok {
				continue
			}
			arg = regex.Substitute(arg, groups)
		} else if b.keys != digits {
			continue
		}
		matched = true
		if next = r.act(ctx, ch, m, b.action, arg, depth); next != resultAgain || !ch.Ready() {
			return next, true
		}
	}
	return resultAgain, matched
}

func (r *menuRun) act(ctx context.Context, ch *call.Channel, m *menu, action, arg string, depth int) result {
	switch action {
	case "menu-exit":
		return resultExit
	case "menu-back":
		return resultBack
	case "menu-top":
		return resultTop
	case "menu-play-sound":
		r.play(ctx, ch, arg)
	case "menu-sub":
		switch next := r.enter(ctx, ch, arg, depth+1); next {
		case resultBack, resultAgain:
		case resultTop:
			if m != r.top {
				return resultTop
			}
		default:
			return next
		}
	case "menu-exec-app":
		app, data, _ := strings.Cut(arg, " ")
		if m.transfer != "" && strings.EqualFold(app, "transfer") {
			r.play(ctx, ch, m.transfer)
		}
		if ch.Switch().Application(app) == nil {
			r.x.log(call.LogErr, fmt.Sprintf("Invalid application %s\n", app))
			return resultExit
		}
		ch.Execute(ctx, app, data)
	}
	return resultAgain
}

func (r *menuRun) play(ctx context.Context, ch *call.Channel, sound string) {
	if _, err := ch.Play(ctx, sound, call.PlayOptions{}); err != nil {
		r.x.complain(err, sound)
	}
}

func (r *menuRun) fire(ch *call.Channel, subclass string, m *menu) {
	bus := ch.Switch().Bus
	if !bus.Wanted(event.Custom, subclass) {
		return
	}
	e := event.New(event.Custom, subclass)
	e.Add("Menu-Name", m.name)
	ch.AddTo(e)
	bus.Publish(e, "switch_ivr_menu.c", "switch_ivr_menu_execute", 1)
}
