package webrtc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/conference"
	"github.com/switchlet/switchlet/conf"
)

// withRooms gives a box conferences.
func (b *box) withRooms() {
	b.t.Helper()
	store, err := conf.NewStore(context.Background(), conf.Options{Base: fstest.MapFS{"freeswitch.xml": {Data: []byte(`<document type="freeswitch/xml"><section name="configuration">
<configuration name="conference.conf"><profiles><profile name="default"><param name="rate" value="48000"/></profile></profiles></configuration></section></document>`)}}})
	must(b.t, err)
	rooms := conference.New(conference.Options{Switch: b.sw, Store: store,
		Dial: func(context.Context, *call.Switch, string, conference.DialOptions) (*call.Channel, error) {
			return nil, errors.New("nobody is called")
		}})
	b.t.Cleanup(rooms.Close)
	b.sw.AddApplications(rooms.Applications()...)
	b.sw.AddCommands(rooms.Commands()...)
}

// member is who is in a conference with that channel: its number, 0 if there is none,
// and whether the others hear it.
func (b *box) member(uuid string) (id int, speaks bool) {
	b.t.Helper()
	out, ok := b.sw.Run(context.Background(), "conference", "json_list", nil, nil)
	var list []struct {
		Members []struct {
			UUID  string
			ID    int
			Flags struct {
				Speaks bool `json:"can_speak"`
			}
		}
	}
	if err := json.Unmarshal([]byte(out), &list); ok != nil || err != nil {
		b.t.Fatalf("%v, %v: %s", ok, err, out)
	}
	for _, room := range list {
		for _, m := range room.Members {
			if m.UUID == uuid {
				return m.ID, m.Flags.Speaks
			}
		}
	}
	return 0, false
}

// A moderator's commands reach his conference whatever it is called, and no other whose
// name is a part of it.
func TestConference_ModeratorOfANameOfSeveralWords(t *testing.T) {
	for _, tt := range []struct {
		room, other string
		refused     bool
	}{
		{room: "my room", other: "my"},
		{room: "it's", other: "its"},
		{room: "it's mine", other: "it's"},
		{room: "'a' b", other: "a"},
		{room: `say "x" twice`, other: "say"},
		{room: `'x'`, other: "x"},
		{room: `it's "x"`, other: "it's", refused: true},
	} {
		t.Run(tt.room, func(t *testing.T) {
			b := newBox(t, nil)
			b.withRooms()
			p := b.login("1000", "secret", "s1")
			for uuid, room := range map[string]string{"mine": tt.room, "other": tt.other} {
				c, _ := b.dials(p, uuid, "park")
				must(t, c.PostExecute("conference", room+"+flags{moderator}", false))
				until(t, "a member of "+room, func() bool { id, speaks := b.member(uuid); return id > 0 && speaks })
			}
			var channel string
			until(t, "a moderator's rights", func() bool {
				b.s.mu.Lock()
				if r := b.s.rooms[tt.room]; r != nil {
					channel = r.channel("mod")
				}
				b.s.mu.Unlock()
				return channel != "" && slices.Contains(b.s.online("s1").granted(), channel)
			})
			p.result("verto.subscribe", fields{"eventChannel": []any{channel}})
			mine, _ := b.member("mine")
			p.result("verto.broadcast", fields{"eventChannel": channel, "data": fields{
				"application": "conf-control", "command": "mute", "id": fmt.Sprint(mine), "value": ""}})
			var answer map[string]any
			for answer["action"] != "response" {
				answer, _ = p.next("verto.event")["data"].(map[string]any)
			}
			want := fields{"action": "response", "conf-command": fmt.Sprintf("%s mute %d", tt.room, mine), "response": fmt.Sprintf("+OK mute %d\n", mine)}
			if tt.refused {
				want = fields{"action": "response", "error": "Invalid Command"}
			}
			if fmt.Sprint(answer) != fmt.Sprint(want) {
				t.Errorf("%v, want %v", answer, want)
			}
			if _, speaks := b.member("mine"); speaks != tt.refused {
				t.Errorf("the member of %s speaks: %v", tt.room, speaks)
			}
			if _, speaks := b.member("other"); !speaks {
				t.Errorf("the member of %s was muted", tt.other)
			}
		})
	}
}
