package lua

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/regex"
	"github.com/switchlet/switchlet/conf"
	"github.com/switchlet/switchlet/store"
)

// Limits bound what scripts may take. Zero values are the defaults. Those of
// lua.conf take the place of Memory, Compute and Scripts.
type Limits struct {
	// Memory is the most that the values of one script may take, in bytes, as far
	// as that can be told; 0: 256 MiB.
	Memory uint64
	// Heap is the size of the process's heap in bytes above which the script that
	// takes most is ended, if it computes; 0: 1 GiB.
	Heap uint64
	// Compute is how long a script may compute without waiting for anything; 0:
	// 60 s, below: for ever.
	Compute time.Duration
	// Text is the longest string that one operation may build, in bytes; 0: 64 MiB.
	Text int
	// Scripts is how many scripts may run at once; 0: 5000.
	Scripts int
}

// Options are what a Host is made with. Switch is required.
type Options struct {
	Switch *call.Switch
	// Store opens the databases of freeswitch.Dbh; nil: none can be opened.
	Store *store.Store
	// Conf has lua.conf and takes the XML handler; nil: neither.
	Conf *conf.Store
	// ScriptDir is where relative script names are looked for first, Builtin next.
	ScriptDir string
	Builtin   fs.FS
	// HTTP makes the requests of socket.http; nil: a client of its own.
	HTTP *http.Client
	// AllowShell lets scripts run programs: os.execute, io.popen, email.
	AllowShell bool
	Limits     Limits
	// Speak makes speech of a text and plays it (call/speech); nil: there are no
	// engines.
	Speak func(ctx context.Context, ch *call.Channel, engine, voice, text string, o call.PlayOptions) (bool, error)
	// Overdue, if not nil, is asked while a script computes; true ends it. Scripts in
	// virtual time need it, whose clock stands still meanwhile.
	Overdue func() bool
	// Print gets what scripts print, beside the log; nil: nobody.
	Print io.Writer
}

// Defaults of Limits.
const (
	defaultMemory  = 256 << 20
	defaultHeap    = 1 << 30
	defaultCompute = time.Minute
	defaultText    = 64 << 20
	defaultScripts = 5000
)

// watchInterval is how often running scripts are looked at. Those that compute are
// weighed while the heap is larger than one of them may be, so that it takes a
// weighShare-th of their time at most.
const (
	watchInterval = 25 * time.Millisecond
	weighShare    = 5
	// weighPatience is how long one is waited for that has not yet told its weight, and
	// how long one that was ended has for giving its memory back before the next is.
	// On a machine that has much to do even that is soon over.
	weighPatience = 2 * time.Second
)

// ErrClosed is the cause of scripts that end because the Host closes.
var ErrClosed = errors.New("the system is being shut down")

// Reasons for which a script is ended, or not begun.
var (
	errHeap    = errors.New("not enough memory: the scripts and calls of this switch take all that it may have")
	errStopped = errors.New("stopped by lua stop")
	errMany    = errors.New("too many scripts are running")
)

func errMemory(limit uint64) error {
	return fmt.Errorf("not enough memory: its values take more than %d MiB (memory-limit in lua.conf)", limit>>20)
}

func errCompute(limit time.Duration) error {
	return fmt.Errorf("time limit reached: it has computed for %v without waiting for anything (compute-limit in lua.conf)", limit)
}

// errOverdue ends what Options.Overdue says is to be ended.
var errOverdue = errors.New("time limit reached: it computes without waiting for anything")

// Host runs scripts. Its methods may be used by many goroutines at once.
type Host struct {
	opts    Options
	sw      *call.Switch
	chunks  *chunks
	regexes *regex.Cache
	client  *http.Client
	classes []*class
	once    sync.Once
	std     *standard // once
	by      classSet
	// modulePath is package.path as lua.conf and the environment have it.
	modulePath atomic.Pointer[string]
	autoHangup atomic.Bool // the call ends with the script (lua.conf auto-hangup)

	ctx    context.Context
	cancel context.CancelCauseFunc
	wg     sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	scripts  map[*script]*watching
	watched  bool
	lastID   uint64
	bounds   Limits
	failures []Failure // the oldest first
	ended    time.Time // when the last script was ended for want of memory
	undo     []func()  // hooks and bindings
}

