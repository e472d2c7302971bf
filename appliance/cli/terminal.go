package cli

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/chzyer/readline"

	"github.com/switchlet/switchlet/esl"
)

// historyLines is how many typed lines are kept.
const historyLines = 500

// maxLine bounds a line that is read without a terminal.
const maxLine = 1 << 20

// serve is the console on one connection. It returns true when the connection
// ended by itself.
func (d Defaults) serve(ctx context.Context, c *esl.Conn, set *settings, stdin io.Reader, stdout, stderr io.Writer) (lost bool) {
	s := &session{conn: c, out: stdout, uuids: set.logUUID}
	lines, stop, err := d.lines(ctx, s, set, stdin, stdout)
	if err != nil {
		io.WriteString(stderr, "[ERROR] "+err.Error()+"\n")
		return false
	}
	defer stop()
	followed := make(chan struct{})
	go func() {
		defer close(followed)
		s.follow()
	}()
	// The follower ends with the connection.
	defer func() { c.Close(); <-followed }()
	if !set.quiet {
		if err := s.soften(c.Log(ctx, set.logLevel)); err != nil {
			return true
		}
	}
	for {
		select {
		case <-ctx.Done():
			return false
		case <-c.Done():
			return true
		case line, ok := <-lines:
			if !ok {
				return false
			}
			switch err := s.obey(ctx, line); {
			case errors.Is(err, errExit):
				return false
			case err != nil:
				return ctx.Err() == nil
			}
		}
	}
}

// lines starts reading what is typed, with an editor if stdin is a terminal. The
// channel is closed at the end of the input; stop ends the reading.
func (d Defaults) lines(ctx context.Context, s *session, set *settings, stdin io.Reader, stdout io.Writer) (<-chan string, func(), error) {
	lines := make(chan string)
	ctx, cancel := context.WithCancel(ctx)
	put := func(line string) bool {
		select {
		case lines <- line:
			return true
		case <-ctx.Done():
			return false
		}
	}
	in, terminal := isTerminal(stdin)
	if !terminal {
		go func() {
			defer close(lines)
			r := bufio.NewScanner(stdin)
			r.Buffer(nil, maxLine)
			for r.Scan() && put(r.Text()) {
			}
		}()
		return lines, cancel, nil
	}
	editor, err := readline.NewEx(&readline.Config{
		Prompt:       d.prompt(ctx, s.conn),
		HistoryFile:  d.history(set),
		HistoryLimit: historyLines,
		AutoComplete: &completer{ctx: ctx, conn: s.conn},
		Stdin:        in,
		Stdout:       stdout,
	})
	if err != nil {
		cancel()
		return nil, nil, err
	}
	s.out = editor.Stdout()
	s.colours = !set.noColour && os.Getenv("NO_COLOR") == ""
	go func() {
		defer close(lines)
		for {
			line, err := editor.Readline()
			if errors.Is(err, readline.ErrInterrupt) {
				s.print("Type /exit to leave.\n")
				continue
			}
			if err != nil || !put(line) {
				return
			}
		}
	}()
	return lines, func() { cancel(); editor.Close() }, nil
}

// isTerminal tells whether somebody types.
func isTerminal(stdin io.Reader) (*os.File, bool) {
	f, ok := stdin.(*os.File)
	return f, ok && readline.IsTerminal(int(f.Fd()))
}

func (d Defaults) history(set *settings) string {
	if set.noHistory {
		return ""
	}
	if d.History != "" {
		return d.History
	}
	if home, err := os.UserHomeDir(); err == nil {
		return filepath.Join(home, ".switchlet_history")
	}
	return ""
}

// askTime bounds what the console asks by itself.
const askTime = 3 * time.Second

// prompt names the switch.
func (d Defaults) prompt(ctx context.Context, c *esl.Conn) string {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	name, err := c.API(ctx, "switchname")
	if err != nil || strings.HasPrefix(name, "-ERR") {
		name, _ = c.API(ctx, "hostname")
	}
	return "switchlet@" + printable(strings.TrimSpace(name)) + "> "
}
