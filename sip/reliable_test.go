package sip

import (
	"net"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	wire "github.com/emiago/sipgo/sip"

	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/media/sdp"
	"github.com/switchlet/switchlet/test/phone"
)

const reliableParams = `<param name="enable-100rel" value="true"/>`

const reliablePlan = `
<extension name="stages"><condition field="destination_number" expression="^stages$"><action application="ring_ready"/><action application="pre_answer"/><action application="answer"/><action application="echo"/></condition></extension>
<extension name="early tone"><condition field="destination_number" expression="^earlytone$"><action application="pre_answer"/><action application="playback" data="tone_stream://%(10000,0,440);loops=-1"/></condition></extension>
<extension name="queued"><condition field="destination_number" expression="^queued$"><action application="respond" data="182 Queued"/><action application="answer"/><action application="echo"/></condition></extension>`

// reliableHouse is a house whose profile has enable-100rel.
func reliableHouse(t *testing.T, more string) *house {
	return newHouse(t, houseOptions{params: reliableParams + more, plan: reliablePlan})
}

// rel makes phones say 100rel in a header.
func rel(header string) func(*phone.Options) {
	return func(o *phone.Options) { o.Reliable = header }
}

func noOffer(o *phone.Options) { o.NoOffer = true }

// rseq is the number of a reliable response.
func rseq(t *testing.T, res *wire.Response) int {
	t.Helper()
	if header(res, "Require") != "100rel" {
		t.Errorf("%d: Require is %q, want 100rel", res.StatusCode, header(res, "Require"))
	}
	return must[int](t)(strconv.Atoi(header(res, "RSeq")))
}

// following is the next reliable response but those that are res once more.
func following(t *testing.T, c *phone.Call, res *wire.Response) *wire.Response {
	t.Helper()
	for {
		if next := recv(t, c.Assured()); header(next, "RSeq") != header(res, "RSeq") {
			return next
		}
	}
}

// pracked acknowledges a response and wants 200.
func pracked(t *testing.T, c *phone.Call, res *wire.Response) {
	t.Helper()
	if got := must[*wire.Response](t)(c.Prack(res)); got.StatusCode != 200 {
		t.Errorf("PRACK: %d %s, want 200", got.StatusCode, got.Reason)
	}
}

// open fails the test if the INVITE has its final response.
func open(t *testing.T, c *phone.Call) {
	t.Helper()
	select {
	case <-c.Done():
		status, reason := c.Status()
		t.Fatalf("%d %s before the PRACK", status, reason)
	default:
	}
}

// echoed speaks and listens.
func echoed(t *testing.T, c *phone.Call) {
	t.Helper()
	c.Say(440, 0.5)
	ok(t, c.Hears(440, 0.3, 500*time.Millisecond))
}

// nothingLeft waits until the calls are gone with all that they held.
func (h *house) nothingLeft() {
	h.t.Helper()
	left := func() (int, int, int) {
		h.stack.legsMu.RLock()
		defer h.stack.legsMu.RUnlock()
		return len(h.stack.legs), int(h.profile().calls.Load()), h.stack.Ports.InUse()
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		legs, calls, ports := left()
		if legs+calls+ports+h.sw.Count() == 0 {
			return
		}
		if time.Now().After(deadline) {
			h.t.Fatalf("%d legs, %d calls, %d ports, %d channels are left", legs, calls, ports, h.sw.Count())
		}
	}
}

// goroutines waits until there are no more than most.
func (h *house) goroutines(most int) {
	h.t.Helper()
	for deadline := time.Now().Add(patience); runtime.NumGoroutine() > most; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			h.t.Fatalf("%d goroutines, want %d at most", runtime.NumGoroutine(), most)
		}
	}
}

func TestReliable_Off_NotOfferedAndRefused(t *testing.T) {
	h := newHouse(t, houseOptions{})
	c := must[*phone.Call](t)(h.phone("1000", rel("Require")).Dial("5902"))
	recv(t, c.Done())
	if status, _ := c.Status(); status != 420 || header(c.Final(), "Unsupported") != "100rel" {
		t.Errorf("%d, Unsupported %q; want 420, 100rel", status, header(c.Final(), "Unsupported"))
	}
	if got := header(c.Final(), "Supported"); got != "timer, path, replaces" {
		t.Errorf("Supported %q", got)
	}
	if got := header(c.Final(), "Allow"); strings.Contains(got, "PRACK") {
		t.Errorf("Allow %q", got)
	}
	c = must[*phone.Call](t)(h.phone("1000", rel("Supported")).Dial("5902"))
	recv(t, c.Ringing())
	if n := len(c.Assured()); n != 0 {
		t.Errorf("%d reliable responses", n)
	}
	c.Cancel()
	recv(t, c.Done())
}

