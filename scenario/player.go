package scenario

import (
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"github.com/switchlet/switchlet/call"
)

// Player plays files of scenarios and reports as "go test" does.
type Player struct {
	// Open builds a Stage; it is called inside of the bubble.
	Open func(*Cast) (*Stage, error)
	// Out gets the report.
	Out io.Writer
	// Verbose reports every scenario, with what happened in it.
	Verbose bool
	// LogLevel is up to where the transcript has the lines of the log, besides what
	// scripts log.
	LogLevel call.Level
	// Run, if not nil, says which scenarios are played, by their names.
	Run *regexp.Regexp
	// Limit is how long one scenario may take in real time; 0: 30 s.
	Limit time.Duration
	// Stuck is called when a scenario does not end though its time is over; the
	// report was written. It ends the process: what still runs cannot be ended.
	Stuck func()

	// grace is how long an overdue scenario has to end by itself; 0: graceTime.
	grace time.Duration
}

const (
	defaultLimit = 30 * time.Second
	graceTime    = 3 * time.Second
)

// Result is how one scenario went.
type Result struct {
	Name       string
	Failure    *Failure // nil: it passed
	Transcript string
	Virtual    time.Duration // of the call's time
	Real       time.Duration
}

// Play plays one scenario.
func (pl *Player) Play(f *File, s *Scenario) Result {
	limit := pl.Limit
	if limit <= 0 {
		limit = defaultLimit
	}
	var late atomic.Bool
	p := newPlay(f, s, pl.Open, &late)
	p.level = pl.LogLevel
	over := time.AfterFunc(limit, func() { late.Store(true) })
	grace := pl.grace
	if grace <= 0 {
		grace = graceTime
	}
	stuck := time.AfterFunc(limit+grace, func() { pl.stuck(p, limit) })
	r := Result{Name: s.Name}
	begin := time.Now()
	err := bubble(func() { r.Failure, r.Virtual = p.run() })
	over.Stop()
	stuck.Stop()
	r.Real = time.Since(begin)
	r.Transcript = p.told.text("")
	switch {
	case late.Load():
		step := &s.Steps[p.at.Load()]
		got := "the script computes without end, or something outside of the call is waited for"
		if r.Failure != nil && r.Failure.Got != "" {
			got += "\n" + r.Failure.Got
		}
		r.Failure = &Failure{Line: step.Line, Step: step.Text, Want: "an end within " + span(limit) + " of real time", Got: got}
	case err != nil && r.Failure == nil:
		r.Failure = &Failure{Line: s.Line, Step: "scenario " + s.Name, Want: "a switch that ends", Got: err.Error()}
	}
	return r
}

// stuck reports a scenario that does not end.
func (pl *Player) stuck(p *play, limit time.Duration) {
	step := &p.story.Steps[p.at.Load()]
	pl.report(p.file, Result{Name: p.story.Name, Real: limit, Transcript: p.told.text(""),
		Failure: &Failure{Line: step.Line, Step: step.Text, Want: "an end within " + span(limit) + " of real time",
			Got: "something that no virtual time helps is waited for: a program, the network, or an endless computation"}})
	fmt.Fprintln(pl.Out, "FAIL")
	if pl.Stuck != nil {
		pl.Stuck()
	}
}

// File plays a file and reports; false says that a scenario failed.
func (pl *Player) File(f *File) bool {
	begin := time.Now()
	passed, failed := 0, 0
	var virtual time.Duration
	for _, s := range f.Scenarios {
		if pl.Run != nil && !pl.Run.MatchString(s.Name) {
			continue
		}
		if pl.Verbose {
			fmt.Fprintf(pl.Out, "=== RUN   %s\n", s.Name)
		}
		r := pl.Play(f, s)
		pl.report(f, r)
		virtual += r.Virtual
		if r.Failure == nil {
			passed++
		} else {
			failed++
		}
	}
	took := time.Since(begin).Seconds()
	switch {
	case failed > 0:
		fmt.Fprintf(pl.Out, "FAIL\nFAIL\t%s\t%.3fs\n", f.Name, took)
	case passed == 0:
		fmt.Fprintf(pl.Out, "ok  \t%s\t%.3fs\t[no scenarios to run]\n", f.Name, took)
	default:
		noun := "scenarios"
		if passed == 1 {
			noun = "scenario"
		}
		fmt.Fprintf(pl.Out, "ok  \t%s\t%.3fs\t%d %s, %s of calls\n", f.Name, took, passed, noun, span(virtual))
	}
	return failed == 0
}

// report writes how one scenario went.
func (pl *Player) report(f *File, r Result) {
	if r.Failure == nil && !pl.Verbose {
		return
	}
	verdict := "PASS"
	if r.Failure != nil {
		verdict = "FAIL"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "--- %s: %s (%.2fs, %s of calls)\n", verdict, r.Name, r.Real.Seconds(), span(r.Virtual))
	if x := r.Failure; x != nil {
		fmt.Fprintf(&b, "    %s:%d: %s\n", f.Name, x.Line, x.Step)
		got := strings.ReplaceAll(x.Got, "\n", "\n                  ")
		switch {
		case x.Want == "":
			fmt.Fprintf(&b, "        failed:   %s\n", got)
		case got == "":
			fmt.Fprintf(&b, "        expected: %s\n", x.Want)
		default:
			fmt.Fprintf(&b, "        expected: %s\n        instead:  %s\n", x.Want, got)
		}
		b.WriteString("    what happened:\n")
	}
	if r.Transcript == "" {
		b.WriteString("        nothing\n")
	}
	for line := range strings.Lines(r.Transcript) {
		b.WriteString("        " + line)
	}
	io.WriteString(pl.Out, b.String())
}
