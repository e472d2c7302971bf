package scenario

import (
	"context"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/store"
)

// Stage is a switch that has no network. Whoever has all the rooms builds it,
// inside the bubble, with what Cast gives.
type Stage struct {
	Switch    *call.Switch
	Databases *store.Store
	// Script is what the application lua is given for "call script".
	Script string
	// User finds a user of the directory: the variables of its calls, and the context.
	User func(ctx context.Context, id string) (vars []call.Var, context string, err error)
	// Pieces are the sounds that a phrase or a say request consists of, as they are
	// opened.
	Pieces func(ctx context.Context, ch *call.Channel, s Sound) ([]string, error)
	// Place is where a file really lies that the switch writes: what is not the
	// stage's own is kept apart.
	Place func(path string) string
	// Recordings is where relative names of recordings begin.
	Recordings string
	// Close ends everything that runs on the stage.
	Close func() error
}

// Cast is what a Stage gets from the scenario while it is built.
type Cast struct {
	Globals []call.Var        // global variables, over those of the configuration
	Aliases map[string]string // databases that stand for others, by data source name
	// Print takes what scripts print.
	Print func(text string)

	p *play
}

// Hide names the stage's directory, which the report leaves out of what it tells.
func (c *Cast) Hide(dir string) { c.p.hidden = dir + string(filepath.Separator) }

// Sounds lays the scenario's ear over the sounds of the switch. dirs are the
// directories that names of sounds are relative to; place says where a recording
// is really written.
func (c *Cast) Sounds(s call.Sounds, place func(string) string, dirs ...string) call.Sounds {
	c.p.studio.Sounds, c.p.studio.place, c.p.studio.dirs = s, place, dirs
	return c.p.studio
}

// Log is told of the log before anything is logged.
func (c *Cast) Log(l *call.Log) { c.p.follow(l) }

// Bus is told of the bus before anything is published.
func (c *Cast) Bus(b *event.Bus) { c.p.subscribe(b) }

// Overdue reports whether the scenario has taken too much real time.
func (c *Cast) Overdue() bool { return c.p.late.Load() }

// Note puts a line into the transcript.
func (c *Cast) Note(text string) { c.p.told.add(time.Now(), "", text) }

// Message is told of a message that is sent to somebody's phone.
func (c *Cast) Message(protocol string, e *event.Event) {
	c.p.told.add(time.Now(), "", "a "+protocol+" message goes to "+e.Get("to")+": "+strconv.Quote(e.Body))
}

// Endpoint stands for an endpoint that has a network, such as "sofia": the phones
// of the scenario answer what is dialled there.
func (c *Cast) Endpoint(name string) call.Endpoint { return farEnds{c.p, name} }

// Contact is what sofia_contact answers for a user: a dial string if the scenario
// has a phone of that user.
func (c *Cast) Contact(user, domain string) (dial string, ok bool) {
	names := []string{"user/" + user + "@" + domain, "user/" + user}
	if c.p.role(names) == nil {
		return "", false
	}
	data := "internal/" + user + "@" + domain
	c.p.mu.Lock()
	c.p.contacts[data] = names
	c.p.mu.Unlock()
	return "sofia/" + data, true
}

// role is a far end of the scenario.
type role struct {
	name  string
	deeds []deed
}

// means reports whether a name of a scenario means one of a far end's.
func means(name string, names []string) bool {
	for _, n := range names {
		if name == n || strings.Contains(name, "*") && wild(name, n) {
			return true
		}
	}
	return false
}

// role finds the far end that one of the names means; a later declaration is
// preferred.
func (p *play) role(names []string) *role {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := len(p.roles) - 1; i >= 0; i-- {
		if means(p.roles[i].name, names) {
			return p.roles[i]
		}
	}
	return nil
}

// farEnds is an endpoint whose far ends are the scenario's.
type farEnds struct {
	p    *play
	name string
}

// Dial implements call.Endpoint.
func (f farEnds) Dial(_ context.Context, sw *call.Switch, r *call.DialRequest) (*call.Channel, error) {
	p := f.p
	dialled := f.name + "/" + r.Data
	p.mu.Lock()
	names := append([]string{dialled}, p.contacts[r.Data]...)
	p.mu.Unlock()
	who := p.role(names)
	if who == nil {
		p.told.add(time.Now(), dialled, "is called, but no line of the scenario says what it does")
		return nil, call.CauseNoRouteDestination
	}
	l := newLine(who.name, sw, p.studio, p.told.add)
	if strings.Contains(who.name, "*") {
		l.name = names[len(names)-1]
	}
	l.names, l.deeds = append(names, who.name), who.deeds
	profile := r.Caller
	profile.Destination = r.Data[strings.LastIndexByte(r.Data, '/')+1:]
	name := dialled
	if gateway, ok := strings.CutPrefix(dialled, "sofia/gateway/"); ok {
		_, number, _ := strings.Cut(gateway, "/")
		name = "sofia/external/" + number
	}
	ch, err := sw.NewChannel(l, call.NewChannelOptions{UUID: r.UUID, Name: name, Module: "mod_sofia", Profile: profile, Outbound: true})
	if err != nil {
		return nil, err
	}
	l.ch = ch
	p.mu.Lock()
	p.lines = append(p.lines, l)
	p.mu.Unlock()
	return ch, nil
}