func TestReliable_Offered_InSupportedAndAllow(t *testing.T) {
	h := reliableHouse(t, "")
	res := must[*wire.Response](t)(h.phone("x").Send(wire.OPTIONS, "sip:127.0.0.1", "", ""))
	if got := header(res, "Supported"); got != "100rel, timer, path, replaces" {
		t.Errorf("Supported %q", got)
	}
	if got := header(res, "Allow"); got != "INVITE, ACK, BYE, CANCEL, OPTIONS, MESSAGE, INFO, UPDATE, REGISTER, REFER, PRACK, NOTIFY" {
		t.Errorf("Allow %q", got)
	}
}

func TestReliable_CallerSaysNothing_NothingChanges(t *testing.T) {
	h := reliableHouse(t, "")
	c := must[*phone.Call](t)(h.phone("1000").Call("stages"))
	if n := len(c.Assured()); n != 0 || len(c.Final().Body()) == 0 {
		t.Errorf("%d reliable responses, %d bytes of SDP in the 200", n, len(c.Final().Body()))
	}
	ok(t, c.Hangup())
}

func TestReliable_Supported_ResponsesWithSDPWaitForPrack(t *testing.T) {
	h := reliableHouse(t, "")
	c := must[*phone.Call](t)(h.phone("1000", rel("Supported")).Dial("stages"))
	first := recv(t, c.Assured())
	if first.StatusCode != 183 || len(first.Body()) == 0 {
		t.Errorf("%d with %d bytes of SDP, want a 183 with some", first.StatusCode, len(first.Body()))
	}
	// As if the first was lost: it comes again, and the answer waits.
	again := recv(t, c.Assured())
	if rseq(t, again) != rseq(t, first) {
		t.Errorf("RSeq %d, then %d", rseq(t, first), rseq(t, again))
	}
	open(t, c)
	for rack, want := range map[string]int{"0 1 INVITE": 400, "nonsense": 400, strconv.Itoa(rseq(t, first)+1) + " 2 INVITE": 481,
		strconv.Itoa(rseq(t, first)) + " 77 INVITE": 481, strconv.Itoa(rseq(t, first)) + " 2 UPDATE": 481} {
		if got := must[*wire.Response](t)(c.PrackWith(first, rack, nil)); got.StatusCode != want {
			t.Errorf("RAck %q: %d, want %d", rack, got.StatusCode, want)
		}
	}
	open(t, c)
	pracked(t, c, again)
	ok(t, c.WaitAnswer())
	if n := len(c.Final().Body()); n != 0 {
		t.Errorf("the 200 has %d bytes of SDP, which went over before", n)
	}
	if got := must[*wire.Response](t)(c.Prack(first)); got.StatusCode != 481 {
		t.Errorf("a second PRACK: %d, want 481", got.StatusCode)
	}
	echoed(t, c)
	ok(t, c.Hangup())
	h.nothingLeft()
}

func TestReliable_Required_OneAfterTheOther(t *testing.T) {
	h := reliableHouse(t, "")
	c := must[*phone.Call](t)(h.phone("1000", rel("Require")).Dial("stages"))
	ringing := recv(t, c.Assured())
	if again := recv(t, c.Assured()); ringing.StatusCode != 180 || again.StatusCode != 180 {
		t.Errorf("%d and %d before the PRACK, want 180", ringing.StatusCode, again.StatusCode)
	}
	pracked(t, c, ringing)
	early := following(t, c, ringing)
	if early.StatusCode != 183 || rseq(t, early) != rseq(t, ringing)+1 {
		t.Errorf("%d with RSeq %d, want a 183 with %d", early.StatusCode, rseq(t, early), rseq(t, ringing)+1)
	}
	pracked(t, c, early)
	ok(t, c.WaitAnswer())
	echoed(t, c)
	ok(t, c.Hangup())
	h.nothingLeft()
}

