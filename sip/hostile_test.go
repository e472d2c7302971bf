package sip

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	wire "github.com/emiago/sipgo/sip"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/test/phone"
)

// trap adds the command trap and counts how often it is run.
func (h *house) trap() *atomic.Int32 {
	sprung := new(atomic.Int32)
	h.sw.AddCommands(call.Command{Name: "trap", Run: func(_ context.Context, _ *call.Switch, in *call.Invocation) error {
		sprung.Add(1)
		in.Out.WriteString("sprung")
		return nil
	}})
	return sprung
}

const hostilePlan = `<extension name="hostile"><condition field="destination_number" expression="^hostile">
<action application="set" data="said=${caller_id_name} ${caller_id_number} ${destination_number} ${sip_h_X-Note} ${sip_contact_user} ${channel_name} ${sip_full_from}"/>
<action application="set" data="again=${said}"/>
<action application="answer"/><action application="park"/></condition></extension>`

// What a caller writes into its headers is text: no variable is looked up, and no
// command is run, however often the dialplan uses it.
func TestInvite_WhatCallersSayIsNeverExpanded(t *testing.T) {
	h := newHouse(t, houseOptions{plan: hostilePlan})
	sprung := h.trap()
	a := h.phone("1000", func(o *phone.Options) {
		o.Headers = [][2]string{{"X-Note", `$\{trap()} ${trap()}`}, {"P-Asserted-Identity", `"${trap()}" <sip:%24%7Btrap()%7D@test.local>`}}
	})
	c := must[*phone.Call](t)(a.Call("hostile%24%7Btrap()%7D"))
	e := h.wait("again", func(e *event.Event) bool {
		return e.Type == event.ChannelExecuteComplete && e.Get("Application") == "set" && strings.HasPrefix(e.Get("Application-Data"), "again=")
	})
	if n := sprung.Load(); n != 0 || strings.Contains(e.Get("variable_again"), "sprung") {
		t.Errorf("a caller's words ran a command %d times: %s", n, e.Get("variable_again"))
	}
	if !strings.Contains(e.Get("variable_again"), "%{trap()}") {
		t.Errorf("what the caller said is lost: %s", e.Get("variable_again"))
	}
	ok(t, c.Hangup())
}

// A far end that refers the other one to a dialog which is elsewhere names it in a
// dial string: nothing in it may begin another leg or be expanded.
func TestRefer_ReplacesIsNoDialString(t *testing.T) {
	h := newHouse(t, houseOptions{})
	sprung := h.trap()
	_, in := h.pair()
	for _, replaces := range []string{"a}null/x,[b", "a${trap()};to-tag=1;from-tag=2", "a|null", "a b", `a\,b`} {
		ok(t, in.Refer("<sip:x@127.0.0.1:9?Replaces="+escape(replaces)+">"))
		n := recv(t, in.Notifies())
		if !strings.HasPrefix(string(n.Body()), "SIP/2.0 403") {
			t.Errorf("Replaces %q: %s", replaces, n.Body())
		}
	}
	if n := sprung.Load(); n != 0 {
		t.Errorf("a command was run %d times", n)
	}
	ok(t, in.Hangup())
}

// A contact becomes part of a dial string (sofia_contact).
func TestRegister_ContactIsNoDialString(t *testing.T) {
	h := newHouse(t, houseOptions{})
	for _, contact := range []string{"<sip:1000,null/x@127.0.0.1:9>", "<sip:${trap()}@127.0.0.1:9>", "<sip:a:_:null/x@127.0.0.1:9>",
		"<sip:1000@127.0.0.1:9;x=1,null/y>", "<sip:[a=b]1@127.0.0.1:9>", "<sip:1|null/z@127.0.0.1:9>"} {
		res, err := h.phone("1000").RegisterContact(contact, 60)
		if err != nil {
			continue // not even sent
		}
		// What is left of a contact with a password is harmless.
		if got := h.api("sofia_contact 1000@test.local"); res.StatusCode == 200 && strings.ContainsAny(got, "[,|{") || strings.Contains(got, "null") || strings.Contains(got, "${") {
			t.Errorf("%s: %d, %s", contact, res.StatusCode, got)
		}
	}
}

// A user of whom only the MD5 hash is known has no password that another algorithm
// could be made of, not even an empty one.
func TestRegister_HashOnlyAndAnotherAlgorithm_Refused(t *testing.T) {
	h := newHouse(t, houseOptions{params: `<param name="rfc8760-auth-algorithms" value="SHA-256,MD5"/>`})
	p := h.profile()
	u, err := h.stack.Directory.User(t.Context(), "id", "1002", "test.local", nil)
	ok(t, err)
	c := credentials{username: "1002", realm: "test.local", nonce: "n", uri: "sip:x"}
	for algorithm, want := range map[string]bool{"SHA-256": false, "MD5": true} {
		sha := hashes(algorithm)
		ha1 := sum(sha, "1002", "test.local", "")
		if want {
			ha1 = u.Params.Get("a1-hash")
		}
		c.response = c.expected("REGISTER", ha1, sha)
		if got := p.passwordFits(u, c, "REGISTER", algorithm); got != want {
			t.Errorf("%s: %v", algorithm, got)
		}
	}
}

