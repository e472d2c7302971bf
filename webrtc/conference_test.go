package webrtc

import (
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/switchlet/switchlet/call/event"
)

// inRoom is what a conference tells of one of its members.
func inRoom(action, uuid, id, kind string) *event.Event {
	e := event.New(event.Custom, conferenceEvents)
	for _, h := range [][2]string{{"Conference-Name", "3000"}, {"Conference-Domain", "test"}, {"Unique-ID", uuid}, {"Member-ID", id},
		{"Member-Type", kind}, {"Speak", "true"}, {"Hear", "true"}, {"Action", action}} {
		e.Add(h[0], h[1])
	}
	return e
}

// granted lists the channels that a socket may use because of a room.
func (k *socket) granted() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	var list []string
	for name := range k.sanction {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}

// beside runs two functions at once and waits for both.
func beside(one, other func()) {
	var both sync.WaitGroup
	both.Go(one)
	both.Go(other)
	both.Wait()
}

// A page with two calls in a room keeps the rights of the one that stays.
func TestConference_SecondCallOfAPageKeepsItsRights(t *testing.T) {
	b := newBox(t, nil)
	p := b.login("1000", "secret", "s1")
	b.dials(p, "one", "park")
	b.dials(p, "two", "park")
	k := b.s.online("s1")
	for _, c := range []struct {
		action, uuid, kind string
		want               string
	}{
		{"add-member", "one", "moderator", "chat info liveArray mod"}, {"add-member", "two", "member", "chat info liveArray mod"},
		{"del-member", "one", "moderator", "chat info liveArray"}, {"del-member", "two", "member", ""},
	} {
		b.s.conferenceEvent(inRoom(c.action, c.uuid, c.uuid[:1], c.kind))
		var got []string
		for _, name := range k.granted() {
			kind, room, _ := strings.Cut(strings.TrimPrefix(name, "conference-"), ".")
			if room != "3000@test" {
				t.Errorf("%s", name)
			}
			got = append(got, kind)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s %s: %v, want %s", c.action, c.uuid, got, c.want)
		}
	}
}

// A page whose call leaves while it is told that the call is there has no rights left.
func TestConference_LeavingBesideRejoining(t *testing.T) {
	b := newBox(t, nil)
	p := b.login("1000", "secret", "s1")
	b.dials(p, "m", "park")
	k := b.s.online("s1")
	l := k.mine("m")
	go func() { // what the page is told is not of interest
		for range p.in {
		}
	}()
	for i := range 500 {
		b.s.conferenceEvent(inRoom("add-member", "m", "1", "moderator"))
		beside(func() { b.s.rejoined(l) }, func() { b.s.conferenceEvent(inRoom("del-member", "m", "1", "moderator")) })
		if list := k.granted(); len(list) > 0 {
			t.Fatalf("after %d rounds: %v", i, list)
		}
	}
}

// The list of a room that a page gets has nobody in it of whom it was told before that
// he is gone.
func TestConference_ListComesBeforeItsChanges(t *testing.T) {
	b := newBox(t, nil)
	k := &socket{server: b.s, out: outbox{wake: make(chan struct{}, 1)}, subs: map[string]int64{"conference-liveArray.3000@test": 0}, sanction: map[string]bool{}}
	const la = "conference-liveArray.3000@test"
	b.s.listenTo(k, la)
	defer b.s.unlisten(k, la)
	for i := range 5000 {
		b.s.conferenceEvent(inRoom("add-member", "m", "1", "member"))
		b.s.mu.Lock()
		r := b.s.rooms["3000"]
		b.s.mu.Unlock()
		k.out.take()
		beside(func() { b.s.bootstrap(k, r, la, params{"command": "bootstrap", "context": la, "name": "3000"}) },
			func() { b.s.conferenceEvent(inRoom("del-member", "m", "1", "member")) })
		list, _ := k.out.take()
		gone := false
		for _, text := range list {
			var m struct {
				Params struct {
					Data struct {
						Action string
						Data   json.RawMessage
					}
				}
			}
			must(t, json.Unmarshal(text, &m))
			switch d := m.Params.Data; d.Action {
			case "del":
				gone = true
			case "bootObj":
				if gone && string(d.Data) != "[]" {
					t.Fatalf("after %d rounds: %s", i, text)
				}
			}
		}
	}
}