// watching is what the guard knows of a script.
type watching struct {
	began   time.Time
	spent   time.Duration // computing since it last waited
	rests   uint32        // how often it had begun to wait at the last look
	weighed time.Time
}

// New makes a Host. It does nothing until one of its entry points is used;
// Start runs what lua.conf asks for.
func New(o Options) *Host {
	if o.Limits.Memory == 0 {
		o.Limits.Memory = defaultMemory
	}
	if o.Limits.Heap == 0 {
		o.Limits.Heap = defaultHeap
	}
	if o.Limits.Compute == 0 {
		o.Limits.Compute = defaultCompute
	}
	if o.Limits.Text == 0 {
		o.Limits.Text = defaultText
	}
	if o.Limits.Scripts == 0 {
		o.Limits.Scripts = defaultScripts
	}
	h := &Host{opts: o, sw: o.Switch, chunks: newChunks(o.ScriptDir, o.Builtin),
		regexes: regex.NewCache(256), scripts: make(map[*script]*watching), bounds: o.Limits}
	if h.client = o.HTTP; h.client == nil {
		h.client = &http.Client{}
	}
	h.by = newClassSet()
	h.classes = h.by.all()
	h.ctx, h.cancel = context.WithCancelCause(context.Background())
	context.AfterFunc(o.Switch.Context(), func() { h.cancel(ErrClosed) })
	return h
}

// Close ends every script and waits until they are gone.
func (h *Host) Close() {
	h.mu.Lock()
	h.closed = true
	undo := h.undo
	h.undo = nil
	h.mu.Unlock()
	h.cancel(ErrClosed)
	for _, fn := range undo {
		fn()
	}
	h.wg.Wait()
}

// request is one run of a program.
type request struct {
	text   string          // command line
	ctx    context.Context // of the channel's work
	ch     *call.Channel   // global session, or nil
	before func(*script)   // sets further globals
	after  func(*script)   // takes results, if the program did not fail
}

// execute runs a program and waits for its end. The error was logged.
func (h *Host) execute(r request) error {
	c := parseCommand(r.text)
	if c.inline && strings.TrimSpace(c.source) == "" {
		return nil
	}
	if !c.inline && c.script == "" {
		h.sw.Log.Printf(call.LogErr, "No code to execute!")
		return errors.New("no code to execute")
	}
	if r.ch != nil && !c.inline && !filepath.IsAbs(c.script) && !filepath.IsLocal(c.script) {
		// Dialplans make names of what callers say.
		h.sw.Log.Printf(call.LogErr, "cannot open %s: a name without / in front is looked for below %s only", shorten(c.script, maxShownCommand), h.chunks.dir)
		return errors.New("a script out of its directory")
	}
	name := c.script
	if c.inline {
		name = inlineName
	}
	if err := h.enter(); err != nil {
		h.sw.Log.Printf(call.LogErr, "cannot run %s: %v", name, err)
		return err
	}
	defer h.wg.Done()
	s := h.newScript(name, r.ctx, r.ch)
	s.command = shorten(strings.TrimSpace(r.text), maxShownCommand)
	h.watch(s)
	defer h.unwatch(s)
	defer s.close()
	if r.before != nil {
		r.before(s)
	}
	if err := s.run(c); err != nil {
		return err
	}
	if r.after != nil {
		r.after(s)
	}
	return nil
}

// background runs a program in a goroutine of its own.
func (h *Host) background(text string) {
	if h.enter() != nil {
		return
	}
	go func() {
		defer h.wg.Done()
		h.execute(request{text: text, ctx: h.ctx})
	}()
}

func (h *Host) enter() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || h.ctx.Err() != nil {
		return ErrClosed
	}
	if len(h.scripts) >= h.bounds.Scripts {
		return errMany
	}
	h.wg.Add(1)
	return nil
}

// watch has an eye on a running script.
func (h *Host) watch(s *script) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lastID++
	s.id = h.lastID
	h.scripts[s] = &watching{began: time.Now()}
	if !h.watched {
		h.watched = true
		h.wg.Add(1)
		go h.guard()
	}
}

