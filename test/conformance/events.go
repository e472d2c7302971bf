package main

import (
	"fmt"
	"strings"
	"time"
)

// conn2 sends a command on a connection of its own.
func (l *Listener) conn2(sw *Switch, cmd string) (*Frame, error) {
	c, err := dialESL(sw.addr, sw.password)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return c.Command(cmd, stepTimeout)
}

// eventFilter splits "NAME [uuidvar] [Header=value]..." .
func (r *runner) eventFilter(rest string) (name string, ok func(*Event) bool) {
	fs := strings.Fields(rest)
	if len(fs) == 0 {
		return "", func(*Event) bool { return false }
	}
	name = fs[0]
	sub := ""
	if strings.Contains(name, "::") {
		sub = name
		name = "CUSTOM"
	}
	want := map[string]string{}
	for _, f := range fs[1:] {
		if k, v, has := strings.Cut(f, "="); has {
			want[k] = v
		} else {
			want["Unique-ID"] = r.vars[f]
		}
	}
	return name, func(e *Event) bool {
		if e.Name() != name {
			return false
		}
		if sub != "" {
			if s, _ := e.Get("Event-Subclass"); s != sub {
				return false
			}
		}
		for k, v := range want {
			if g, _ := e.Get(k); g != v {
				return false
			}
		}
		return true
	}
}

func (r *runner) eventStep(st *Step, word, rest string) *stepError {
	if word == "event-body" {
		if r.last == nil {
			return r.fail(st, "no event yet")
		}
		got := r.last.Body
		if !st.HasWant {
			if r.record {
				r.fixes[st] = r.generalise(got)
			}
			return nil
		}
		ok, err := match(st.Want, got, r.vars)
		if err != nil {
			return r.fail(st, "%v", err)
		}
		if !ok {
			if r.record {
				r.fixes[st] = r.generalise(got)
				return nil
			}
			return r.fail(st, "%s", diff(st.Want, got, r.vars))
		}
		return nil
	}
	if r.lis == nil {
		return r.fail(st, "no events step before")
	}
	rest, _ = subst(rest, r.vars)
	_, fits := r.eventFilter(rest)
	var ev *Event
	if !r.lis.Wait(r.sw.wait+3*time.Second, func(evs []*Event) bool {
		for _, e := range evs {
			if !e.used && fits(e) {
				e.used = true
				ev = e
				return true
			}
		}
		return false
	}) {
		var names []string
		r.lis.mu.Lock()
		for _, e := range r.lis.evs {
			if !e.used {
				u, _ := e.Get("Unique-ID")
				for k, v := range r.vars {
					if v == u && u != "" {
						names = append(names, e.Name()+" "+k)
						break
					}
				}
			}
		}
		r.lis.mu.Unlock()
		return r.fail(st, "no such event; unused events so far:\n%s", indent(strings.Join(names, "\n"), "  + "))
	}
	r.last = ev
	if !st.HasWant {
		return nil
	}
	var fixed []string
	var wrong []string
	for _, w := range strings.Split(strings.TrimSuffix(st.Want, "\n"), "\n") {
		k, pat, _ := strings.Cut(w, ":")
		pat = strings.TrimPrefix(pat, " ")
		g, there := ev.Get(k)
		if !there {
			g = "(absent)"
		}
		ok := false
		if pat != "" || g == "" {
			var err error
			ok, err = match(pat, g, r.vars)
			if err != nil {
				return r.fail(st, "%v", err)
			}
		}
		if ok {
			fixed = append(fixed, w)
			continue
		}
		fixed = append(fixed, k+": "+r.generalise(g))
		wrong = append(wrong, fmt.Sprintf("  - %s\n  + %s: %s", w, k, g))
	}
	if len(wrong) > 0 {
		if r.record {
			r.fixes[st] = strings.Join(fixed, "\n") + "\n"
			return nil
		}
		return r.fail(st, "%s", strings.Join(wrong, "\n"))
	}
	return nil
}

func (r *runner) noEvent(st *Step, rest string) *stepError {
	fs := strings.Fields(rest)
	d := 400 * time.Millisecond
	if n := len(fs); n > 1 {
		if x, err := time.ParseDuration(fs[n-1]); err == nil {
			d = x
			fs = fs[:n-1]
		}
	}
	_, fits := r.eventFilter(strings.Join(fs, " "))
	if r.lis == nil {
		return r.fail(st, "no events step before")
	}
	found := r.lis.Wait(d, func(evs []*Event) bool {
		for _, e := range evs {
			if !e.used && fits(e) {
				return true
			}
		}
		return false
	})
	if found {
		return r.fail(st, "the event came, and should not have")
	}
	return nil
}

// frame [of TYPE] [where H=V] [pick H H ...]
func (r *runner) frame(st *Step, rest string) (string, bool, *stepError) {
	c := r.conns[r.cur]
	if c == nil {
		return "", false, r.fail(st, "no connection")
	}
	typ := ""
	wk, wv := "", ""
	var pick []string
	fs := strings.Fields(rest)
	for i := 0; i < len(fs); i++ {
		switch fs[i] {
		case "of":
			i++
			if i < len(fs) {
				typ = fs[i]
			}
		case "where":
			i++
			if i < len(fs) {
				wk, wv, _ = strings.Cut(fs[i], "=")
			}
		case "pick":
			pick = fs[i+1:]
			i = len(fs)
		default:
			return "", false, r.fail(st, "frame [of TYPE] [where H=V] [pick H ...]")
		}
	}
	end := time.Now().Add(r.sw.wait + 2*time.Second)
	for {
		f, err := c.Next(time.Until(end))
		if err != nil {
			return "", false, r.fail(st, "no frame: %v", err)
		}
		if typ != "" && f.Type() != typ {
			continue
		}
		if wk != "" {
			if v, _ := f.Event().Get(wk); v != wv {
				continue
			}
		}
		if pick == nil {
			return f.Head + "\n" + f.Body, true, nil
		}
		ev := f.Event()
		var b strings.Builder
		for _, h := range pick {
			v, ok := f.Get(h)
			if !ok || strings.HasPrefix(f.Type(), "text/event-") && !strings.EqualFold(h, "Content-Type") && !strings.EqualFold(h, "Content-Length") {
				v, ok = ev.Get(h)
			}
			if h == "_body" {
				v, ok = ev.Body, true
			}
			if !ok {
				v = "(absent)"
			}
			fmt.Fprintf(&b, "%s: %s\n", h, v)
		}
		return b.String(), true, nil
	}
}
