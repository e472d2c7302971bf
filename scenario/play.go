package scenario

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/media"
)

const (
	// look is how often a step looks whether what it waits for is there.
	look = 10 * time.Millisecond
	// maxNotes bounds the events and the lines of the log that are kept.
	maxNotes = 200000
)

// defaultDate is when scenarios happen that do not say when: a Monday morning, in
// the local time.
func defaultDate() time.Time { return time.Date(2026, 1, 5, 10, 0, 0, 0, time.Local) }

// Failure is why a scenario failed.
type Failure struct {
	Line int
	Step string
	// Want and Got are what was expected and what happened instead. Without Want the
	// step could not be taken, and Got says why.
	Want, Got string
}

var errLate = errors.New("took too much real time")

// play is one scenario that is being played.
type play struct {
	file  *File
	story *Scenario
	open  func(*Cast) (*Stage, error)
	late  *atomic.Bool
	level call.Level // of the log in the transcript

	stage  *Stage
	cast   *Cast
	studio *Studio
	told   *transcript
	log    *call.LogFollower
	wanted map[*call.LogLine]bool // errors that a step expected

	noting sync.Mutex
	events []*event.Event
	logged []*call.LogLine

	mu       sync.Mutex
	roles    []*role
	contacts map[string][]string
	lines    []*line // of all phones and callers
	pending  []call.Var

	hidden   string       // a directory that is not told of
	date     time.Time    // when the scenario begins
	at       atomic.Int64 // the step that is taken
	begun    bool         // the stage is open
	stopTick context.CancelFunc
	ticking  sync.WaitGroup
}

func newPlay(f *File, s *Scenario, open func(*Cast) (*Stage, error), late *atomic.Bool) *play {
	p := &play{file: f, story: s, open: open, late: late, told: &transcript{}, studio: newStudio(nil),
		contacts: map[string][]string{}, wanted: map[*call.LogLine]bool{}}
	p.studio.beside = filepath.Dir(f.Name)
	p.cast = &Cast{p: p, Aliases: map[string]string{}}
	p.cast.Print = func(text string) { p.told.add(time.Now(), "", "the script prints "+strconv.Quote(text)) }
	return p
}

func (p *play) follow(l *call.Log) { p.log = l.Watch(call.LogDebug, p.noteLog) }

// subscribe has every event noted in the goroutine of whoever publishes it, so that
// the transcript has the order in which things happened.
func (p *play) subscribe(b *event.Bus) {
	s := b.Subscribe("scenario", 1)
	s.SetWant(func(e *event.Event) bool { p.note(e); return false })
	s.ListenAll()
}

// run plays the scenario; it runs in a bubble. virtual is how long it took there.
func (p *play) run() (failure *Failure, virtual time.Duration) {
	date := defaultDate()
	first := true
	for i := range p.story.Steps {
		s := &p.story.Steps[i]
		if t, ok := s.do.(setTime); ok && first {
			date, first = t.at, false
		}
		if s.Who != "" && strings.Contains(s.Who, "/") && p.role([]string{s.Who}) == nil {
			p.roles = append(p.roles, &role{name: s.Who})
		}
	}
	p.date = date
	if wait := time.Until(date); wait > 0 {
		time.Sleep(wait) // nothing runs yet: the clock jumps
	}
	start := time.Now()
	defer func() { virtual = time.Since(start) }()
	for i := range p.story.Steps {
		s := &p.story.Steps[i]
		p.at.Store(int64(i))
		if err := p.step(s); err != nil {
			return p.failed(s, err), 0
		}
	}
	if err := p.raise(); err != nil {
		return p.failed(&p.story.Steps[len(p.story.Steps)-1], err), 0
	}
	p.finish()
	return p.complaint(), 0
}

