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
	resultBelow               // this level, after one below it
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
	// The guides write nothing as "undef", with and without quotes.
	str := func(i int) string { return strings.TrimPrefix(text(values[i]), "undef") }
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
		run.enter(ctx, ch, a.str(1), 0)
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

// enter runs a level until it is left; the exit sound of the first one is heard
// then.
func (r *menuRun) enter(ctx context.Context, ch *call.Channel, name string, depth int) result {
	if depth >= menuDepth {
		r.x.log(call.LogErr, "Too many levels of recursion.\n")
		return resultExit
	}
	m := r.top.find(name)
	if m == nil {
		r.x.log(call.LogErr, "Invalid Menu!\n")
		return resultExit
	}
	ch.Set("ivr_menu_status", "success")
	r.voice(ch, m)
	r.fire(ch, "menu::enter", m)
	next := r.level(ctx, ch, m, depth)
	if depth == 0 && ch.Ready() && m.exit != "" {
		r.play(ctx, ch, m.exit)
	}
	r.fire(ch, "menu::exit", m)
	return next
}

// voice puts a level's engine of speech into the variables that say: reads.
func (r *menuRun) voice(ch *call.Channel, m *menu) {
	if m.ttsEngine != "" && m.ttsVoice != "" {
		ch.Set("tts_engine", m.ttsEngine)
		ch.Set("tts_voice", m.ttsVoice)
	}
}

// level asks and acts until the level is left. One that gives up after failures or
// timeouts leads back to the level above, whose timeouts are not forgotten by a
// choice; its failures are.
func (r *menuRun) level(ctx context.Context, ch *call.Channel, m *menu, depth int) result {
	greeting := m.long
	failures, timeouts := 0, 0
	for ch.Ready() && ctx.Err() == nil {
		if failures >= m.maxFailures {
			ch.Set("ivr_menu_status", "failure")
			return resultBack
		}
		if timeouts >= m.maxTimeouts {
			ch.Set("ivr_menu_status", "timeout")
			return resultBack
		}
		digits, late := r.ask(ctx, ch, m, greeting)
		if m.short != "" {
			greeting = m.short
		}
		switch {
		case !ch.Ready() || ctx.Err() != nil:
			return resultExit
		case late:
			timeouts++
			continue
		case digits == "": // only a terminator, or not confirmed
			failures++
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
		failures = 0
		switch {
		case next == resultAgain:
		case next == resultBelow:
			greeting = m.long
		case next == resultTop && m == r.top:
		default:
			return next
		}
	}
	return resultExit
}

// ask plays a greeting, which a digit stops, reads digits and has them confirmed.
// late is whether nothing was pressed in time.
func (r *menuRun) ask(ctx context.Context, ch *call.Channel, m *menu, greeting string) (digits string, late bool) {
	terminator := ch.Get("ivr_menu_terminator")
	if terminator == "" {
		terminator = "#"
	}
	ch.Set("read_terminator_used", "")
	digits, _ = ch.ReadDigits(ctx, call.ReadOptions{Min: 1, Max: max(m.digits, 1), File: greeting,
		Timeout: time.Duration(m.timeout) * time.Millisecond, DigitTimeout: time.Duration(m.inter) * time.Millisecond, Terminators: terminator})
	if digits == "" {
		return "", ch.Get("read_terminator_used") == ""
	}
	if m.confirm != "" && !r.confirmed(ctx, ch, m, digits, terminator) {
		return "", false
	}
	return digits, false
}

// confirmed has digits confirmed: a macro says them, the right key approves, any
// other refuses, and without one they are said again.
func (r *menuRun) confirmed(ctx context.Context, ch *call.Channel, m *menu, digits, terminator string) bool {
	for try := 0; try < m.confirmAttempts && ch.Ready() && ctx.Err() == nil; try++ {
		if ch.Switch().Application("phrase") != nil {
			ch.Execute(ctx, "phrase", m.confirm+","+digits)
		}
		if m.confirmKey == "" {
			continue
		}
		answer, _ := ch.ReadDigits(ctx, call.ReadOptions{Min: 1, Max: 1, Timeout: time.Duration(m.timeout) * time.Millisecond, Terminators: terminator})
		if answer != "" {
			return answer[0] == m.confirmKey[0]
		}
	}
	return false
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
		r.voice(ch, m)
		switch did := r.act(ctx, ch, m, b.action, arg, depth); {
		case !ch.Ready():
			return did, true
		case did == resultBelow:
			next = resultBelow
		case did != resultAgain:
			return did, true
		}
	}
	return next, matched
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
		if arg == m.name {
			return resultAgain
		}
		r.fire(ch, "menu::exit", m)
		next := r.enter(ctx, ch, arg, depth+1)
		r.fire(ch, "menu::enter", m)
		switch {
		case next == resultBack, next == resultTop && m == r.top:
			return resultBelow
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