func TestReliable_RequiredWithoutSDP_AnswerHasIt(t *testing.T) {
	h := reliableHouse(t, "")
	c := must[*phone.Call](t)(h.phone("1000", rel("Require")).Dial("queued"))
	queued := recv(t, c.Assured())
	recv(t, c.Assured())
	open(t, c)
	pracked(t, c, queued)
	ok(t, c.WaitAnswer())
	if queued.StatusCode != 182 || len(queued.Body()) != 0 || len(c.Final().Body()) == 0 {
		t.Errorf("%d with %d bytes of SDP, then a 200 with %d", queued.StatusCode, len(queued.Body()), len(c.Final().Body()))
	}
	echoed(t, c)
	ok(t, c.Hangup())
}

func TestReliable_NoPrack_504(t *testing.T) {
	for _, number := range []string{"5902", "stages"} {
		h := reliableHouse(t, `<param name="timer-T1X64" value="700"/>`)
		c := must[*phone.Call](t)(h.phone("1000", rel("Supported")).Dial(number))
		recv(t, c.Done())
		if status, reason := c.Status(); status != 504 || reason != "Reliable Response Timeout" || header(c.Final(), "Reason") != `SIP;cause=504;text="PRACK Timeout"` {
			t.Errorf("%s: %d %s, Reason %s", number, status, reason, header(c.Final(), "Reason"))
		}
		if e := h.waitType(event.ChannelHangupComplete); e.Get("Hangup-Cause") != "RECOVERY_ON_TIMER_EXPIRE" {
			t.Errorf("%s: cause %s", number, e.Get("Hangup-Cause"))
		}
		if n := len(c.Assured()); n < 1 || n > 3 {
			t.Errorf("%s: the 183 came %d times, want it at 0 and 500 ms", number, n)
		}
		h.nothingLeft()
	}
}

func TestReliable_CancelBeforePrack_487(t *testing.T) {
	h := reliableHouse(t, "")
	c := must[*phone.Call](t)(h.phone("1000", rel("Supported")).Dial("stages"))
	recv(t, c.Assured())
	c.Cancel()
	recv(t, c.Done())
	if status, _ := c.Status(); status != 487 {
		t.Errorf("%d, want 487", status)
	}
	h.nothingLeft()
}

func TestReliable_InviteWithoutOffer_AnsweredInPrack(t *testing.T) {
	for _, want := range []struct {
		header, number string
		status         int
	}{{"Supported", "earlytone", 183}, {"Require", "earlytone", 183}, {"Supported", "stages", 183}, {"Require", "stages", 180}} {
		t.Run(want.header+" "+want.number, func(t *testing.T) {
			h := reliableHouse(t, "")
			c := must[*phone.Call](t)(h.phone("1000", rel(want.header), noOffer).Dial(want.number))
			offer := recv(t, c.Assured())
			if offer.StatusCode != want.status || len(offer.Body()) == 0 {
				t.Fatalf("%d with %d bytes of SDP, want %d with some", offer.StatusCode, len(offer.Body()), want.status)
			}
			pracked(t, c, offer)
			if want.number == "earlytone" {
				ok(t, c.Hears(440, 0.02, 500*time.Millisecond))
				open(t, c)
				c.Cancel()
				recv(t, c.Done())
				h.nothingLeft()
				return
			}
			if want.status == 180 {
				early := following(t, c, offer)
				if early.StatusCode != 183 || len(early.Body()) != 0 {
					t.Errorf("%d with %d bytes of SDP, want a 183 without", early.StatusCode, len(early.Body()))
				}
				pracked(t, c, early)
			}
			ok(t, c.WaitAnswer())
			if n := len(c.Final().Body()); n != 0 {
				t.Errorf("the 200 has %d bytes of SDP", n)
			}
			echoed(t, c)
			ok(t, c.Hangup())
			h.nothingLeft()
		})
	}
}

func TestReliable_OfferUnanswered_488(t *testing.T) {
	h := reliableHouse(t, "")
	c := must[*phone.Call](t)(h.phone("1000", rel("Supported"), noOffer).Dial("stages"))
	offer := recv(t, c.Assured())
	rack := strconv.Itoa(rseq(t, offer)) + " " + strconv.Itoa(int(offer.CSeq().SeqNo)) + " INVITE"
	if got := must[*wire.Response](t)(c.PrackWith(offer, rack, nil)); got.StatusCode != 200 {
		t.Errorf("PRACK: %d", got.StatusCode)
	}
	recv(t, c.Done())
	if status, _ := c.Status(); status != 488 {
		t.Errorf("%d, want 488", status)
	}
	h.nothingLeft()
}

