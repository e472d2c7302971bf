package webrtc

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// listed are the names and numbers in a list of a room's description.
func listed(data map[string]any, list string) string {
	var out []string
	all, _ := data[list].([]any)
	for _, u := range all {
		m, _ := u.(map[string]any)
		out = append(out, fmt.Sprint(m["entity"], " ", m["displayText"], " ", m["status"], " ", m["memberId"]))
	}
	return strings.Join(out, ", ")
}

// Who may is told who is in a room: when he asks, and then with each change.
func TestConference_DescriptionOfARoom(t *testing.T) {
	b := newBox(t, func(tree string) string {
		return strings.Replace(tree, `value="demo,presence"`, `value="demo,conference"`, 1)
	})
	p, other := b.login("1000", "secret", "s1"), b.login("1002", "json", "s2")
	b.dials(p, "one", "park")
	joins := func(action, uuid, id, name string) {
		e := inRoom(action, uuid, id, "member")
		e.Add("Caller-Caller-ID-Name", name)
		e.Add("Caller-Caller-ID-Number", "100"+id)
		b.s.conferenceEvent(e)
	}
	ask := func(channel string, data fields) map[string]any {
		t.Helper()
		other.result("verto.broadcast", fields{"eventChannel": channel, "data": data, "localBroadcast": true, "mine": 7})
		e := other.next("verto.event")
		if e["eventChannel"] != channel || e["sessid"] != "s2" || e["userid"] != "1002@test" || e["mine"] != 7.0 || e["subscribedChannel"] != nil {
			t.Errorf("%s: %v", channel, e)
		}
		about, _ := e["data"].(map[string]any)
		if about["action"] != "conferenceDescription" {
			t.Errorf("%s: %v", channel, about)
		}
		return about
	}
	inactive := func(channel string) {
		t.Helper()
		if about := ask(channel, fields{"action": "bootstrap"}); about["conferenceState"] != "inactive" || len(about["users"].([]any))+len(about["oldUsers"].([]any)) != 0 || len(about) != 5 {
			t.Errorf("%s: %v", channel, about)
		}
	}
	inactive("conference.3000@test")
	b.sw.Find("one").Set("json_team", "red")
	joins("add-member", "one", "1", "Alice")
	joins("add-member", "two", "2", "Bob")
	before := time.Now()
	about := ask("conference.3000@TEST", fields{"action": "Bootstrap"})
	if about["entity"] != "3000@test" || about["conferenceDescription"] != roomTitle || about["conferenceState"] != "active" || about["userCount"] != "2" ||
		listed(about, "users") != "1001@test Alice connected 1, 1002@test Bob connected 2" || listed(about, "oldUsers") != "" {
		t.Errorf("%v", about)
	}
	alice := about["users"].([]any)[0].(map[string]any)
	if at, err := time.Parse(joinFormat, alice["joinTime"].(string)); err != nil || before.Sub(at) > time.Hour || at.After(before.Add(time.Second)) {
		t.Errorf("joined at %v, %v", alice["joinTime"], err)
	}
	if fmt.Sprint(alice["variables"]) != "map[json_team:red]" || alice["rtpAudioDirection"] != "sendrecv" {
		t.Errorf("%v", alice)
	}
	inactive("conference.3000@elsewhere")
	inactive("conference.3001")
	inactive("conference")
	if about := ask("conference.3000", fields{"action": "other"}); about["error"] != "Invalid action" || about["users"] != nil {
		t.Errorf("another action: %v", about)
	}
	p.result("verto.subscribe", fields{"eventChannel": "conference.3000@test"})
	joins("del-member", "two", "2", "Bob")
	for {
		e := p.next("verto.event")
		if e["subscribedChannel"] != "conference.3000@test" {
			continue
		}
		about, _ := e["data"].(map[string]any)
		if about["userCount"] != "1" || listed(about, "users") != "1001@test Alice connected 1" || listed(about, "oldUsers") != "1002@test Bob disconnected 2" || about["action"] != nil {
			t.Errorf("%v", about)
		}
		break
	}
	p.result("verto.unsubscribe", fields{"eventChannel": "conference.3000@test"})
	for i := range maxLeft + 5 {
		id := fmt.Sprint(i + 3)
		joins("add-member", "x"+id, id, "Eve")
		joins("del-member", "x"+id, id, "Eve")
	}
	b.s.mu.Lock()
	defer b.s.mu.Unlock()
	if left := b.s.rooms["3000"].left; len(left) != maxLeft || left[maxLeft-1].id != maxLeft+7 {
		t.Errorf("%d who have left are kept", len(left))
	}
}

// Without leave nobody is told who is in a room.
func TestConference_NoDescriptionWithoutLeave(t *testing.T) {
	b := newBox(t, nil)
	p := b.login("1000", "secret", "s1")
	b.s.conferenceEvent(inRoom("add-member", "two", "2", "member"))
	if r := p.result("verto.broadcast", fields{"eventChannel": "conference.3000@test", "data": fields{"action": "bootstrap"}}); r["message"] != "Permission Denied." {
		t.Errorf("%v", r)
	}
	for status, want := range map[memberStatus]string{{}: "sendrecv", {muted: true}: "recvonly", {held: true}: "sendonly", {held: true, muted: true}: "inactive"} {
		if got := status.flow(); got != want {
			t.Errorf("%+v: %s", status, got)
		}
	}
}
