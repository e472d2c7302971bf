package event

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Origin is what the common headers say about the switch.
type Origin struct {
	CoreUUID   string // of this run of the process
	Hostname   string
	Switchname string // the host's name unless configured
	IPv4, IPv6 string // guessed local addresses
}

// Bus carries events from those who publish to those who subscribed. All its
// methods may be used by many goroutines at once.
//
// One lock orders publishing, so every subscriber sees events in the order of
// their publication. What is wanted by whom is looked up in a table that is
// replaced as a whole when a subscription changes, and is read without a lock.
type Bus struct {
	origin   func() Origin
	now      func() time.Time
	sequence atomic.Uint64
	wanted   atomic.Pointer[demand]
	date     atomic.Pointer[date] // of the last event

	mu       sync.Mutex
	subs     []*Subscription
	closed   bool
	handlers sync.WaitGroup
}

// demand says which events have a taker.
type demand struct {
	types  [len(types)]bool
	custom map[string]bool // subclasses in lower case
	all    bool            // CUSTOM of every subclass
}

// NewBus makes a bus. origin is asked for each event and must be cheap; now is
// the clock of the date headers. Nil stands for an empty origin and time.Now.
func NewBus(origin func() Origin, now func() time.Time) *Bus {
	if origin == nil {
		origin = func() Origin { return Origin{} }
	}
	if now == nil {
		now = time.Now
	}
	b := &Bus{origin: origin, now: now}
	b.wanted.Store(&demand{})
	return b
}

// Wanted reports whether anyone listens to that event, so that the caller can
// leave an event unbuilt. It takes no lock and does not allocate.
func (b *Bus) Wanted(t Type, subclass string) bool {
	d := b.wanted.Load()
	if t == Custom {
		return d.all || len(d.custom) > 0 && (subclass == "" || d.custom[strings.ToLower(subclass)])
	}
	i := t.Index()
	return i >= 0 && d.types[i]
}

// Publish stamps the event with the common headers and gives it to everyone who
// wants it. It never blocks on a subscriber. The event must not be changed
// afterwards. file, function and line tell where it comes from.
func (b *Bus) Publish(e *Event, file, function string, line int) {
	b.Stamp(e, file, function, line)
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.subs {
		s.offer(e)
	}
}

// Stamp puts the common headers in front of the event's own and takes a sequence
// number for it. An event that is stamped again gets the new values. A CUSTOM
// event has its subclass as the first header of all.
func (b *Bus) Stamp(e *Event, file, function string, line int) {
	var common [len(commonNames)]Header
	headers := common[:0]
	add := func(name, value string) {
		if value != "" {
			headers = append(headers, Header{Name: name, Value: value})
		}
	}
	o, now := b.origin(), b.now()
	if e.Type == Custom {
		add(commonNames[0], e.Subclass)
	}
	add(commonNames[1], string(e.Type))
	add(commonNames[2], o.CoreUUID)
	add(commonNames[3], o.Hostname)
	add(commonNames[4], o.Switchname)
	add(commonNames[5], o.IPv4)
	add(commonNames[6], o.IPv6)
	d := b.dateOf(now)
	add(commonNames[7], d.local)
	add(commonNames[8], d.gmt)
	add(commonNames[9], strconv.FormatInt(now.UnixMicro(), 10))
	add(commonNames[10], file)
	add(commonNames[11], function)
	add(commonNames[12], strconv.Itoa(line))
	add(commonNames[13], strconv.FormatUint(b.sequence.Add(1), 10))
	own := e.Headers
	if n := len(headers); cap(own)-len(own) >= n && !slices.ContainsFunc(own, func(h Header) bool { return isCommon(h.Name) }) {
		// It was never stamped, so nobody reads it yet.
		e.Headers = own[:len(own)+n]
		copy(e.Headers[n:], own)
		copy(e.Headers, headers)
		return
	}
	e.Headers = append(make([]Header, 0, len(headers)+len(own)), headers...)
	for i := range own {
		if !isCommon(own[i].Name) {
			e.Headers = append(e.Headers, own[i])
		}
	}
}