func TestDigest_TheSameCredentialsTwiceAtOnce_OneIsTaken(t *testing.T) {
	c := newChallenges(time.Minute)
	now := time.Now()
	n := c.issue(now)
	for range 2 { // both are looked at before either is taken
		if err := c.check(n, 1, now); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.spend(n, 1, now); err != nil {
		t.Error(err)
	}
	if c.spend(n, 1, now) == nil {
		t.Error("both were taken")
	}
}

func TestRespond_LineBreaksInTheReason_AreNoHeaders(t *testing.T) {
	h := newHouse(t, houseOptions{plan: `<extension name="reason"><condition field="destination_number" expression="^reason"><action application="respond" data="480 ${destination_number}"/></condition></extension>`})
	c := must[*phone.Call](t)(h.phone("1000").Dial("reason%0d%0aX-Forged:%20yes"))
	recv(t, c.Done())
	if got := header(c.Final(), "X-Forged"); got != "" || c.Final().StatusCode != 480 {
		t.Errorf("%s", c.Final())
	}
}

// One address counts once, however many messages it puts into what is read at once,
// and however many addresses its network has.
func TestLimits_BatchesAndNeighboursCount(t *testing.T) {
	now := time.Now()
	b := newBuckets(1, 2, 100)
	for i, want := range []bool{true, true, false} {
		if b.take(netip.MustParseAddr(fmt.Sprintf("2001:db8:1:2::%x", i+1)), now) != want {
			t.Errorf("neighbour %d: %v", i, !want)
		}
	}
	if !b.take(netip.MustParseAddr("2001:db8:1:3::1"), now) || !b.take(netip.MustParseAddr("192.0.2.1"), now) {
		t.Error("another network is refused")
	}
	h := newHouse(t, houseOptions{limits: Limits{Requests: 0.001, Burst: 20}})
	conn, err := net.Dial("tcp", h.addr().String())
	ok(t, err)
	defer conn.Close()
	one := "OPTIONS sip:x@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bK%d\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: %d\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 9\r\nContent-Length: 0\r\n\r\n"
	var batch strings.Builder
	for i := range 100 {
		fmt.Fprintf(&batch, one, i, i)
	}
	io.WriteString(conn, batch.String()) // which fails if it is closed before the end
	conn.SetDeadline(time.Now().Add(patience))
	got, err := io.ReadAll(conn) // until it is closed
	if n := strings.Count(string(got), "SIP/2.0 200"); n > 20 || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%d of 100 were answered, %v", n, err)
	}
}

// Empty lines in front of a message, which the parser leaves out, do not hide it from
// the limits of a WebSocket.
func TestLimits_EmptyLinesHideNothing(t *testing.T) {
	h := newHouse(t, houseOptions{limits: Limits{Requests: 0.001, Burst: 3}})
	near, far := net.Pipe()
	defer far.Close()
	go func() {
		for range 10 {
			if _, err := io.WriteString(far, "\r\nOPTIONS sip:x@127.0.0.1 SIP/2.0\r\n\r\n"); err != nil {
				return
			}
		}
	}()
	s := &stream{Conn: near, profile: h.profile(), name: "ws", from: netip.MustParseAddr("192.0.2.7")}
	defer near.Close()
	n := 0
	for buf := make([]byte, 1000); n < 10; n++ {
		if _, err := s.Read(buf); err != nil {
			break
		}
	}
	if n != 3 {
		t.Errorf("%d messages were read", n)
	}
}

// A far end's button records only where the profile says into which file, and only
// below the directory that it names.
func TestInfo_RecordOnlyWhereTheProfileSaysSo(t *testing.T) {
	for _, c := range []struct{ params, want string }{
		{"", "Record attempted but no template defined."},
		{`<param name="record-template" value="${sip_h_X-Where}.wav"/><param name="record-path" value="/nowhere"/>`, "leads out of record-path"},
	} {
		h := newHouse(t, houseOptions{params: c.params})
		lines := h.sw.Log.Follow(call.LogErr, 100)
		defer lines.Close()
		p := h.phone("1000", func(o *phone.Options) { o.Headers = [][2]string{{"X-Where", "../../tmp/x"}} })
		a := must[*phone.Call](t)(p.Call("9196"))
		must[*wire.Response](t)(a.Request(wire.INFO, "", "", [2]string{"Record", "on"}))
		for !strings.Contains(recv(t, lines.Lines()).Text, c.want) {
		}
		ok(t, a.Hangup())
	}
}
