package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/switchlet/switchlet/esl"
)

// session is the talk with one connection.
type session struct {
	conn     *esl.Conn
	out      io.Writer
	printing sync.Mutex // commands and the follower share the output
	colours  bool
	uuids    bool // show the call's UUID before its log lines

	mu     sync.Mutex
	uuid   string // only log lines of this call
	filter string // only log lines with this text
	show   bool   // print events as they come
	json   bool   // as JSON, for which the subscription asked
}

// errExit ends the console.
var errExit = errors.New("exit")

const help = `Command                    Description
-----------------------------------------------
/help                      This list
/exit, /quit, /bye, ...    Leave the console
/event LIST                Subscribe to events, and show them
/nixevent LIST             Unsubscribe
/noevents                  No more events
/filter HEADER VALUE       Filter events
/log LEVEL                 Follow the log
/nolog                     Do not
/uuid [UUID]               Log lines of one call only
/logfilter [TEXT]          Log lines with a text only
/debug [LEVEL]             Show events while LEVEL is above 0
Everything else is a command of the switch: try "help".
`

// slashCommands are commands of the console itself. Those of the event socket
// are sent as they are.
func slashCommands() map[string]func(s *session, ctx context.Context, line, arg string) error {
	return map[string]func(*session, context.Context, string, string) error{
		"help": func(s *session, _ context.Context, _, _ string) error { s.print(help); return nil },
		"exit": leave, "quit": leave, "bye": leave,
		"event": (*session).pass, "nixevent": (*session).pass, "noevents": (*session).pass,
		"filter": (*session).pass, "log": (*session).pass, "nolog": (*session).pass,
		"uuid": func(s *session, _ context.Context, _, arg string) error {
			s.mu.Lock()
			s.uuid = arg
			s.mu.Unlock()
			s.print("UUID filtering " + state(arg) + "\n")
			return nil
		},
		"logfilter": func(s *session, _ context.Context, _, arg string) error {
			s.mu.Lock()
			s.filter = arg
			s.mu.Unlock()
			s.print("Logfilter " + state(arg) + "\n")
			return nil
		},
		"debug": func(s *session, _ context.Context, _, arg string) error {
			s.mu.Lock()
			s.show = arg != "" && arg != "0"
			s.mu.Unlock()
			s.print("+OK debug level " + arg + "\n")
			return nil
		},
	}
}

func leave(*session, context.Context, string, string) error { return errExit }

func state(arg string) string {
	if arg == "" {
		return "disabled"
	}
	return "enabled"
}

func (s *session) print(text string) {
	s.printing.Lock()
	defer s.printing.Unlock()
	io.WriteString(s.out, text)
}

// pass sends a command of the event socket and prints the reply.
func (s *session) pass(ctx context.Context, line, arg string) error {
	if strings.HasPrefix(line, "event") {
		format, _, _ := strings.Cut(arg, " ")
		// Before the first of them can come.
		s.mu.Lock()
		s.show, s.json = true, strings.EqualFold(format, "json")
		s.mu.Unlock()
	}
	m, err := s.conn.Send(ctx, line)
	if err != nil {
		return err
	}
	s.print(m.Get("Reply-Text") + "\n")
	return nil
}

// obey carries out one line. errExit and the end of the connection end the
// console; other errors were printed.
func (s *session) obey(ctx context.Context, line string) error {
	line = strings.TrimSpace(line)
	switch {
	case line == "":
		return nil
	case line == "...":
		return errExit
	case line[0] == '/':
		name, arg, _ := strings.Cut(line[1:], " ")
		run, ok := slashCommands()[strings.ToLower(name)]
		if !ok {
			s.print("Unknown command [" + line + "]\n")
			return nil
		}
		return s.soften(run(s, ctx, line[1:], strings.TrimSpace(arg)))
	}
	if rest, ok := strings.CutPrefix(line, "console loglevel "); ok {
		if err := s.soften(s.conn.Log(ctx, strings.TrimSpace(rest))); err != nil {
			return err
		}
	}
	out, err := s.conn.Console(ctx, line)
	if err == nil {
		s.print(strings.TrimSuffix(out, "\n") + "\n")
	}
	return s.soften(err)
}