// date is a second as headers show it.
type date struct {
	second     int64
	zone       *time.Location
	local, gmt string
}

// dateOf writes the texts of a second once.
func (b *Bus) dateOf(now time.Time) *date {
	if d := b.date.Load(); d != nil && d.second == now.Unix() && d.zone == now.Location() {
		return d
	}
	d := &date{now.Unix(), now.Location(), now.Format("2006-01-02 15:04:05"), now.UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT")}
	b.date.Store(d)
	return d
}

// isCommon reports whether the bus writes headers of that name itself.
func isCommon(name string) bool {
	if len(name) == 0 || name[0]|0x20 != 'e' && name[0]|0x20 != 'c' && name[0]|0x20 != 'f' {
		return false
	}
	for _, common := range commonNames {
		if len(common) == len(name) && strings.EqualFold(common, name) {
			return true
		}
	}
	return false
}

// commonNames are the headers that stand first in every event, in their order
// (spec/esl.md §4.2).
var commonNames = [...]string{
	"Event-Subclass",
	"Event-Name",
	"Core-UUID",
	"FreeSWITCH-Hostname",
	"FreeSWITCH-Switchname",
	"FreeSWITCH-IPv4",
	"FreeSWITCH-IPv6",
	"Event-Date-Local",
	"Event-Date-GMT",
	"Event-Date-Timestamp",
	"Event-Calling-File",
	"Event-Calling-Function",
	"Event-Calling-Line-Number",
	"Event-Sequence",
}

// Subscribe makes a subscription that wants nothing yet. queue is the most
// events that wait in it (at least 1); name says whose it is.
func (b *Bus) Subscribe(name string, queue int) *Subscription {
	s := &Subscription{bus: b, name: name, queue: make(chan *Event, max(queue, 1)), done: make(chan struct{})}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		s.end()
		return s
	}
	b.subs = append(b.subs, s)
	return s
}

// handlerQueue is how many events may wait for a handler: about a second of the
// busiest switch.
const handlerQueue = 4096

// Handle calls fn for every such event, one after the other and in order, in a
// goroutine of the bus. Type All takes every event; a subclass matters to
// CUSTOM only and empty stands for all of them. When fn is so slow that its
// queue fills up, the newest events are lost. cancel ends the delivery; it does
// not wait for a call of fn that is under way, so fn may call it.
func (b *Bus) Handle(t Type, subclass string, fn func(*Event)) (cancel func()) {
	s := b.Subscribe("handler "+string(t), handlerQueue)
	switch {
	case t == All:
		s.ListenAll()
	case t == Custom && subclass != "":
		s.ListenCustom(subclass)
	default:
		s.Listen(t)
	}
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return func() {}
	}
	b.handlers.Add(1)
	b.mu.Unlock()
	go func() {
		defer b.handlers.Done()
		for {
			select {
			case <-s.done:
				return
			case e := <-s.queue:
				if s.ended.Load() {
					return
				}
				fn(e)
			}
		}
	}()
	return s.Close
}

// Close ends every subscription and waits for the handlers to return. It must
// not be called from a handler. What is published afterwards goes nowhere.
func (b *Bus) Close() {
	b.mu.Lock()
	b.closed = true
	for _, s := range b.subs {
		s.end()
	}
	b.subs = nil
	b.wanted.Store(&demand{})
	b.mu.Unlock()
	b.handlers.Wait()
}

// refresh makes the table of wanted events anew; the lock is held.
func (b *Bus) refresh() {
	d := &demand{custom: map[string]bool{}}
	for _, s := range b.subs {
		if s.all {
			d.all = true
			for i := range d.types {
				d.types[i] = true
			}
		}
		for i, on := range s.types {
			d.types[i] = d.types[i] || on
		}
		for subclass := range s.custom {
			d.custom[subclass] = true
		}
	}
	d.all = d.all || d.types[Custom.Index()]
	b.wanted.Store(d)
}
