package cli

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/chzyer/readline"

	"github.com/switchlet/switchlet/esl"
)

// historyLines is how many typed lines are kept.
const historyLines = 500

// maxLine bounds a line that is read without a terminal.
const maxLine = 1 << 20

// console is what is typed and where it is answered. It outlives connections.
type console struct {
	lines  chan string // closed at the end of the input
	out    io.Writer
	editor *readline.Instance // nil without a terminal
	conn   atomic.Pointer[esl.Conn]
	stop   func()
}

// newConsole starts reading, with an editor if stdin is a terminal. What blocks in
// a read of stdin ends with the process.
func (d Defaults) newConsole(ctx context.Context, set *settings, stdin io.Reader, stdout io.Writer) (*console, error) {
	ctx, cancel := context.WithCancel(ctx)
	k := &console{lines: make(chan string), out: stdout, stop: cancel}
	in, isFile := stdin.(*os.File)
	if !isFile || !readline.IsTerminal(int(in.Fd())) {
		go k.read(ctx, stdin)
		return k, nil
	}
	// The editor waits at its end for a read of its input, so that must be given up
	// first.
	keys := readline.NewCancelableStdin(in)
	editor, err := readline.NewEx(&readline.Config{
		HistoryFile:  set.history(),
		HistoryLimit: historyLines,
		AutoComplete: &completer{ctx: ctx, conn: &k.conn},
		Stdin:        keys,
		Stdout:       stdout,
	})
	if err != nil {
		cancel()
		keys.Close()
		return nil, err
	}
	k.editor, k.out = editor, editor.Stdout()
	k.stop = func() {
		cancel()
		keys.Close()
		editor.Close()
	}
	go k.edit(ctx)
	return k, nil
}

func (k *console) put(ctx context.Context, line string) bool {
	select {
	case k.lines <- line:
		return true
	case <-ctx.Done():
		return false
	}
}

func (k *console) read(ctx context.Context, stdin io.Reader) {
	defer close(k.lines)
	r := bufio.NewScanner(stdin)
	r.Buffer(nil, maxLine)
	for r.Scan() && k.put(ctx, r.Text()) {
	}
}

func (k *console) edit(ctx context.Context) {
	defer close(k.lines)
	for {
		line, err := k.editor.Readline()
		if errors.Is(err, readline.ErrInterrupt) {
			io.WriteString(k.out, "Type /exit to leave.\n")
			continue
		}
		if err != nil || !k.put(ctx, line) {
			return
		}
	}
}

// attach gives the console a connection: the prompt names the switch, and the tab
// key asks it.
func (k *console) attach(ctx context.Context, c *esl.Conn) {
	k.conn.Store(c)
	if k.editor != nil {
		k.editor.SetPrompt(prompt(ctx, c))
		k.editor.Refresh()
	}
}

// serve is the console on one connection. It returns true when the connection
// ended by itself.
func (k *console) serve(ctx context.Context, c *esl.Conn, set *settings) (lost bool) {
	k.attach(ctx, c)
	s := &session{conn: c, out: k.out, uuids: set.logUUID,
		colours: k.editor != nil && !set.noColour && os.Getenv("NO_COLOR") == ""}
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
		case line, ok := <-k.lines:
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

// history is the file of the lines typed, "" is none.
func (set *settings) history() string {
	if set.noHistory {
		return ""
	}
	if home, err := os.UserHomeDir(); err == nil {
		return filepath.Join(home, ".switchlet_history")
	}
	return ""
}

// askTime bounds what the console asks by itself.
const askTime = 3 * time.Second

// prompt names the switch.
func prompt(ctx context.Context, c *esl.Conn) string {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	name, err := c.API(ctx, "switchname")
	if err != nil || strings.HasPrefix(name, "-ERR") {
		name, _ = c.API(ctx, "hostname")
	}
	return "switchlet@" + printable(strings.TrimSpace(name)) + "> "
}