// soften prints an error that is about one command only.
func (s *session) soften(err error) error {
	var reply *esl.ReplyError
	if errors.As(err, &reply) || errors.Is(err, esl.ErrNewline) {
		s.print(fmt.Sprintf("Error: %v!\n", err))
		return nil
	}
	return err
}

// follow prints log lines and events until the connection ends.
func (s *session) follow() {
	logs, events := s.conn.Logs(), s.conn.Events()
	for logs != nil || events != nil {
		select {
		case line, ok := <-logs:
			if !ok {
				logs = nil
				continue
			}
			if s.wants(line) {
				s.print(s.paint(line))
			}
		case e, ok := <-events:
			if !ok {
				events = nil
				continue
			}
			s.mu.Lock()
			show, asJSON := s.show, s.json
			s.mu.Unlock()
			switch {
			case show && asJSON:
				s.print(eventJSON(e))
			case show:
				s.print(eventText(e))
			}
		}
	}
}

func (s *session) wants(line *esl.LogLine) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return (s.uuid == "" || line.UUID == s.uuid) && (s.filter == "" || strings.Contains(line.Text, s.filter))
}

func eventText(e *esl.Event) string {
	var b strings.Builder
	b.WriteString("RECV EVENT\n")
	for _, h := range e.Headers {
		b.WriteString(h.Name + ": " + h.Value + "\n")
	}
	b.WriteString("\n")
	if e.Body != "" {
		b.WriteString(strings.TrimSuffix(e.Body, "\n") + "\n")
	}
	return printable(b.String())
}

// eventJSON is an event as one object, a line for each header in their order.
func eventJSON(e *esl.Event) string {
	var b strings.Builder
	b.WriteString("RECV EVENT\n{")
	comma := ""
	text := func(value any) string {
		var t strings.Builder
		enc := json.NewEncoder(&t)
		enc.SetEscapeHTML(false)
		_ = enc.Encode(value) // texts and lists of them never fail
		return strings.TrimSuffix(t.String(), "\n")
	}
	member := func(name string, value any) {
		b.WriteString(comma + "\n\t" + text(name) + ":\t" + text(value))
		comma = ","
	}
	for _, h := range e.Headers {
		if list := (esl.Headers{h}).Values(h.Name); len(list) != 1 || list[0] != h.Value {
			member(h.Name, list)
			continue
		}
		member(h.Name, h.Value)
	}
	if e.Body != "" {
		member("_body", e.Body)
	}
	b.WriteString("\n}\n\n")
	return printable(b.String())
}

// colours are the escape sequences of the levels, console first.
var colours = [...]string{"\x1b[37m", "\x1b[31m", "\x1b[31m", "\x1b[31m", "\x1b[35m", "\x1b[36m", "\x1b[32m", "\x1b[33m"}

const plainColour = "\x1b[0m"

// Line is a log line as a terminal may show it: without control characters, behind
// the call's UUID unless that is empty, and in the colour of its level if wanted.
func Line(level int, uuid, text string, coloured bool) string {
	text = printable(strings.TrimSuffix(text, "\n"))
	if uuid != "" {
		text = printable(uuid) + " " + text
	}
	if coloured {
		text = colours[min(max(level, 0), len(colours)-1)] + text + plainColour
	}
	return text + "\n"
}

// paint is a log line as it is shown.
func (s *session) paint(line *esl.LogLine) string {
	uuid := ""
	if s.uuids {
		uuid = line.UUID
	}
	return Line(line.Level, uuid, line.Text, s.colours)
}

// printable takes out control characters, by which a caller's name could drive
// the operator's terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || r >= 0x20 && r != 0x7f && !(r >= 0x80 && r < 0xa0) {
			return r
		}
		return -1
	}, s)
}
