package scenario

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/switchlet/switchlet/call"
)

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
		if do.kind != deedHangup && !l.ch.Outbound() {
			return fmt.Errorf("%s calls; whoever is called does that", caller(s.Who))
		}
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
