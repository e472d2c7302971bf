package dialplan

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/regex"
	"github.com/switchlet/switchlet/conf"
)

// XML is the dialplan "XML" of a Switch: it hunts in the configuration's section
// dialplan, or in the document that "XML:/path/file.xml" names.
type XML struct {
	Store *conf.Store
	Regex *regex.Cache
	// Zone finds a time zone by the name that the variable timezone has.
	Zone func(name string) (*time.Location, bool)
}

// maxDocument bounds a document named in a dialplan string, in bytes.
const maxDocument = 16 << 20

// Hunt implements call.Dialplan.
func (x XML) Hunt(ctx context.Context, ch *call.Channel, p *call.Profile, arg string) (*call.Extension, bool, error) {
	section, err := x.section(ctx, p, ch.UUID(), ch.Vars().All(), arg)
	if err != nil {
		return nil, false, err
	}
	actions, found, err := Hunt(ctx, section, x.request(ctx, ch, p))
	if err != nil || !found {
		return nil, false, err
	}
	return extension(actions), true, nil
}

func extension(actions []Action) *call.Extension {
	ext := &call.Extension{Actions: make([]call.Action, len(actions))}
	for i, a := range actions {
		ext.Name = a.Extension
		ext.Actions[i] = call.Action{App: a.App, Data: a.Data}
	}
	return ext
}

func (x XML) section(ctx context.Context, p *call.Profile, uuid string, vars []call.Var, path string) (*conf.Node, error) {
	if path == "" {
		params := map[string]string{"Hunt-Context": p.Context, "Hunt-Destination-Number": p.Destination,
			"Caller-Context": p.Context, "Caller-Destination-Number": p.Destination,
			"Caller-Caller-ID-Name": p.CallerName, "Caller-Caller-ID-Number": p.CallerNumber, "Unique-ID": uuid}
		for _, v := range vars {
			params["variable_"+v.Name] = v.Value
		}
		return x.Store.Lookup(ctx, "dialplan", "", "", "", params), nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxDocument {
		return nil, fmt.Errorf("dialplan: %s is larger than %d bytes", path, maxDocument)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	doc, err := conf.Parse(string(text), path)
	if err != nil {
		return nil, err
	}
	if s := doc.Find("section", "name", "dialplan"); s != nil {
		return s, nil
	}
	return doc, nil
}

func (x XML) request(ctx context.Context, ch *call.Channel, p *call.Profile) Request {
	r := Request{
		Context: p.Context, Number: p.Destination, Channel: ch.Name(),
		Field:  p.Field,
		Expand: ch.Expand,
		Now:    time.Now(),
		Zone:   x.zone(ch),
		Inline: func(app, data string) error {
			a := ch.Switch().Application(app)
			if a == nil || a.Flags&call.Routing == 0 {
				ch.Log(call.LogErr, "This application cannot be executed inline")
				return nil
			}
			return ch.Execute(ctx, app, data)
		},
		SetVar:    ch.Set,
		ClearVars: func(prefix string) { clearVars(ch.Vars(), prefix) },
		AutoHunt:  ch.True("auto_hunt"),
		Regex:     x.Regex,
	}
	if log := ch.Switch().Log; log.Enabled(call.LogErr) {
		r.Log = func(level, text string) {
			l, _ := call.ParseLevel(level)
			ch.Log(l, "%s", text)
		}
	}
	return r
}

func clearVars(vars *call.Vars, prefix string) {
	for _, v := range vars.All() {
		if strings.HasPrefix(v.Name, prefix) {
			vars.Set(v.Name, "")
		}
	}
}

// caller is who looks for an extension: a channel, or a Trial.
type caller interface {
	Get(name string) string            // a variable
	Lookup(name string) (string, bool) // what ${name} stands for
	Log(level call.Level, format string, args ...any)
}

// zone is the time zone that the variables ask for, nil for the system's.
func (x XML) zone(c caller) *time.Location {
	if v := c.Get("tod_tz_offset"); v != "" {
		if hours, err := strconv.ParseFloat(v, 64); err == nil && hours > -24 && hours < 24 {
			return time.FixedZone("", int(hours*3600))
		}
	}
	name, _ := c.Lookup("timezone")
	if name == "" || x.Zone == nil {
		return nil
	}
	zone, ok := x.Zone(name)
	if !ok {
		c.Log(call.LogErr, "Timezone '%s' not found!", name)
		return time.UTC
	}
	return zone
}

// InlinePlan is the dialplan "inline": the destination number, or the argument
// behind the colon, is the program.
type InlinePlan struct{}

// Hunt implements call.Dialplan.
func (InlinePlan) Hunt(_ context.Context, ch *call.Channel, p *call.Profile, arg string) (*call.Extension, bool, error) {
	program := arg
	if program == "" {
		program = p.Destination
		ch.UpdateProfile(func(now *call.Profile) {
			// Not that of a transfer which has come meanwhile, nor that of a channel which
			// only executes another extension.
			if now.Index == p.Index && now.Destination == program {
				now.Destination = now.RDNIS
			}
		})
	}
	actions := Inline(program)
	if len(actions) == 0 {
		return nil, false, nil
	}
	ext := extension(actions)
	ext.Name = "inline"
	return ext, true, nil
}
