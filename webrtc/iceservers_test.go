package webrtc

import (
	"strings"
	"testing"
	"time"
)

// Whoever signs in is told which STUN and TURN servers to use, and nobody else is.
func TestLogin_TellsICEServers(t *testing.T) {
	const params = `<param name="ice-server" value="stun:stun.example:3478"/><param name="ice-server" value="turn:turn.example?transport=tcp"/>
<param name="ice-server" value="http://wrong.example"/>`
	for name, c := range map[string]struct {
		params string
		turn   bool
	}{
		"a name and a password": {params + `<param name="turn-username" value="u"/><param name="turn-password" value="p"/>`, true},
		"a secret":              {params + `<param name="turn-secret" value="north"/>`, true},
		"nothing to show":       {params, false},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t, func(tree string) string {
				return strings.Replace(tree, `<param name="userauth"`, c.params+`<param name="userauth"`, 1)
			})
			p := b.open()
			if e := p.refused("login", fields{"login": "1000", "passwd": "wrong"}, "Authentication Failure"); e["iceServers"] != nil {
				t.Errorf("a stranger is told %v", e)
			}
			list, _ := p.result("login", fields{"login": "1000", "passwd": "secret"})["iceServers"].([]any)
			want := 1
			if c.turn {
				want = 2
			}
			if len(list) != want {
				t.Fatalf("told %v, want %d servers", list, want)
			}
			if urls, _ := list[0].(map[string]any)["urls"].([]any); len(urls) != 1 || urls[0] != "stun:stun.example:3478" {
				t.Errorf("first %v", list[0])
			}
			if !c.turn {
				return
			}
			turn := list[1].(map[string]any)
			if name == "a secret" {
				if until, user, _ := strings.Cut(turn["username"].(string), ":"); user != "1000@test" || len(until) != 10 || len(turn["credential"].(string)) != 28 {
					t.Errorf("%v", turn)
				}
			} else if turn["username"] != "u" || turn["credential"] != "p" {
				t.Errorf("%v", turn)
			}
		})
	}
}

// The password is what coturn computes of the same secret:
// printf '1433895918:mike' | openssl dgst -sha1 -hmac north -binary | base64
func TestTURNPassword(t *testing.T) {
	name, password := turnPassword("north", "mike", time.Unix(1433895918, 0))
	if name != "1433895918:mike" || password != "bS4R7BAXXGqQNp6AfBgru5X6ngM=" {
		t.Errorf("%s %s", name, password)
	}
}