func (h *Host) unwatch(s *script) {
	h.mu.Lock()
	delete(h.scripts, s)
	h.mu.Unlock()
}

// guard runs while there are scripts: it ends those that compute for too long,
// and those that compute while the memory is used up.
func (h *Host) guard() {
	defer h.wg.Done()
	tick := time.NewTicker(watchInterval)
	defer tick.Stop()
	for idle := 0; ; {
		select {
		case <-h.ctx.Done():
			h.mu.Lock()
			h.watched = false
			h.mu.Unlock()
			return
		case <-tick.C:
		}
		heap := uint64(0)
		if h.busy() {
			heap = heapSize()
		}
		left := h.look(heap)
		if left {
			idle = 0
		} else if idle++; idle > 40 && h.retire() {
			return
		}
		if heap > h.limits().Heap {
			runtime.GC()
			if heapSize() > h.limits().Heap {
				h.endHeaviest()
			}
		}
	}
}

// limits are those in force.
func (h *Host) limits() Limits {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.bounds
}

// busy reports whether any script computes.
func (h *Host) busy() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.scripts {
		if s.resting.Load() == 0 {
			return true
		}
	}
	return false
}

// look counts the time of those that compute, has them weighed if the heap is as
// large as one of them may be, and reports whether there are any scripts.
func (h *Host) look(heap uint64) (left bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	for s, w := range h.scripts {
		if rests := s.rests.Load(); s.resting.Load() > 0 || rests != w.rests {
			w.spent, w.rests = 0, rests
			continue
		}
		w.spent += watchInterval
		if limit := h.bounds.Compute; limit > 0 && w.spent >= limit {
			s.cancel(errCompute(limit))
		}
		if heap > min(h.bounds.Memory, h.bounds.Heap/2) && now.Sub(w.weighed) >= weighShare*time.Duration(s.weighing.Load()) {
			w.weighed = now
			s.weigh.Store(true)
		}
	}
	return len(h.scripts) > 0
}

// retire ends the guard unless a script came meanwhile.
func (h *Host) retire() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.scripts) > 0 {
		return false
	}
	h.watched = false
	return true
}

// endHeaviest ends the script that computes and weighs most.
func (h *Host) endHeaviest() {
	h.mu.Lock()
	defer h.mu.Unlock()
	var heaviest *script
	now := time.Now()
	if since := now.Sub(h.ended); since < 2*watchInterval || since < weighPatience && h.dying() {
		return
	}
	for s, w := range h.scripts {
		if s.resting.Load() == 0 && s.weight.Load() == 0 {
			if w.weighed.IsZero() {
				w.weighed = now
				s.weigh.Store(true)
			}
			if now.Sub(w.weighed) < weighPatience {
				return // its weight comes first
			}
		}
		if s.resting.Load() == 0 && s.ctx.Err() == nil && (heaviest == nil || s.weight.Load() > heaviest.weight.Load()) {
			heaviest = s
		}
	}
	if heaviest != nil {
		h.ended = now
		heaviest.cancel(errHeap)
	}
}

// dying reports whether a script that was ended is still there; h.mu is held.
func (h *Host) dying() bool {
	for s := range h.scripts {
		if s.ctx.Err() != nil {
			return true
		}
	}
	return false
}

// heapSize is the memory in use by objects of the heap, in bytes.
func heapSize() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return sample[0].Value.Uint64()
}

// causeOf is why a context ended.
func causeOf(ctx context.Context) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	return ctx.Err()
}

// log writes what a script says, for the place in the reference's sources that
// its users know.
func (s *script) log(level call.Level, text string) {
	s.logAt(level, "mod_lua.cpp", "lua_parse_and_execute", 216, text)
}

func (s *script) logAt(level call.Level, file, function string, line int, text string) {
	channel, uuid := call.LogPlain, ""
	if s.session != nil && s.session.ch != nil {
		channel, uuid = call.LogSession, s.session.ch.UUID()
	}
	s.host.sw.Log.Write(&call.LogLine{Level: level, Channel: channel, UUID: uuid, File: file, Func: function, Line: line, Text: text})
}
