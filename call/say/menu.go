package say

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/switchlet/switchlet/call/regex"
	"github.com/switchlet/switchlet/conf"
)

// Defaults and bounds of menus (spec/config.md §8).
const (
	menuTimeout     = 10 * time.Second
	menuFailures    = 3
	menuDepth       = 12
	maxDigits       = 128
	menuPinFile     = "ivr/ivr-please_enter_pin_followed_by_pound.wav"
	menuBadPinFile  = "conference/conf-bad-pin.wav"
	menuPinTries    = 3
	menuPinTimeout  = 3 * time.Second
	menuConfirmKeys = 10
)

// menu is one <menu> of ivr.conf.
type menu struct {
	name                         string
	long, short                  string // greetings
	invalid, exit, transfer      string // sounds
	confirmMacro, confirmKey     string
	confirmAttempts              int
	timeout, inter               time.Duration
	maxFailures, maxTimeouts     int
	digits                       int
	onMaxFailures, onMaxTimeouts string // "app data"
	ttsEngine, ttsVoice          string
	pin, pinFile, badPinFile     string
	entries                      []entry
}

// entry is what a menu does for some digits.
type entry struct {
	action  string
	digits  string
	pattern *regex.Regexp // instead of digits
	param   string
}

// action is where an entry leads.
const (
	actionExit = "menu-exit"
	actionSub  = "menu-sub"
	actionApp  = "menu-exec-app"
	actionPlay = "menu-play-sound"
	actionBack = "menu-back"
	actionTop  = "menu-top"
)

// menus are the menus of one run, built when they are first entered.
type menus struct {
	regexes *regex.Cache
	source  *conf.Node // <menus>
	built   map[string]*menu
}

// openMenus finds the menus of ivr.conf. The messages are FreeSWITCH's.
func (a *Announcements) openMenus(ctx context.Context, name string) (*menus, error) {
	c := a.o.Store.Lookup(ctx, "configuration", "configuration", "name", "ivr.conf", map[string]string{"Menu-Name": name})
	if c == nil {
		return nil, message("Open of ivr.conf failed")
	}
	source := c.Child("menus")
	if source == nil {
		return nil, message("No menus configured")
	}
	return &menus{regexes: a.o.Regex, source: source, built: make(map[string]*menu)}, nil
}

// get returns a menu by name, nil if there is none of that name.
func (m *menus) get(name string) (*menu, error) {
	if built, ok := m.built[strings.ToLower(name)]; ok {
		return built, nil
	}
	n := m.source.Find("menu", "name", name)
	if n == nil {
		return nil, nil
	}
	built, err := m.build(n)
	if err == nil {
		m.built[strings.ToLower(name)] = built
	}
	return built, err
}

// build reads one <menu>.
func (m *menus) build(n *conf.Node) (*menu, error) {
	b := &menu{name: n.Attr("name"), long: n.Attr("greet-long"), short: n.Attr("greet-short"),
		invalid: n.Attr("invalid-sound"), exit: n.Attr("exit-sound"), transfer: n.Attr("transfer-sound"),
		confirmMacro: n.Attr("confirm-macro"), confirmKey: n.Attr("confirm-key"), confirmAttempts: number(n, "confirm-attempts", 0),
		timeout: milliseconds(n, "timeout"), inter: milliseconds(n, "inter-digit-timeout"),
		maxFailures: number(n, "max-failures", menuFailures), digits: min(max(number(n, "digit-len", 0), 0), maxDigits),
		onMaxFailures: n.Attr("exec-on-max-failures"), onMaxTimeouts: n.Attr("exec-on-max-timeouts"),
		ttsEngine: n.Attr("tts-engine"), ttsVoice: n.Attr("tts-voice"),
		pin: n.Attr("pin"), pinFile: first(n.Attr("pin-file"), menuPinFile), badPinFile: first(n.Attr("bad-pin-file"), menuBadPinFile)}
	b.maxTimeouts = number(n, "max-timeouts", b.maxFailures)
	if b.maxFailures <= 0 {
		b.maxFailures = menuFailures
	}
	if b.maxTimeouts <= 0 {
		b.maxTimeouts = menuFailures
	}
	if b.timeout <= 0 {
		b.timeout = menuTimeout
	}
	for _, e := range n.ChildrenNamed("entry") {
		if err := m.bind(b, e); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// bind adds one <entry>.
func (m *menus) bind(b *menu, n *conf.Node) error {
	e := entry{action: n.Attr("action"), digits: n.Attr("digits"), param: n.Attr("param")}
	switch e.action {
	case actionExit, actionSub, actionApp, actionPlay, actionBack, actionTop:
	default:
		return messagef("Invalid Action [%s] (%s)", e.action, n.Where())
	}
	if e.digits == "" {
		return messagef("an entry without digits (%s)", n.Where())
	}
	if strings.HasPrefix(e.digits, "/") {
		pattern, err := m.regexes.Compile(e.digits)
		if err != nil {
			return messagef("%v (%s)", err, n.Where())
		}
		e.pattern = pattern
	} else {
		b.digits = max(b.digits, min(len(e.digits), maxDigits))
	}
	b.entries = append(b.entries, e)
	return nil
}

// number reads an attribute as a number, def if it is absent or none.
func number(n *conf.Node, name string, def int) int {
	v, err := strconv.Atoi(strings.TrimSpace(n.Attr(name)))
	if err != nil {
		return def
	}
	return v
}

func milliseconds(n *conf.Node, name string) time.Duration {
	return time.Duration(max(number(n, name, 0), 0)) * time.Millisecond
}
