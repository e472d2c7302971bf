package sip

import (
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	wire "github.com/emiago/sipgo/sip"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
)

// Packages of events that phones may subscribe to.
const (
	dialogPackage   = "dialog"
	presencePackage = "presence"
	summaryPackage  = "message-summary"
)

// watchOver is the state of a subscription that ended with its time.
const watchOver = "terminated;reason=timeout"

// maxLines bounds how many lines of a room or a parking lot one subscription follows.
const maxLines = 32

// watch is one subscription of a phone to what somebody does: the lamp of a BLF key.
type watch struct {
	profile   *Profile
	pack      string // dialog, presence or message-summary
	event     string // the value of Event
	proto     string // sip, or what stands before the + of an address: conf, park
	user      string // who is watched
	host      string
	account   string // user@host as the phone wrote it
	watcher   string // user@host of the phone
	callID    string
	localTag  string
	remoteTag string
	local     string // From of a NOTIFY
	remote    string // To of a NOTIFY
	source    netip.Addr

	mu        sync.Mutex
	target    *target
	contact   string
	expires   time.Time
	remoteSeq uint32
	seq       uint32 // of the last NOTIFY
	version   int    // of the next document
	ended     bool   // the last NOTIFY was sent, or is on its way
	sending   bool   // a NOTIFY is on its way
	again     bool   // something changed meanwhile
	due       bool   // it was renewed meanwhile: the next NOTIFY is sent even if nothing changed
	refused   bool   // the phone could not take the last NOTIFY
	sent      string // what was told of presence last
	lines     []line // that were told last
	others    []line // of what is no channel, by events
	said      *said
	summary   string // what was said last of the account's messages
}

// said is a state that a program or an application stated by an event.
type said struct {
	rpid, status string
	closed       bool
	uuid         string // of the channel that stated it and with which it ends
}

// watchers are all subscriptions that have to be told of changes. What is told is
// made from the channels and registrations when it is told; events only say that
// something changed.
type watchers struct {
	stack   *Stack
	sources tally

	mu    sync.Mutex
	all   map[string]*watch              // by Call-ID and our tag
	users map[string]map[*watch]struct{} // by who is watched, in lower case
	stop  []func()                       // ends the listening; none while nobody watches
}

func newWatchers(s *Stack) *watchers {
	return &watchers{stack: s, all: map[string]*watch{}, users: map[string]map[*watch]struct{}{}}
}

func watchKey(callID, localTag string) string { return callID + "\x00" + localTag }

// find returns the subscription of a dialog, nil if there is none.
func (ws *watchers) find(callID, localTag string) *watch {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	return ws.all[watchKey(callID, localTag)]
}

// renew begins a subscription, makes it last on, or lets it end with the next NOTIFY
// (zero). It reports false where there are too many.
func (ws *watchers) renew(w *watch, t *target, contact string, last time.Duration) bool {
	if last > 0 && !ws.add(w) {
		return false
	}
	w.mu.Lock()
	w.target, w.contact, w.expires = t, contact, time.Now().Add(last)
	w.mu.Unlock()
	return true
}

// add takes a subscription in, unless it is there already.
func (ws *watchers) add(w *watch) bool {
	limits := ws.stack.Limits
	ws.mu.Lock()
	defer ws.mu.Unlock()
	key := watchKey(w.callID, w.localTag)
	if ws.all[key] == w {
		return true
	}
	if len(ws.all) >= limits.Watches || !ws.sources.enter(w.source, limits.SourceWatches) {
		return false
	}
	ws.all[key] = w
	user := strings.ToLower(w.user)
	if ws.users[user] == nil {
		ws.users[user] = map[*watch]struct{}{}
	}
	ws.users[user][w] = struct{}{}
	if ws.stop == nil {
		bus := ws.stack.Switch.Bus
		ws.stop = []func(){bus.Handle(event.PresenceIn, "", ws.heard), bus.Handle(event.PresenceOut, "", ws.heard)}
	}
	return true
}

// remove forgets a subscription.
func (ws *watchers) remove(w *watch) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	key := watchKey(w.callID, w.localTag)
	if ws.all[key] != w {
		return
	}
	delete(ws.all, key)
	ws.sources.leave(w.source)
	user := strings.ToLower(w.user)
	if delete(ws.users[user], w); len(ws.users[user]) == 0 {
		delete(ws.users, user)
	}
	if len(ws.all) == 0 {
		for _, stop := range ws.stop {
			stop()
		}
		ws.stop = nil
	}
}

// of returns the subscriptions to a user, or all of a profile where user is "".
func (ws *watchers) of(user string, p *Profile) []*watch {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if user != "" {
		return slices.Collect(maps.Keys(ws.users[strings.ToLower(user)]))
	}
	var out []*watch
	for _, w := range ws.all {
		if w.profile == p {
			out = append(out, w)
		}
	}
	return out
}

