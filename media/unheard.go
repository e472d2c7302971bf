package media

import (
	"log/slog"
	"sync"
	"time"
)

// unheard logs once what the chain looks like when nothing has come from a far end
// for stale, so that "there is no sound" can be answered from the log. It watches
// legs whose Wire is a Reporter: they have a network, and a far end that should
// speak.
type unheard struct {
	mu    sync.Mutex
	timer *time.Timer
	since time.Time
	done  bool
}

// await begins to watch, with the first Wire that can be watched.
func (p *Port) await(w Wire) {
	if _, ok := w.(Reporter); !ok {
		return
	}
	u := &p.unheard
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.done || u.timer != nil {
		return
	}
	u.since = time.Now()
	u.timer = time.AfterFunc(stale, p.listened)
}

// listened looks whether something came meanwhile.
func (p *Port) listened() {
	p.mu.Lock()
	held := p.hold
	p.mu.Unlock()
	u := &p.unheard
	u.mu.Lock()
	if u.done {
		u.mu.Unlock()
		return
	}
	from := u.since
	if heard := p.LastHeard(); heard.After(from) {
		from = heard
	}
	rest := stale - time.Since(from)
	if held {
		rest = stale
	}
	if rest > 0 {
		u.timer.Reset(rest)
		u.mu.Unlock()
		return
	}
	u.done = true
	u.mu.Unlock()
	p.engine.log.Warn("media: nothing is heard", slog.String("port", p.name), slog.String("chain", p.Chain()))
}

func (u *unheard) stop() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.done = true
	if u.timer != nil {
		u.timer.Stop()
	}
}