func (p *play) failed(s *Step, err error) *Failure {
	defer p.finish()
	defer p.told.end()
	f := &Failure{Line: s.Line, Step: s.Text, Got: p.plain(err.Error())}
	var unmet *unmet
	if errors.As(err, &unmet) {
		f.Want, f.Got = unmet.want, unmet.got
	}
	if p.stage == nil {
		return f
	}
	for _, l := range p.journal() {
		if isScriptError(l) && !p.wanted[l] {
			f.Got = strings.TrimSpace(f.Got + "\nthe script failed: " + strings.TrimSpace(p.plain(l.Text)))
			break
		}
	}
	return f
}

// unmet says what was expected and what happened instead.
type unmet struct{ want, got string }

func (u *unmet) Error() string { return u.want + ": " + u.got }

// complaint is what is wrong though every step went well: a script that failed.
func (p *play) complaint() *Failure {
	for _, l := range p.journal() {
		if isScriptError(l) && !p.wanted[l] {
			return &Failure{Line: p.story.Line, Step: "scenario " + p.story.Name, Want: "no error in the script (\"expect log\" would take it)",
				Got: strings.TrimSpace(l.Text)}
		}
	}
	return nil
}

// isScriptError reports whether a line of the log says that a script failed.
func isScriptError(l *call.LogLine) bool {
	return l.Level == call.LogErr && l.File == "mod_lua.cpp"
}

// raise opens the stage, if that was not done yet.
func (p *play) raise() error {
	if p.begun {
		return nil
	}
	p.begun = true
	stage, err := p.open(p.cast)
	if err != nil {
		return err
	}
	p.stage = stage
	ctx, cancel := context.WithCancel(context.Background())
	p.stopTick = cancel
	p.ticking.Go(func() { p.tick(ctx) })
	return nil
}

// tick is the clock of all telephones.
func (p *play) tick(ctx context.Context) {
	select {
	case <-time.After(500 * time.Microsecond):
	case <-ctx.Done():
		return
	}
	t := time.NewTicker(media.FrameTime)
	defer t.Stop()
	var list []*line
	for {
		select {
		case now := <-t.C:
			p.mu.Lock()
			list = append(list[:0], p.lines...)
			p.mu.Unlock()
			for _, l := range list {
				if over, _ := l.ended(); !over {
					l.tick(now)
				}
			}
		case <-ctx.Done():
			return
		}
	}
}

// finish hangs up what is left and ends the stage.
func (p *play) finish() {
	if p.stage == nil {
		return
	}
	p.mu.Lock()
	lines := append([]*line(nil), p.lines...)
	p.mu.Unlock()
	for _, l := range lines {
		if over, _ := l.ended(); !over && !l.ch.Outbound() {
			l.ch.Hangup(call.CauseNormalClearing)
		}
	}
	settled()
	p.stopTick()
	p.ticking.Wait()
	if err := p.stage.Close(); err != nil {
		p.told.add(time.Now(), "", "the switch does not stop: "+err.Error())
	}
	p.log.Close()
}

// steering are the applications that the transcript tells of: those that decide
// where a call goes.
var steering = map[string]bool{"lua": true, "bridge": true, "transfer": true, "execute_extension": true, "conference": true, "ivr": true,
	"fifo": true, "valet_park": true, "park": true, "voicemail": true, "att_xfer": true, "deflect": true, "redirect": true, "originate": true}

