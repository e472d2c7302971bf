package sip

import (
	"net"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	wire "github.com/emiago/sipgo/sip"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/test/phone"
)

// callee is a far end that says what the test lets it say, and nothing else.
type callee struct {
	t      *testing.T
	conn   *net.UDPConn
	peer   net.Addr
	invite *wire.Request
	seen   map[string]bool // by method and branch: requests that came
}

// callee makes one that the phone calls, and returns it with the INVITE received.
func (h *house) callee(caller *phone.Phone) (*phone.Call, *callee) {
	h.t.Helper()
	return h.calleeBy(caller, "77")
}

// calleeBy does so by the extension of the dialplan that a prefix of its port names.
func (h *house) calleeBy(caller *phone.Phone, prefix string) (*phone.Call, *callee) {
	h.t.Helper()
	conn := must[*net.UDPConn](h.t)(net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}))
	h.t.Cleanup(func() { conn.Close() })
	c := &callee{t: h.t.(*testing.T), conn: conn, seen: map[string]bool{}}
	out := must[*phone.Call](h.t)(caller.Dial(prefix + strconv.Itoa(conn.LocalAddr().(*net.UDPAddr).Port)))
	c.invite = c.next(wire.INVITE)
	return out, c
}

// read is the next message.
func (c *callee) read() wire.Message {
	c.t.Helper()
	buf := make([]byte, maxDatagram)
	c.conn.SetReadDeadline(time.Now().Add(patience))
	n, from, err := c.conn.ReadFrom(buf)
	if err != nil {
		c.t.Fatal(err)
	}
	c.peer = from
	return must[wire.Message](c.t)(wire.NewParser().ParseSIP(buf[:n]))
}

// next is the next request with that method; others are passed over, and those that
// come again, but an ACK, which has to.
func (c *callee) next(method wire.RequestMethod) *wire.Request {
	c.t.Helper()
	for {
		r, ok := c.read().(*wire.Request)
		if !ok || r.Method != method {
			continue
		}
		if key := string(method) + param(r.Via().Params, "branch"); method == wire.ACK || !c.seen[key] {
			c.seen[key] = true
			return r
		}
	}
}

// response is one to a request, of the fork with that tag.
func (c *callee) response(req *wire.Request, status int, fork, body string, headers ...string) string {
	res := wire.NewResponseFromRequest(req, status, "As Told", nil)
	res.To().Params.Add("tag", fork)
	res.RemoveHeader("Content-Length")
	res.AppendHeader(wire.NewHeader("Contact", "<sip:"+fork+"@"+c.conn.LocalAddr().String()+">"))
	for i := 0; i+1 < len(headers); i += 2 {
		res.AppendHeader(wire.NewHeader(headers[i], headers[i+1]))
	}
	if body != "" {
		res.AppendHeader(wire.NewHeader("Content-Type", "application/sdp"))
	}
	res.SetBody([]byte(body))
	return res.String()
}

// ask sends a request inside the dialog of that fork and returns the final response;
// what else comes meanwhile is passed over.
func (c *callee) ask(method wire.RequestMethod, seq int, fork, body string) *wire.Response {
	c.t.Helper()
	r := wire.NewRequest(method, c.invite.Contact().Address)
	r.AppendHeader(wire.NewHeader("Via", "SIP/2.0/UDP "+c.conn.LocalAddr().String()+";branch=z9hG4bK"+fork+strconv.Itoa(seq)))
	r.AppendHeader(wire.NewHeader("From", c.invite.To().Value()+";tag="+fork))
	r.AppendHeader(wire.NewHeader("To", c.invite.From().Value()))
	r.AppendHeader(wire.NewHeader("Call-ID", c.invite.CallID().Value()))
	r.AppendHeader(wire.NewHeader("CSeq", strconv.Itoa(seq)+" "+string(method)))
	r.AppendHeader(wire.NewHeader("Max-Forwards", "70"))
	r.AppendHeader(wire.NewHeader("Contact", "<sip:"+fork+"@"+c.conn.LocalAddr().String()+">"))
	r.AppendHeader(wire.NewHeader("Content-Type", "application/sdp"))
	r.SetBody([]byte(body))
	c.say(r.String())
	for {
		if res, ok := c.read().(*wire.Response); ok && res.StatusCode >= 200 && res.CSeq().SeqNo == uint32(seq) {
			return res
		}
	}
}

