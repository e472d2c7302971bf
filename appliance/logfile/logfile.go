// Package logfile writes the log to files, as logfile.conf says: a profile is a
// file with the lines that its mappings choose, moved aside when it has grown
// over its bound or when the process is told to (SIGHUP).
//
// Lines come from a follower of the log through a bounded queue, so that a slow
// disk delays nothing but the file; what does not fit is lost and counted. Names
// and parameters are those of FreeSWITCH's mod_logfile (spec/config.md §5).
package logfile

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/conf"
)

const (
	queue          = 10000 // lines that may wait for one file
	defaultRotate  = 32    // files that are kept
	maxRotate      = 1000
	complaintEvery = 10 * time.Second
)

// everything is a mask with all levels.
const everything = 1<<(int(call.LogDebug)+1) - 1

// profile is one <profile> of logfile.conf.
type profile struct {
	name     string
	file     string
	rollover int64 // bytes; 0: never
	keep     int   // files; 0: all, with the time in their names
	uuid     bool
	all      int            // levels of every line, a bit each
	by       map[string]int // levels of the lines of a file or function
}

// Files are the log files of a switch.
type Files struct {
	log      *call.Log
	writers  []*writer
	onHup    bool
	profiles []profile
	done     sync.WaitGroup
}

// New reads logfile.conf, whose files are relative to dir; nil is none. Nothing is
// opened before Start.
func New(log *call.Log, c *conf.Node, dir string) *Files {
	f := &Files{log: log, onHup: conf.Params(c).Bool("rotate-on-hup", true)}
	for _, n := range c.Child("profiles").ChildrenNamed("profile") {
		f.profiles = append(f.profiles, readProfile(n, dir))
	}
	return f
}

func readProfile(n *conf.Node, dir string) profile {
	p := conf.Params(n)
	out := profile{name: n.Attr("name"), file: p.Get("logfile"), rollover: int64(max(p.Int("rollover", 0), 0)),
		keep: min(max(p.Int("maximum-rotate", defaultRotate), 0), maxRotate), uuid: p.Bool("uuid", true), by: map[string]int{}}
	switch {
	case out.file == "":
		out.file = filepath.Join(dir, "freeswitch.log")
	case !filepath.IsAbs(out.file):
		out.file = filepath.Join(dir, out.file)
	}
	maps := n.Child("mappings").ChildrenNamed("map")
	for _, m := range maps {
		if m.Attr("name") == "all" {
			out.all |= mask(m.Attr("value"))
		} else {
			out.by[m.Attr("name")] |= mask(m.Attr("value"))
		}
	}
	if len(maps) == 0 {
		out.all = everything
	}
	return out
}

// mask reads "debug,info,…", or "all".
func mask(list string) int {
	m := 0
	for _, word := range strings.Split(list, ",") {
		word = strings.TrimSpace(word)
		if strings.EqualFold(word, "all") {
			return everything
		}
		if level, ok := call.ParseLevel(word); ok && level >= call.LogConsole && level <= call.LogDebug {
			m |= 1 << int(level)
		}
	}
	return m
}

// takes reports whether a line belongs in the file.
func (p *profile) takes(l *call.LogLine) bool {
	bit := 1 << min(max(int(l.Level), 0), int(call.LogDebug))
	return (p.all|p.by[l.File]|p.by[l.Func])&bit != 0
}

// level is the highest level that the file takes.
func (p *profile) level() call.Level {
	m := p.all
	for _, own := range p.by {
		m |= own
	}
	for level := call.LogDebug; level >= call.LogConsole; level-- {
		if m&(1<<int(level)) != 0 {
			return level
		}
	}
	return call.LogDisabled
}

// Start opens the files and follows the log. A file that cannot be opened is
// logged, and tried again when there is something to write.
func (f *Files) Start() {
	for _, p := range f.profiles {
		w := &writer{profile: p, log: f.log, follower: f.log.Follow(p.level(), queue), turn: make(chan struct{}, 1)}
		w.check(w.open())
		f.writers = append(f.writers, w)
		f.done.Add(1)
		go func() { defer f.done.Done(); w.run() }()
	}
}

