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
	f := &Failure{Line: s.Line, Step: s.Text, Got: err.Error()}
	var unmet *unmet
	if errors.As(err, &unmet) {
		f.Want, f.Got = unmet.want, unmet.got
	}
	if p.stage == nil {
		return f
	}
	for _, l := range p.journal() {
		if isScriptError(l) && !p.wanted[l] {
			f.Got = strings.TrimSpace(f.Got + "\nthe script failed: " + strings.TrimSpace(l.Text))
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
		p.told.add(l.Time, "", fmt.Sprintf("log [%s] %s", l.Level, strings.TrimSpace(l.Text)))
	}
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

// step takes one step.
func (p *play) step(s *Step) error {
	switch do := s.do.(type) {
	case setTime:
		// The first one is when the scenario begins, later ones are waited for.
		if do.at.Equal(p.date) {
			return nil
		}
		left := time.Until(do.at)
		if left < 0 || left > maxWait {
			return fmt.Errorf("it is %s now: the clock goes forwards only, and a day at most", time.Now().Format("2006-01-02 15:04:05"))
		}
		return p.pass(left)
	case setGlobal:
		if !p.begun {
			p.cast.Globals = append(p.cast.Globals, call.Var{Name: do.name, Value: do.value})
			return nil
		}
		p.stage.Switch.Globals.Set(do.name, do.value)
		return nil
	case database:
		if do.is != "" {
			p.cast.Aliases[do.dsn] = do.is
			return nil
		}
	case standIn:
		p.studio.mu.Lock()
		p.studio.stands[do.name] = do.long
		p.studio.mu.Unlock()
		return nil
	case phone:
		p.mu.Lock()
		p.roles = append(p.roles, &role{do.name, do.deeds})
		p.mu.Unlock()
		return nil
	case setVariable:
		if l := p.find(s.Who); l != nil {
			if over, _ := l.ended(); !over {
				l.ch.Set(do.name, do.value)
				return nil
			}
		}
		p.pending = append(p.pending, call.Var{Name: do.name, Value: do.value})
		return nil
	}
	if err := p.raise(); err != nil {
		return err
	}
	switch do := s.do.(type) {
	case database:
		return p.prepare(do)
	case api:
		_, err := p.api(do.command)
		return err
	case waits:
		return p.pass(do.long)
	case calls:
		return p.call(s.Who, do)
	case expects:
		return p.expect(do)
	}
	l, err := p.awaitLine(s.Who)
	if err != nil {
		return err
	}
	switch do := s.do.(type) {
	case isAnswered:
		return p.awaitAnswer(l, do.within)
	case rings:
		return p.awaitRing(l, do.within)
	case hears:
		return p.hear(l, do)
	case hearsNot:
		return p.hearNot(l, do)
	case gets:
		return p.get(l, do)
	}
	if over, cause := l.ended(); over {
		return &unmet{caller(s.Who) + " has a call", "it has ended: " + cause.String()}
	}
	switch do := s.do.(type) {
	case deed:
		if err := p.pass(do.after); err != nil {
			return err
		}
		l.act(do)
		settled()
		return nil
	case presses:
		if err := p.media(l); err != nil {
			return err
		}
		p.told.add(time.Now(), l.name, "presses "+do.digits)
		return p.pass(l.press(do.digits, do.every))
	case says:
		return p.say(l, do)
	}
	return fmt.Errorf("step %T is not known", s.do)
}

// media waits until sound can go both ways.
func (p *play) media(l *line) error {
	ok, err := p.until(patience, func() (bool, error) {
		over, _ := l.ended()
		return l.attached.Load() || over, nil
	})
	if err == nil && (!ok || !l.attached.Load()) {
		return &unmet{"a call with sound", "nobody answered it within " + span(patience)}
	}
	return err
}

func (p *play) say(l *line, do says) error {
	if err := p.media(l); err != nil {
		return err
	}
	done, err := l.speak(context.Background(), do.sound, do.long)
	if err != nil {
		return err
	}
	p.told.add(time.Now(), l.name, "says "+do.sound.String())
	limit := do.long
	if limit == 0 {
		limit = time.Hour
	}
	_, err = p.until(limit, func() (bool, error) {
		over, _ := l.ended()
		select {
		case <-done:
			return true, nil
		default:
			return over, nil
		}
	})
	l.stopSpeaking()
	return err
}

// call makes a call from outside.
func (p *play) call(who string, do calls) error {
	if l := p.find(who); l != nil {
		if over, _ := l.ended(); !over {
			return fmt.Errorf("%s has a call already", caller(who))
		}
	}
	sw := p.stage.Switch
	l := newLine(who, sw, p.studio, p.told.add)
	number := do.from
	var vars []call.Var
	routing := do.context
	if do.as != "" {
		list, context, err := p.stage.User(sw.Context(), do.as)
		if err != nil {
			return err
		}
		vars = list
		if number == "" {
			number, _, _ = strings.Cut(do.as, "@")
		}
		if routing == "" {
			routing = context
		}
	}
	if number == "" {
		number = "1000"
	}
	if routing == "" {
		routing = "default"
	}
	name := do.name
	if name == "" {
		name = number
	}
	to := do.to
	var ext *call.Extension
	text := "calls " + to
	if do.script {
		if p.stage.Script == "" {
			return errors.New("which script? name it on the command line, or in a line \"script FILE\" at the top")
		}
		to = strings.TrimSuffix(filepath.Base(p.stage.Script), filepath.Ext(p.stage.Script))
		ext = &call.Extension{Name: to, Actions: []call.Action{{App: "lua", Data: strings.TrimSpace(p.stage.Script + " " + do.arguments)}}}
		text = "calls the script " + filepath.Base(p.stage.Script)
	}
	host := sw.Globals.Get("local_ip_v4")
	vars = append([]call.Var{{Name: "sip_from_user", Value: number}, {Name: "sip_from_host", Value: host},
		{Name: "sip_from_uri", Value: number + "@" + host}, {Name: "sip_to_user", Value: to}, {Name: "sip_to_host", Value: host},
		{Name: "sip_to_uri", Value: to + "@" + host}, {Name: "sip_req_user", Value: to}, {Name: "sip_req_host", Value: host},
		{Name: "sip_network_ip", Value: callerAddress}, {Name: "sip_received_ip", Value: callerAddress},
		{Name: "sip_from_display", Value: name}, {Name: "sofia_profile_name", Value: "internal"},
		{Name: "sip_call_id", Value: call.NewUUID()}, {Name: "sip_user_agent", Value: "scenario"}}, vars...)
	vars = append(vars, p.pending...)
	p.pending = nil
	ch, err := sw.NewChannel(l, call.NewChannelOptions{Name: "sofia/internal/" + number + "@" + host, Module: "mod_sofia", Vars: vars, Extension: ext,
		Profile: call.Profile{Username: number, Dialplan: "XML", Context: routing, CallerName: name, CallerNumber: number, ANI: number,
			NetworkAddr: callerAddress, Destination: to, ScreenBit: true}})
	if err != nil {
		return err
	}
	l.ch = ch
	p.mu.Lock()
	p.lines = append(p.lines, l)
	p.mu.Unlock()
	p.told.begin(time.Now())
	l.moment = time.Now().Add(-1)
	p.told.add(time.Now(), who, text+" from "+number)
	ch.Start()
	settled()
	return nil
}

// callerAddress is where callers seem to be: an address for documentation.
const callerAddress = "192.0.2.10"

func (p *play) awaitAnswer(l *line, within time.Duration) error {
	ok, err := p.until(within, func() (bool, error) {
		if over, cause := l.ended(); over && !l.ch.Answered() {
			return false, &unmet{"an answer", "the call ended: " + cause.String()}
		}
		return l.ch.Answered(), nil
	})
	if err == nil && !ok {
		err = &unmet{"an answer within " + span(within), "nobody answers"}
	}
	return err
}

func (p *play) awaitRing(l *line, within time.Duration) error {
	ok, err := p.until(within, func() (bool, error) {
		if over, cause := l.ended(); over && !l.ch.Ringing() {
			return false, &unmet{"ringing", "the call ended: " + cause.String()}
		}
		return l.ch.Ringing() || l.ch.Outbound() && l.ch.Answered(), nil
	})
	if err == nil && !ok {
		err = &unmet{"ringing within " + span(within), "it does not ring"}
	}
	return err
}

func (p *play) get(l *line, do gets) error {
	from := len(l.seenDigits)
	ok, err := p.until(do.within, func() (bool, error) {
		return strings.HasPrefix(l.digits()[min(from, len(l.digits())):], do.digits), nil
	})
	if err == nil && !ok {
		return &unmet{"digits " + do.digits + " within " + span(do.within), got(l.digits()[min(from, len(l.digits())):])}
	}
	l.seenDigits += do.digits
	return err
}

func got(text string) string {
	if text == "" {
		return "nothing came"
	}
	return "got " + text
}

// api runs a command.
func (p *play) api(line string) (string, error) {
	name, args, _ := strings.Cut(line, " ")
	reply, err := p.stage.Switch.Run(p.stage.Switch.Context(), name, args, nil, nil)
	settled()
	if err != nil {
		return reply, fmt.Errorf("%s: %w", name, err)
	}
	return reply, nil
}
