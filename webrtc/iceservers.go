package webrtc

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/pion/stun/v4"

	"github.com/switchlet/switchlet/conf"
)

const (
	maxICEServers = 16
	// turnFor is how long a password made of turn-secret is good: longer than
	// anybody stays signed in without a reload.
	turnFor = 24 * time.Hour
)

// iceServers are the STUN and TURN servers that browsers of a profile are told to
// use: our own parameters ice-server, turn-username, turn-password, turn-secret.
type iceServers struct {
	stun, turn         []string // URLs
	username, password string   // of turn
	secret             string   // of which passwords are made instead (TURN REST API)
}

// readICEServers reads a profile's parameters. What cannot be used is told and left
// out.
func readICEServers(p conf.ParamList, say func(format string, args ...any)) iceServers {
	s := iceServers{username: p.Get("turn-username"), password: p.Get("turn-password"), secret: p.Get("turn-secret")}
	for _, url := range p.All("ice-server") {
		u, err := stun.ParseURI(url)
		switch {
		case err != nil:
			say("ice-server %q: %v; write stun:HOST, turn:HOST or turns:HOST, with :PORT and ?transport=tcp where they are needed", url, err)
			continue
		case len(s.stun)+len(s.turn) == maxICEServers:
			say("more than %d ice-server", maxICEServers)
			return s
		}
		if u.Scheme == stun.SchemeTypeTURN || u.Scheme == stun.SchemeTypeTURNS {
			s.turn = append(s.turn, url)
		} else {
			s.stun = append(s.stun, url)
		}
	}
	if len(s.turn) > 0 && s.secret == "" && (s.username == "" || s.password == "") {
		say("a TURN server wants turn-username and turn-password, or turn-secret; browsers are not told of it")
		s.turn = nil
	}
	return s
}

// object is what a browser gives RTCPeerConnection as iceServers; nil without any.
func (s *iceServers) object(user string, now time.Time) []any {
	var list []any
	if len(s.stun) > 0 {
		list = append(list, object{{"urls", s.stun}})
	}
	if len(s.turn) == 0 {
		return list
	}
	name, password := s.username, s.password
	if s.secret != "" {
		name, password = turnPassword(s.secret, user, now.Add(turnFor))
	}
	return append(list, object{{"urls", s.turn}, {"username", name}, {"credential", password}})
}

// turnPassword makes a name and a password that a TURN server with the same secret
// accepts until a time (draft-uberti-behave-turn-rest; coturn's static-auth-secret).
func turnPassword(secret, user string, until time.Time) (name, password string) {
	name = strconv.FormatInt(until.Unix(), 10)
	if user != "" {
		name = fmt.Sprintf("%s:%s", name, strings.ReplaceAll(user, ":", "_"))
	}
	mac := hmac.New(sha1.New, []byte(secret))
	mac.Write([]byte(name))
	return name, base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