func (c *callee) say(message string) {
	c.t.Helper()
	if _, err := c.conn.WriteTo([]byte(message), c.peer); err != nil {
		c.t.Fatal(err)
	}
}

// answers takes the call, with further headers, and waits until the caller is answered and
// the ACK is here.
func (c *callee) answers(out *phone.Call, headers ...string) {
	c.t.Helper()
	c.say(c.response(c.invite, 200, "a", description(4000), headers...))
	ok(c.t, out.WaitAnswer())
	c.next(wire.ACK)
}

// leftBy has the caller hang up and answers the BYE.
func (c *callee) leftBy(out *phone.Call) {
	c.t.Helper()
	ok(c.t, out.Hangup())
	c.say(c.response(c.next(wire.BYE), 200, "a", ""))
}

func without(message, header string) string {
	var lines []string
	for line := range strings.SplitSeq(message, "\r\n") {
		if !strings.HasPrefix(line, header+":") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\r\n")
}

// description is SDP of PCMU at a port.
func description(port int) string {
	return "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio " + strconv.Itoa(port) + " RTP/AVP 0\r\n"
}

// A response without a header that all must have is passed over, whenever it comes.
func TestOutbound_ResponseWithoutTo_IsPassedOver(t *testing.T) {
	h := newHouse(t, houseOptions{})
	out, far := h.callee(h.phone("1000"))
	for _, name := range []string{"To", "From", "Call-ID"} {
		far.say(without(far.response(far.invite, 180, "a", ""), name))
	}
	far.say(far.response(far.invite, 180, "a", ""))
	recv(t, out.Ringing())
	far.answers(out)
	far.say(without(far.response(far.invite, 200, "a", description(4000)), "To"))
	far.say(far.response(far.invite, 200, "a", description(4000)))
	far.next(wire.ACK)
	far.leftBy(out)
	h.nothingLeft()
}

// allAnswered waits until no request is on its way any more.
func (h *house) allAnswered() {
	h.t.Helper()
	buf := make([]byte, 1<<20)
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		n := strings.Count(string(buf[:runtime.Stack(buf, true)]), "sip.(*Profile).transact.func1(")
		if n == 0 {
			return
		}
		if time.Now().After(deadline) {
			h.t.Fatalf("%d requests are on their way", n)
		}
	}
}

const impatient = `<param name="timer-T1X64" value="2000"/>`

// A phone that is switched off while it rings says nothing to CANCEL, others only 200.
func TestOutbound_CancelledAndNoFinalResponse_Forgotten(t *testing.T) {
	for _, silent := range []bool{true, false} {
		h := newHouse(t, houseOptions{params: impatient})
		out, far := h.callee(h.phone("1000"))
		far.say(far.response(far.invite, 180, "a", ""))
		recv(t, out.Ringing())
		out.Cancel()
		cancel := far.next(wire.CANCEL)
		if !silent {
			far.say(far.response(cancel, 200, "a", ""))
		}
		h.nothingLeft()
		h.allAnswered()
	}
}

func TestReinvite_NoFinalResponse_CallEndsAndIsForgotten(t *testing.T) {
	h := newHouse(t, houseOptions{params: impatient})
	out, far := h.callee(h.phone("1000"))
	far.answers(out)
	ch := h.outbound()
	held := make(chan error, 1)
	go func() {
		_, err := ch.HoldFar(t.Context(), true)
		held <- err
	}()
	far.say(far.response(far.next(wire.INVITE), 183, "a", ""))
	if recv(t, held) == nil {
		t.Error("the hold went well")
	}
	bye := far.next(wire.BYE)
	far.say(far.response(bye, 200, "a", ""))
	h.nothingLeft()
	h.allAnswered()
}

// outbound is the leg that the switch called.
func (h *house) outbound() *call.Channel {
	h.t.Helper()
	for _, ch := range h.sw.Channels() {
		if ch.Outbound() {
			return ch
		}
	}
	h.t.Fatal("nobody was called")
	return nil
}