// heard takes a PRESENCE_IN or PRESENCE_OUT.
func (ws *watchers) heard(e *event.Event) {
	proto := strings.ToLower(e.Get("proto"))
	if proto == "" || proto == "any" {
		proto = "sip"
	}
	user, host := splitAddress(e.Get("from"))
	if user == "" {
		return
	}
	all := slices.DeleteFunc(ws.of(user, nil), func(w *watch) bool { return w.proto != proto || !w.profile.sameHost(w.host, host) })
	if len(all) == 0 {
		return
	}
	channels := ws.channels(user)[strings.ToLower(user)]
	for _, w := range all {
		w.note(e)
		ws.notify(w, false, channels, time.Now())
	}
}

// audit ends what is past its time, and tells what an event that was lost would have
// told of.
func (ws *watchers) audit(p *Profile, now time.Time) {
	all := ws.of("", p)
	if len(all) == 0 {
		return
	}
	channels := ws.channels("")
	for _, w := range all {
		ws.notify(w, false, channels[strings.ToLower(w.user)], now)
	}
}

// drop forgets the subscriptions of a profile that ends.
func (ws *watchers) drop(p *Profile) {
	for _, w := range ws.of("", p) {
		ws.remove(w)
	}
}

// channels are the channels that are told of, by the user of their presence_id in
// lower case: those of one user, or all where it is "".
func (ws *watchers) channels(of string) map[string][]*call.Channel {
	out := map[string][]*call.Channel{}
	for _, ch := range ws.stack.Switch.Channels() {
		id := ch.Vars().Get("presence_id")
		if id == "" {
			continue
		}
		if user, _ := splitAddress(id); of == "" || strings.EqualFold(user, of) {
			user = strings.ToLower(user)
			out[user] = append(out[user], ch)
		}
	}
	return out
}

// tell sends a NOTIFY if what is to be told is not what was told last, or anyway.
func (ws *watchers) tell(w *watch, anyway bool) {
	var mine []*call.Channel
	if w.pack != summaryPackage {
		mine = ws.channels(w.user)[strings.ToLower(w.user)]
	}
	ws.notify(w, anyway, mine, time.Now())
}

// notify sends what is to be told. One NOTIFY at a time is on its way to a phone; what
// changes meanwhile is told when it was answered.
func (ws *watchers) notify(w *watch, anyway bool, channels []*call.Channel, now time.Time) {
	p := w.profile
	w.mu.Lock()
	if w.ended || w.sending {
		w.again, w.due = !w.ended, w.due || anyway
		w.mu.Unlock()
		return
	}
	left := int(w.expires.Sub(now).Round(time.Second).Seconds())
	over := left <= 0
	kind, body, fresh := w.document(channels)
	if !fresh && !anyway && !over {
		w.mu.Unlock()
		return
	}
	w.sending, w.ended, w.seq = true, over, w.seq+1
	w.version++
	state := "active;expires=" + strconv.Itoa(left)
	if over {
		state = watchOver
	}
	n := p.newRequest(wire.NOTIFY, w.target, w.local, w.remote, w.callID, w.seq, 70)
	put(n, field{"Contact", w.contact})
	w.mu.Unlock()
	if over {
		ws.remove(w)
	}
	p.identify(n)
	put(n, field{"Event", w.event}, field{"Allow-Events", p.settings().events()}, field{"Subscription-State", state})
	setBody(n, kind, []byte(body))
	p.transact(n, nil, func(res *wire.Response, err error) { ws.answered(w, res) })
}

// answered goes on after a NOTIFY. A phone that does not know the subscription, or does
// not answer at all, is not told any more (RFC 6665 §4.2.2).
func (ws *watchers) answered(w *watch, res *wire.Response) {
	if res != nil && res.StatusCode < 200 {
		return
	}
	gone := res == nil || res.StatusCode >= 300 && res.StatusCode < 500 || res.StatusCode >= 600
	w.mu.Lock()
	w.sending = false
	w.refused = !gone && res.StatusCode >= 300
	w.ended = w.ended || gone
	again, due := w.again && !w.ended, w.due
	w.again, w.due = false, false
	w.mu.Unlock()
	if gone {
		ws.remove(w)
	} else if again {
		ws.tell(w, due)
	}
}

// follows reports whether a SUBSCRIBE with that CSeq is newer than the last one, and
// keeps it.
func (w *watch) follows(seq uint32) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if seq <= w.remoteSeq {
		return false
	}
	w.remoteSeq = seq
	return true
}

// probe fires PRESENCE_PROBE for a subscription that began or was renewed.
func (p *Profile) probe(w *watch, seconds int) {
	if w.pack == summaryPackage || !p.stack.Switch.Bus.Wanted(event.PresenceProbe, "") {
		return
	}
	e := event.New(event.PresenceProbe, "")
	to := w.user + "@" + w.host
	if w.proto != "sip" {
		to = w.proto + "+" + to
	} else if w.pack == dialogPackage {
		e.Add("probe-type", "dialog")
	}
	for _, f := range []field{{"proto", w.proto}, {"login", p.name}, {"sip_profile", p.name}, {"from", w.watcher}, {"to", to},
		{"event_type", "presence"}, {"alt_event_type", "dialog"}, {"proto-specific-event-name", w.event},
		{"expires", strconv.Itoa(seconds)}, {"sub-call-id", w.callID}} {
		e.Add(f.name, f.value)
	}
	p.publish(e)
}

// size is the number of subscriptions.
func (ws *watchers) size() int {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	return len(ws.all)
}
