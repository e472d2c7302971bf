package main

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"
)

func (r *runner) install(st *Step, name, body string) *stepError {
	if !strings.HasSuffix(name, ".lua") {
		name += ".lua"
	}
	dir := filepath.Join(r.sw.scripts, "conformance")
	os.MkdirAll(dir, 0o777)
	p := filepath.Join(dir, r.vars["tok"]+"_"+name)
	if err := os.WriteFile(p, []byte(body), 0o644); err != nil {
		return r.fail(st, "cannot install the script: %v", err)
	}
	r.files = append(r.files, p)
	r.vars[name] = p
	r.vars[strings.TrimSuffix(name, ".lua")] = p
	return nil
}

// prelude defines out(...) for scripts: one line of output is one CUSTOM event.
func (r *runner) prelude() string {
	return `local function out(...) local t = {} for i = 1, select('#', ...) do t[i] = tostring((select(i, ...))) end ` +
		`local e = freeswitch.Event("CUSTOM", "conformance::out") e:addHeader("Conformance-Case", "` + r.vars["tok"] + `") ` +
		`e:addHeader("Conformance-Line", "." .. table.concat(t, " ")) e:fire() end `
}

func (r *runner) openOut() error {
	if r.outLis != nil {
		return nil
	}
	l, err := listen(r.sw.addr, r.sw.password, "event plain CHANNEL_DESTROY CUSTOM conformance::out")
	if err != nil {
		return err
	}
	r.outLis = l
	return nil
}

func outOf(evs []*Event, tok string) []string {
	var mine []*Event
	for _, e := range evs {
		if t, _ := e.Get("Conformance-Case"); t == tok {
			mine = append(mine, e)
		}
	}
	sort.SliceStable(mine, func(i, j int) bool { return mine[i].Seq() < mine[j].Seq() })
	var out []string
	for _, e := range mine {
		s, _ := e.Get("Conformance-Line")
		out = append(out, strings.TrimPrefix(s, "."))
	}
	return out
}

func (l *Listener) outLines(tok string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return outOf(l.evs, tok)
}

func (l *Listener) waitOut(tok string, d time.Duration, ready func([]string) bool) bool {
	return l.Wait(d, func(evs []*Event) bool { return ready(outOf(evs, tok)) })
}

// output yields the lines a script put out, until the line end or until the
// call has gone.
func (r *runner) output(st *Step, end, uuid string) (string, bool, *stepError) {
	if r.outLis == nil {
		return "", false, r.fail(st, "no script was run")
	}
	tok := r.vars["tok"]
	at := r.outAt
	n := -1
	ok := r.outLis.Wait(stepTimeout, func(evs []*Event) bool {
		if end != "" {
			for i, l := range outOf(evs, tok) {
				if i >= at && l == end {
					n = i
					return true
				}
			}
			return false
		}
		for _, e := range evs {
			if u, _ := e.Get("Unique-ID"); u == uuid && e.Name() == "CHANNEL_DESTROY" {
				return true
			}
		}
		return false
	})
	if ok && end == "" {
		time.Sleep(50 * time.Millisecond)
	}
	lines := r.outLis.outLines(tok)
	if n < 0 || n > len(lines) {
		n = len(lines)
	}
	got := lines[min(at, n):n]
	r.outAt = n
	s := ""
	if len(got) > 0 {
		s = strings.Join(got, "\n") + "\n"
	}
	if !ok {
		return "", false, r.fail(st, "the script did not end in time; it put out:\n%s", indent(s, "  + "))
	}
	return s, true, nil
}

// apps runs an extension on a call of its own and lists the applications.
func (r *runner) apps(st *Step, rest string) (string, bool, *stepError) {
	ext, args := cut(rest)
	vs, more := braces(args)
	u := newUUID()
	r.vars["a"] = u
	r.uuids = append(r.uuids, u)
	l, err := listen(r.sw.addr, r.sw.password, "filter Unique-ID "+u, "event plain CHANNEL_EXECUTE CHANNEL_HANGUP_COMPLETE")
	if err != nil {
		return "", false, r.fail(st, "%v", err)
	}
	defer l.Close()
	if vs != "" {
		vs = "," + vs
	}
	ctx := "XML conformance"
	if more != "" {
		ctx = more
	}
	reply, err := r.main.API(fmt.Sprintf("originate {origination_uuid=%s%s}null/conformance %s %s", u, vs, ext, ctx), stepTimeout)
	if err != nil {
		return "", false, r.fail(st, "%v", err)
	}
	if !strings.HasPrefix(reply, "+OK") {
		return reply, true, nil
	}
	var evs []*Event
	done := l.Wait(15*time.Second, func(all []*Event) bool {
		for _, e := range all {
			if x, _ := e.Get("Unique-ID"); x == u && e.Name() == "CHANNEL_HANGUP_COMPLETE" {
				return true
			}
		}
		return false
	})
	l.mu.Lock()
	evs = nil
	for _, e := range l.evs {
		if x, _ := e.Get("Unique-ID"); x == u {
			evs = append(evs, e)
		}
	}
	l.mu.Unlock()
	sort.SliceStable(evs, func(i, j int) bool { return evs[i].Seq() < evs[j].Seq() })
	var b strings.Builder
	for _, e := range evs {
		switch e.Name() {
		case "CHANNEL_EXECUTE":
			a, _ := e.Get("Application")
			d, _ := e.Get("Application-Data")
			fmt.Fprintf(&b, "%s(%s)\n", a, strings.ReplaceAll(d, "\n", `\n`))
		case "CHANNEL_HANGUP_COMPLETE":
			c, _ := e.Get("Hangup-Cause")
			fmt.Fprintf(&b, "=> %s\n", c)
		}
	}
	if !done {
		b.WriteString("=> (still up)\n")
	}
	return b.String(), true, nil
}

// trace VAR until EVENT [show H,H]
func (r *runner) trace(st *Step, rest string) (string, bool, *stepError) {
	if r.lis == nil {
		return "", false, r.fail(st, "no events step before")
	}
	fs := strings.Fields(rest)
	if len(fs) < 3 || fs[1] != "until" {
		return "", false, r.fail(st, "trace VAR until EVENT [show H,H]")
	}
	u := r.vars[fs[0]]
	var show []string
	if len(fs) > 4 && fs[3] == "show" {
		show = strings.Split(fs[4], ",")
	}
	done := r.lis.Wait(r.sw.wait+5*time.Second, func(evs []*Event) bool {
		for _, e := range evs {
			if x, _ := e.Get("Unique-ID"); x == u && e.Name() == fs[2] {
				return true
			}
		}
		return false
	})
	r.lis.mu.Lock()
	var evs []*Event
	for _, e := range r.lis.evs {
		if x, _ := e.Get("Unique-ID"); x == u {
			evs = append(evs, e)
		}
	}
	r.lis.mu.Unlock()
	sort.SliceStable(evs, func(i, j int) bool { return evs[i].Seq() < evs[j].Seq() })
	var b strings.Builder
	for _, e := range evs {
		b.WriteString(e.Name())
		for _, h := range show {
			if v, ok := e.Get(h); ok {
				fmt.Fprintf(&b, " %s=%s", h, v)
			}
		}
		b.WriteString("\n")
		if e.Name() == fs[2] {
			break
		}
	}
	if !done {
		return "", false, r.fail(st, "%s never came; so far:\n%s", fs[2], indent(b.String(), "  + "))
	}
	return b.String(), true, nil
}