// Hangup tells the files that the process got SIGHUP: they are moved aside where
// rotate-on-hup says so, and opened anew.
func (f *Files) Hangup() {
	if !f.onHup {
		return
	}
	for _, w := range f.writers {
		select {
		case w.turn <- struct{}{}:
		default:
		}
	}
}

// Lost is how many lines found a queue full.
func (f *Files) Lost() uint64 {
	var n uint64
	for _, w := range f.writers {
		n += w.follower.Lost()
	}
	return n
}

// Close writes what waits and closes the files.
func (f *Files) Close() error {
	var errs []error
	for _, w := range f.writers {
		w.follower.Close()
	}
	f.done.Wait()
	for _, w := range f.writers {
		errs = append(errs, w.close())
	}
	return errors.Join(errs...)
}

// writer owns one file, in one goroutine.
type writer struct {
	profile
	log      *call.Log
	follower *call.LogFollower
	turn     chan struct{} // asks for a rotation
	out      *os.File
	buffer   *bufio.Writer
	size     int64
	told     time.Time
}

func (w *writer) run() {
	for {
		select {
		case <-w.turn:
			w.check(w.rotate())
		case l, ok := <-w.follower.Lines():
			if !ok {
				return
			}
			if w.takes(l) {
				w.check(w.write(l))
			}
			if len(w.follower.Lines()) == 0 && w.buffer != nil {
				w.check(w.buffer.Flush())
			}
		}
	}
}

// check tells of trouble, now and then, and closes the file so that the next line
// tries anew.
func (w *writer) check(err error) {
	if err == nil {
		return
	}
	w.close()
	if now := time.Now(); now.Sub(w.told) > complaintEvery {
		w.told = now
		w.log.Printf(call.LogErr, "logfile: profile %s: %v; its lines are lost until that is mended", w.name, err)
	}
}

func (w *writer) open() error {
	if err := os.MkdirAll(filepath.Dir(w.file), 0o750); err != nil {
		return err
	}
	out, err := os.OpenFile(w.file, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o640)
	if err != nil {
		return err
	}
	info, err := out.Stat()
	if err != nil {
		out.Close()
		return err
	}
	w.out, w.size, w.buffer = out, info.Size(), bufio.NewWriterSize(out, 32<<10)
	return nil
}

func (w *writer) close() error {
	if w.out == nil {
		return nil
	}
	err := errors.Join(w.buffer.Flush(), w.out.Close())
	w.out, w.buffer = nil, nil
	return err
}

func (w *writer) write(l *call.LogLine) error {
	if w.out == nil {
		if err := w.open(); err != nil {
			return err
		}
	}
	text := l.String()
	if w.uuid && l.UUID != "" {
		text = l.UUID + " " + text
	}
	if !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	n, err := w.buffer.WriteString(text)
	w.size += int64(n)
	if err != nil {
		return err
	}
	if w.rollover > 0 && w.size >= w.rollover {
		return w.rotate()
	}
	return nil
}

// rotate moves the file aside and begins a new one: FILE.1 is the youngest of
// those that are kept; where all are kept their names have the time.
func (w *writer) rotate() error {
	if err := w.close(); err != nil {
		return err
	}
	numbered := func(i int) string { return w.file + "." + strconv.Itoa(i) }
	to := numbered(1)
	if w.keep == 0 {
		to = w.file + time.Now().Format(".2006-01-02-15-04-05.000000")
	}
	for i := w.keep - 1; i >= 1; i-- {
		if err := os.Rename(numbered(i), numbered(i+1)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("rotate: %w", err)
		}
	}
	if err := os.Rename(w.file, to); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("rotate: %w", err)
	}
	return w.open()
}