func TestReliable_OfferInPrack_AnsweredIn200(t *testing.T) {
	h := reliableHouse(t, "")
	c := must[*phone.Call](t)(h.phone("1000", rel("Supported")).Dial("stages"))
	got := must[*wire.Response](t)(c.PrackOffer(recv(t, c.Assured()), sdp.SendRecv))
	if got.StatusCode != 200 || len(got.Body()) == 0 {
		t.Fatalf("PRACK: %d with %d bytes of SDP, want 200 with some", got.StatusCode, len(got.Body()))
	}
	ok(t, c.WaitAnswer())
	echoed(t, c)
	ok(t, c.Hangup())
}

func TestReliable_OfferInPrackTooEarly_491(t *testing.T) {
	h := reliableHouse(t, "")
	c := must[*phone.Call](t)(h.phone("1000", rel("Require")).Dial("5901"))
	if got := must[*wire.Response](t)(c.PrackOffer(recv(t, c.Assured()), sdp.SendRecv)); got.StatusCode != 491 {
		t.Errorf("%d, want 491", got.StatusCode)
	}
	c.Cancel()
	recv(t, c.Done())
}

// ringingPair is a call of 1000 that has reached 1001, which said nothing yet.
func (h *house) ringingPair(caller ...func(*phone.Options)) (out, in *phone.Call) {
	h.t.Helper()
	a, b := h.phone("1000", caller...), h.registered("1001")
	out = must[*phone.Call](h.t)(a.Dial("1001"))
	return out, must[*phone.Call](h.t)(b.Next())
}

// quiet fails the test if a PRACK comes within the time in which one would.
func quiet(t *testing.T, what string, in *phone.Call) {
	t.Helper()
	select {
	case r := <-in.Pracks():
		t.Errorf("%s: PRACK with RAck %q", what, header(r, "RAck"))
	case <-time.After(150 * time.Millisecond):
	}
}

func TestReliable_Outbound_PracksInOrder(t *testing.T) {
	h := reliableHouse(t, "")
	out, in := h.ringingPair()
	invite := in.Invite()
	if got := header(invite, "Supported"); got != "100rel, timer, path, replaces" {
		t.Errorf("Supported %q", got)
	}
	cseq := strconv.Itoa(int(invite.CSeq().SeqNo))
	ok(t, in.Assure(183, 7, true))
	prack := recv(t, in.Pracks())
	if got := header(prack, "RAck"); got != "7 "+cseq+" INVITE" || prack.CSeq().SeqNo != invite.CSeq().SeqNo+1 {
		t.Errorf("RAck %q, CSeq %d", got, prack.CSeq().SeqNo)
	}
	if got := prack.Recipient.String(); !strings.Contains(got, "1001@127.0.0.1:") {
		t.Errorf("PRACK to %s, want the Contact of the 183", got)
	}
	recv(t, out.Ringing())
	ok(t, in.Assure(183, 7, true))
	quiet(t, "the same again", in)
	ok(t, in.Assure(180, 9, false))
	quiet(t, "a gap", in)
	ok(t, in.Assure(180, 8, false))
	if got := header(recv(t, in.Pracks()), "RAck"); got != "8 "+cseq+" INVITE" {
		t.Errorf("RAck %q", got)
	}
	ok(t, in.Assure(180, 9, false))
	if got := header(recv(t, in.Pracks()), "RAck"); got != "9 "+cseq+" INVITE" {
		t.Errorf("RAck %q", got)
	}
	ok(t, in.AnswerPlain())
	ok(t, out.WaitAnswer())
	in.Say(880, 0.5)
	ok(t, out.Hears(880, 0.3, 500*time.Millisecond))
	leaves(t, out, in)
	h.nothingLeft()
}