// note keeps an event and tells of it what matters.
func (p *play) note(e *event.Event) {
	p.noting.Lock()
	if len(p.events) < maxNotes {
		p.events = append(p.events, e)
	}
	p.noting.Unlock()
	switch e.Type {
	case event.ChannelBridge:
		who, other := p.byUUID(e.Get("Unique-ID")), p.byUUID(e.Get("Bridge-B-Unique-ID"))
		name := e.Get("Other-Leg-Channel-Name")
		if other != nil {
			name = other.name
		}
		p.told.add(time.Now(), nameOf(who), "is connected with "+name)
	case event.ChannelExecute:
		if app := e.Get("Application"); steering[app] {
			data := e.Get("Application-Data")
			if app == "lua" && filepath.IsAbs(data) {
				script, arguments, _ := strings.Cut(data, " ")
				data = filepath.Base(script) + " " + arguments
			}
			p.told.add(time.Now(), nameOf(p.byUUID(e.Get("Unique-ID"))), "runs "+strings.TrimSpace(app+" "+data))
		}
	case event.ChannelState:
		if l := p.byUUID(e.Get("Unique-ID")); l != nil && e.Get("Channel-State") == "CS_ROUTING" && e.Get("Caller-Profile-Index") != "1" {
			p.told.add(time.Now(), l.name, "goes to "+e.Get("Caller-Destination-Number")+" in "+e.Get("Caller-Context"))
		}
	case event.RecordStart:
		p.told.add(time.Now(), nameOf(p.byUUID(e.Get("Unique-ID"))), "is recorded: "+p.studio.short(e.Get("Record-File-Path")))
	}
}

func nameOf(l *line) string {
	if l == nil {
		return ""
	}
	return l.name
}

// noteLog keeps a line of the log and tells of it, if it matters.
func (p *play) noteLog(l *call.LogLine) {
	p.noting.Lock()
	if len(p.logged) < maxNotes {
		p.logged = append(p.logged, l)
	}
	p.noting.Unlock()
	if l.Level <= p.level && l.Level >= call.LogAlert || l.File == "switch_cpp.cpp" && l.Func == "console_log" {
		p.told.add(l.Time, "", fmt.Sprintf("log [%s] %s", l.Level, strings.TrimSpace(p.plain(l.Text))))
	}
}

// plain is a text without the directory of the stage.
func (p *play) plain(text string) string {
	if p.hidden == "" {
		return text
	}
	return strings.ReplaceAll(text, p.hidden, "")
}

// happenings are the events so far.
func (p *play) happenings() []*event.Event {
	p.noting.Lock()
	defer p.noting.Unlock()
	return p.events
}

// journal are the lines of the log so far.
func (p *play) journal() []*call.LogLine {
	p.noting.Lock()
	defer p.noting.Unlock()
	return p.logged
}

func (p *play) byUUID(uuid string) *line {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.lines {
		if uuid != "" && l.ch.UUID() == uuid {
			return l
		}
	}
	return nil
}

// find is the newest line of that name, or nil.
func (p *play) find(who string) *line {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := len(p.lines) - 1; i >= 0; i-- {
		l := p.lines[i]
		if l.name == who || who != "" && means(who, l.names) {
			return l
		}
	}
	return nil
}

// caller is how a scenario calls somebody.
func caller(who string) string {
	if who == "" {
		return "the caller"
	}
	return who
}

// until waits for something, limit at most. done is asked when everything rests.
func (p *play) until(limit time.Duration, done func() (bool, error)) (bool, error) {
	end := time.Now().Add(limit)
	for {
		settled()
		if p.late.Load() {
			return false, errLate
		}
		if ok, err := done(); ok || err != nil {
			return ok, err
		}
		left := time.Until(end)
		if left <= 0 {
			return false, nil
		}
		time.Sleep(min(look, left))
	}
}

// pass lets time pass.
func (p *play) pass(d time.Duration) error {
	for d > 0 {
		one := min(d, time.Second)
		time.Sleep(one)
		d -= one
		settled()
		if p.late.Load() {
			return errLate
		}
	}
	return nil
}

// awaitLine waits until somebody has a call.
func (p *play) awaitLine(who string) (*line, error) {
	var l *line
	ok, err := p.until(patience, func() (bool, error) {
		l = p.find(who)
		return l != nil, nil
	})
	if err == nil && !ok {
		want := caller(who) + " has a call"
		if who == "" || !strings.Contains(who, "/") {
			return nil, &unmet{want, caller(who) + " has not called anybody"}
		}
		return nil, &unmet{want, who + " was not called within " + span(patience)}
	}
	return l, err
}
