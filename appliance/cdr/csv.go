package cdr

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/call/expand"
	"github.com/switchlet/switchlet/conf"
)

// builtin is the template that needs no configuration (spec/config.md §5).
const builtin = `"${caller_id_name}","${caller_id_number}","${destination_number}","${context}","${start_stamp}",` +
	`"${answer_stamp}","${end_stamp}","${duration}","${billsec}","${hangup_cause}","${uuid}","${bleg_uuid}", "${accountcode}"` + "\n"

// maxAccount bounds the length of an account's file name in bytes.
const maxAccount = 128

// csvBuffer is how many bytes of lines may wait for the others of their time.
const csvBuffer = 64 << 10

// csv writes the lines of cdr_csv.conf. Lines wait for flush, since to open a file
// costs far more than a line; it is opened anew each time, so that other programs
// may move it away.
type csv struct {
	dir         string
	legA, legB  bool
	masterOnly  bool
	fallback    string // the default template's text
	templates   map[string]string
	rotateOnHup bool

	failed func(error) // gets what could not be written, later than write

	mu      sync.Mutex // of the files and of what follows
	waiting map[string][]byte
	bytes   int
}

// readCSV reads cdr_csv.conf; nil: it does not exist, no lines are written. What
// is wrong is told to warn.
func readCSV(c *conf.Node, logDir string, warn func(format string, args ...any)) *csv {
	if c == nil {
		return nil
	}
	p := conf.Params(c)
	f := &csv{dir: filepath.Join(first(p.Get("log-base"), logDir), "cdr-csv"), masterOnly: p.Bool("master-file-only", false),
		rotateOnHup: p.Bool("rotate-on-hup", false), templates: map[string]string{"default": builtin},
		waiting: map[string][]byte{}, failed: func(error) {}}
	for _, l := range strings.ToLower(p.Get("legs")) {
		switch l {
		case 'a':
			f.legA = true
		case 'b':
			f.legB = true
		default:
			warn("%s: legs is %q, want a, b or ab; a is taken", c.Where(), p.Get("legs"))
		}
	}
	if !f.legA && !f.legB {
		f.legA = true
	}
	for _, t := range c.Child("templates").ChildrenNamed("template") {
		if name := t.Attr("name"); name != "" {
			f.templates[name] = t.Text + "\n"
		}
	}
	name := first(p.Get("default-template"), "default")
	text, ok := f.templates[name]
	if !ok {
		warn("%s: there is no template %q; the built-in one is taken", c.Where(), name)
		text = builtin
	}
	f.fallback = text
	return f
}

// write queues the lines of one leg.
func (f *csv) write(r *Record, e *event.Event, global expand.Resolver) {
	if !(f.legA && f.legB) && (f.legA && r.originated || f.legB && r.hasOriginatees) {
		return
	}
	own, named := f.templates[r.AccountCode]
	if !named {
		own = f.fallback
	}
	line := fill(own, e, global)
	if r.AccountCode != "" && !f.masterOnly {
		f.queue(accountFile(r.AccountCode), line)
	}
	if own != f.fallback {
		line = fill(f.fallback, e, global)
	}
	f.queue("Master.csv", line)
}

// queue keeps a line until flush or the buffer's end.
func (f *csv) queue(name, line string) {
	f.mu.Lock()
	f.waiting[name] = append(f.waiting[name], line...)
	f.bytes += len(line)
	full := f.bytes >= csvBuffer
	f.mu.Unlock()
	if full {
		f.flush()
	}
}

// flush writes what waits.
func (f *csv) flush() {
	f.mu.Lock()
	err := f.drain()
	f.mu.Unlock()
	if err != nil {
		f.failed(err)
	}
}

// drain writes what waits. Caller holds mu.
func (f *csv) drain() error {
	var errs []error
	for name, lines := range f.waiting {
		errs = append(errs, f.append(name, lines))
	}
	clear(f.waiting)
	f.bytes = 0
	return errors.Join(errs...)
}

// accountFile is the file of an account; the code comes from the call and must
// not lead out of the directory.
func accountFile(code string) string {
	name := strings.Map(func(c rune) rune {
		if c == '/' || c == '\\' || c == ':' || c < ' ' {
			return '_'
		}
		return c
	}, code)
	if len(name) > maxAccount {
		name = strings.ToValidUTF8(name[:maxAccount], "_")
	}
	return strings.TrimLeft(name, ".") + ".csv"
}

// append opens a file and writes lines at its end.
func (f *csv) append(name string, lines []byte) error {
	open := func() (*os.File, error) {
		return os.OpenFile(filepath.Join(f.dir, name), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o640)
	}
	out, err := open()
	if errors.Is(err, os.ErrNotExist) {
		if err = os.MkdirAll(f.dir, 0o750); err == nil {
			out, err = open()
		}
	}
	if err != nil {
		return fmt.Errorf("cdr_csv: %w", err)
	}
	_, err = out.Write(lines)
	if err = errors.Join(err, out.Close()); err != nil {
		return fmt.Errorf("cdr_csv: %w", err)
	}
	return nil
}

// rotate moves every file away; the time is added to its name.
func (f *csv) rotate(now time.Time) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	errs := []error{f.drain()}
	entries, err := os.ReadDir(f.dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("cdr_csv: %w", err)
	}
	for _, e := range entries {
		if filepath.Ext(e.Name()) != ".csv" || e.IsDir() {
			continue
		}
		file := filepath.Join(f.dir, e.Name())
		if err := os.Rename(file, file+now.Format(".2006-01-02-15-04-05")); err != nil {
			errs = append(errs, fmt.Errorf("cdr_csv: %w", err))
		}
	}
	return errors.Join(errs...)
}