func TestReliable_Outbound_LostPrackComesAgain(t *testing.T) {
	h := reliableHouse(t, "")
	out, in := h.ringingPair()
	in.LosePracks(1)
	ok(t, in.Assure(183, 1, true))
	first, again := recv(t, in.Pracks()), recv(t, in.Pracks())
	if first.CSeq().SeqNo != again.CSeq().SeqNo || param(first.Via().Params, "branch") != param(again.Via().Params, "branch") {
		t.Errorf("the PRACK that comes again is another one: CSeq %d and %d", first.CSeq().SeqNo, again.CSeq().SeqNo)
	}
	ok(t, in.AnswerPlain())
	ok(t, out.WaitAnswer())
	leaves(t, in, out)
	h.nothingLeft()
}

func TestReliable_Outbound_CallerCancels_CalleeToo(t *testing.T) {
	h := reliableHouse(t, "")
	out, in := h.ringingPair()
	ok(t, in.Assure(180, 5, false))
	recv(t, in.Pracks())
	recv(t, out.Ringing())
	out.Cancel()
	ok(t, in.WaitEnd())
	recv(t, out.Done())
	h.nothingLeft()
}

func TestReliable_Outbound_Off_NoPrack(t *testing.T) {
	h := newHouse(t, houseOptions{})
	out, in := h.ringingPair()
	ok(t, in.Assure(183, 1, true))
	recv(t, out.Ringing())
	quiet(t, "switched off", in)
	out.Cancel()
	recv(t, out.Done())
}

func TestReliable_BothLegs_CallersPrackAndCalleesEach(t *testing.T) {
	h := reliableHouse(t, "")
	out, in := h.ringingPair(rel("Supported"))
	ok(t, in.Assure(183, 1, true))
	recv(t, in.Pracks())
	early := recv(t, out.Assured())
	ok(t, in.AnswerPlain())
	// The callee's answer waits for the caller's PRACK.
	recv(t, out.Assured())
	open(t, out)
	pracked(t, out, early)
	ok(t, out.WaitAnswer())
	out.Say(440, 0.5)
	ok(t, in.Hears(440, 0.3, 500*time.Millisecond))
	leaves(t, out, in)
	h.nothingLeft()
}

func TestReliable_Reinvite_AnswerIn183(t *testing.T) {
	h := reliableHouse(t, "")
	c := must[*phone.Call](t)(h.phone("1000").Call("5900"))
	c.AssureReinvite(41)
	ch := h.sw.Channels()[0]
	if changed, err := ch.HoldFar(t.Context(), true); err != nil || !changed {
		t.Fatalf("hold: %v %v", changed, err)
	}
	r := recv(t, c.Reinvites())
	if got := header(recv(t, c.Pracks()), "RAck"); got != "41 "+strconv.Itoa(int(r.CSeq().SeqNo))+" INVITE" {
		t.Errorf("RAck %q", got)
	}
	ok(t, c.Hangup())
	h.nothingLeft()
}

func TestReliable_CallsOverAndOver_NothingIsLeft(t *testing.T) {
	h := reliableHouse(t, "")
	a := h.phone("1000", rel("Require"))
	call := func(answered bool) {
		c := must[*phone.Call](t)(a.Dial("stages"))
		ringing := recv(t, c.Assured())
		pracked(t, c, ringing)
		early := following(t, c, ringing)
		if !answered {
			c.Cancel()
			recv(t, c.Done())
			return
		}
		pracked(t, c, early)
		ok(t, c.WaitAnswer())
		ok(t, c.Hangup())
	}
	for range 3 {
		call(true)
		call(false)
	}
	h.nothingLeft()
	before := runtime.NumGoroutine()
	for range 15 {
		call(true)
		call(false)
	}
	h.nothingLeft()
	h.goroutines(before + 5)
}

func TestHeard_EachDialogCounts(t *testing.T) {
	var h heard
	for i, step := range []struct {
		cseq uint32
		tag  string
		rseq uint32
		want bool
	}{
		{1, "a", 5, true}, {1, "a", 5, false}, {1, "a", 7, false}, {1, "a", 6, true}, {1, "b", 100, true}, {1, "a", 7, true}, {1, "b", 100, false},
		{2, "a", 7, true}, {2, "a", 8, true},
	} {
		if got := h.next(step.cseq, step.tag, step.rseq); got != step.want {
			t.Errorf("step %d: %v, want %v", i, got, step.want)
		}
	}
	for i := range maxEarly + 1 {
		if got, want := h.next(3, strconv.Itoa(i), 1), i < maxEarly; got != want {
			t.Errorf("early dialog %d: %v, want %v", i, got, want)
		}
	}
}