// A far end that answers at once is heard when the call's own beginning was told of.
func TestDial_AnsweredAtOnce_EventsKeepTheirOrder(t *testing.T) {
	h := newHouse(t, houseOptions{})
	h.stack.beginLimit = patience
	conn := must[*net.UDPConn](t)(net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}))
	defer conn.Close()
	far := &callee{t: t, conn: conn, seen: map[string]bool{}}
	ch := must[*call.Channel](t)(h.stack.Endpoint().Dial(t.Context(), h.sw, &call.DialRequest{Vars: call.NewVars(), Data: "internal/far@" + conn.LocalAddr().String()}))
	ch.AfterInit(func() {
		far.say(far.response(far.next(wire.INVITE), 180, "a", ""))
		// As if the goroutine had to wait for a processor.
		for limit := time.Now().Add(100 * time.Millisecond); !ch.Ringing() && time.Now().Before(limit); time.Sleep(time.Millisecond) {
		}
	})
	ch.Start()
	h.waitType(event.ChannelProgress)
	ch.Hangup(call.CauseNormalClearing)
	want := []string{"CREATE", "ORIGINATE", "STATE CS_ROUTING", "STATE CS_CONSUME_MEDIA", "PROGRESS"}
	got := slices.DeleteFunc(strings.Split(h.order(ch.UUID()), "\n"), func(s string) bool { return !slices.Contains(want, s) })
	if !slices.Equal(got, want) {
		t.Errorf("order %v, want %v", got, want)
	}
}

// A re-INVITE of ours is a refresh, too (RFC 4028 §7.4): who refreshes stays the same, and
// the answer counts.
func TestReinvite_OfOurs_KeepsTheRefresher(t *testing.T) {
	h := newHouse(t, houseOptions{})
	out, far := h.callee(h.phone("1000"))
	far.answers(out, "Session-Expires", "120;refresher=uas")
	ch := h.outbound()
	l := ch.Leg().(*leg)
	for _, step := range []struct {
		offer, answer string
		expires       int
		refresher     bool
	}{
		{"120;refresher=uas", "100;refresher=uas", 100, false},
		{"100;refresher=uas", "110;refresher=uac", 110, true},
		{"110;refresher=uac", "", 110, true}, // they cannot: we may go on
		{"110;refresher=uac", "120;refresher=uas", 120, false},
		{"120;refresher=uas", "", 0, false},
	} {
		done := make(chan error, 1)
		go func() { done <- l.reinvite(t.Context(), ch) }()
		req := far.next(wire.INVITE)
		if got := header(req, "Session-Expires"); got != step.offer {
			t.Errorf("offered %q, want %q", got, step.offer)
		}
		var answer []string
		if step.answer != "" {
			answer = []string{"Session-Expires", step.answer}
		}
		far.say(far.response(req, 200, "a", description(4000), answer...))
		ok(t, recv(t, done))
		far.next(wire.ACK)
		l.mu.Lock()
		expires, refresher, runs := l.expires, l.refresher, l.timer != nil
		l.mu.Unlock()
		if expires != step.expires || refresher != step.refresher || runs != (step.expires > 0) {
			t.Errorf("after %q: %d s, ours %v, runs %v", step.answer, expires, refresher, runs)
		}
	}
	far.leftBy(out)
}

// An offer that comes while another one has no answer is refused (RFC 3311 §5.2).
func TestUpdate_OfferWhileAnotherIsOpen_Refused(t *testing.T) {
	h := newHouse(t, houseOptions{})
	out, far := h.callee(h.phone("1000"))
	far.say(far.response(far.invite, 180, "a", ""))
	recv(t, out.Ringing())
	far.answers(out)
	if got := far.ask(wire.UPDATE, 11, "a", description(4002)); got.StatusCode != 200 {
		t.Errorf("%d %s, want 200", got.StatusCode, got.Reason)
	}
	ch := h.outbound()
	done := make(chan error, 1)
	go func() { done <- ch.Leg().(*leg).reinvite(t.Context(), ch) }()
	ours := far.next(wire.INVITE)
	if got := far.ask(wire.UPDATE, 12, "a", description(4004)); got.StatusCode != 491 {
		t.Errorf("while our re-INVITE is on its way: %d %s, want 491", got.StatusCode, got.Reason)
	}
	far.say(far.response(ours, 200, "a", description(4006)))
	ok(t, recv(t, done))
	if got := ch.Get("remote_media_port"); got != "4006" {
		t.Errorf("sound goes to port %s, want 4006", got)
	}
	far.leftBy(out)
}
