package monitor

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
)

// Limits of a stream.
const (
	streamQueue = 1024             // lines or events that wait for one reader; newer ones are lost, which is told
	writeLimit  = 30 * time.Second // for a reader to take what is written
	beatEvery   = 15 * time.Second // an empty line, to notice readers that are gone
	maxNames    = 64               // names of events in one request
)

func place(file string, line int) string { return file + ":" + strconv.Itoa(line) }

// stream writes lines of JSON to a reader that may be slow or gone.
type stream struct {
	w    http.ResponseWriter
	ctl  *http.ResponseController
	beat *time.Ticker
	lost uint64
}

func newStream(w http.ResponseWriter) *stream {
	w.Header().Set("Content-Type", "application/x-ndjson")
	return &stream{w: w, ctl: http.NewResponseController(w), beat: time.NewTicker(beatEvery)}
}

// write sends one line; false when the reader is gone.
func (s *stream) write(line []byte) bool {
	// A writer without deadlines is one of a test.
	_ = s.ctl.SetWriteDeadline(time.Now().Add(writeLimit))
	if _, err := s.w.Write(append(line, '\n')); err != nil {
		return false
	}
	return s.ctl.Flush() == nil
}

// told sends how many lines the reader has missed, when there are more.
func (s *stream) told(lost uint64) bool {
	if lost == s.lost {
		return true
	}
	n := lost - s.lost
	s.lost = lost
	return s.write(fmt.Appendf(nil, `{"lost":%d}`, n))
}

// log follows the log: first what was kept, then what comes. The parameter level
// is a name or a number, notice if it is missing.
func (m *Monitor) log(w http.ResponseWriter, r *http.Request) {
	level, ok := call.ParseLevel(r.FormValue("level"))
	if !ok {
		level = call.LogNotice
	}
	s := newStream(w)
	defer s.beat.Stop()
	f := m.o.Switch.Log.Follow(level, streamQueue)
	defer f.Close()
	send := func(l Line) bool {
		text, err := json.Marshal(l)
		return err == nil && s.write(text)
	}
	sent := map[mark]bool{}
	for _, l := range m.journal.tail(level) {
		sent[l.mark] = true
		if !send(l.line) {
			return
		}
	}
	if !s.write(nil) {
		return
	}
	for {
		select {
		case line, ok := <-f.Lines():
			switch {
			case ok && sent[markOf(line)]:
				delete(sent, markOf(line))
			case !ok || !send(lineOf(line, shownLimit)) || !s.told(f.Lost()):
				return
			}
		case <-s.beat.C:
			if !s.write(nil) {
				return
			}
		case <-r.Context().Done():
			return
		}
	}
}

// events follows events as JSON objects. The parameter names lists types, and
// subclasses of CUSTOM events; all if it is missing.
func (m *Monitor) events(w http.ResponseWriter, r *http.Request) {
	names := strings.FieldsFunc(r.FormValue("names"), func(c rune) bool { return c == ',' || c == ' ' })
	if len(names) > maxNames {
		http.Error(w, "too many names", http.StatusBadRequest)
		return
	}
	sub := m.o.Switch.Bus.Subscribe("web", streamQueue)
	defer sub.Close()
	for _, name := range names {
		if t, ok := event.ParseType(strings.ToUpper(name)); ok {
			sub.Listen(t)
		} else {
			sub.ListenCustom(name)
		}
	}
	if len(names) == 0 {
		sub.ListenAll()
	}
	s := newStream(w)
	defer s.beat.Stop()
	if !s.write(nil) {
		return
	}
	for {
		select {
		case e := <-sub.C():
			if !s.write(append([]byte(nil), e.JSON()...)) || !s.told(sub.Lost()) {
				return
			}
		case <-s.beat.C:
			if !s.write(nil) {
				return
			}
		case <-sub.Done():
			return
		case <-r.Context().Done():
			return
		}
	}
}