func TestTimerT1X64_SilentCallee_GivenUp(t *testing.T) {
	h := newHouse(t, houseOptions{params: `<param name="timer-T1X64" value="300"/>`})
	silent := must[*net.UDPConn](t)(net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}))
	defer silent.Close()
	started := time.Now()
	out := must[*phone.Call](t)(h.phone("1000").Dial("77" + strconv.Itoa(silent.LocalAddr().(*net.UDPAddr).Port)))
	recv(t, out.Done())
	if status, _ := out.Status(); status != 504 || time.Since(started) < 300*time.Millisecond {
		t.Errorf("%d after %v, want 504 after 300 ms", status, time.Since(started))
	}
	h.nothingLeft()
}

// A callee that rings for longer than that is waited for.
func TestTimerT1X64_RingingCallee_IsWaitedFor(t *testing.T) {
	h := newHouse(t, houseOptions{params: `<param name="timer-T1X64" value="3000"/>`})
	out, in := h.ringingPair()
	ok(t, in.Ring())
	recv(t, out.Ringing())
	select {
	case <-out.Done():
		t.Fatal("the call was given up")
	case <-time.After(3300 * time.Millisecond):
	}
	answers(t, in, out)
	ok(t, out.Hangup())
}

// Of two phones behind a proxy the first one answers, whose description went over
// reliably and does not come again.
func TestReliable_Outbound_ForkThatAnswersIsHeard(t *testing.T) {
	h := reliableHouse(t, "")
	out, far := h.callee(h.phone("1000"))
	for i, fork := range []string{"a", "b"} {
		far.say(far.response(far.invite, 183, fork, description(4000+2*i), "Require", "100rel", "RSeq", "1"))
		prack := far.next(wire.PRACK)
		if tag(prack.To().Params) != fork || prack.Recipient.User != fork {
			t.Errorf("PRACK to %s, tag %s; want %s", prack.Recipient.User, tag(prack.To().Params), fork)
		}
		far.say(far.response(prack, 200, fork, ""))
	}
	far.say(far.response(far.invite, 200, "a", ""))
	far.next(wire.ACK)
	ok(t, out.WaitAnswer())
	if got := h.outbound().Get("remote_media_port"); got != "4000" {
		t.Errorf("sound goes to port %s, want 4000", got)
	}
	far.leftBy(out)
	h.nothingLeft()
}

// While the callee's answer waits for the caller's PRACK, the caller is sent elsewhere:
// it is not hung up, and what it was sent to answers.
func TestReliable_TransferWhileTheAnswerWaits_CallGoesOn(t *testing.T) {
	h := reliableHouse(t, "")
	out, in := h.ringingPair(rel("Supported"))
	ok(t, in.Assure(183, 1, true))
	early := recv(t, out.Assured())
	recv(t, in.Pracks())
	ok(t, in.AnswerPlain())
	h.waitType(event.ChannelAnswer)
	recv(t, out.Assured()) // it comes again: the answer waits by now
	ok(t, h.outbound().Partner().Transfer("9196", "", ""))
	ok(t, in.WaitEnd())
	open(t, out)
	pracked(t, out, early)
	ok(t, out.WaitAnswer())
	out.Forget() // what was early media
	echoed(t, out)
	ok(t, out.Hangup())
	h.nothingLeft()
}

func TestUpdate_OfferBeforeThatOfTheInviteIsAnswered_Refused(t *testing.T) {
	h := reliableHouse(t, "")
	for _, step := range []struct {
		change []func(*phone.Options)
		number string
		want   int
	}{
		{[]func(*phone.Options){rel("Require")}, "5901", 500},
		{[]func(*phone.Options){rel("Supported"), noOffer}, "stages", 491},
		{[]func(*phone.Options){rel("Supported")}, "5902", 200},
	} {
		c := must[*phone.Call](t)(h.phone("1000", step.change...).Dial(step.number))
		res := must[*wire.Response](t)(c.UpdateEarly(recv(t, c.Assured()), description(4000)))
		if res.StatusCode != step.want || (header(res, "Retry-After") != "") != (step.want == 500) {
			t.Errorf("%s: %d, Retry-After %q; want %d", step.number, res.StatusCode, header(res, "Retry-After"), step.want)
		}
		c.Cancel()
		recv(t, c.Done())
	}
	h.nothingLeft()
}
