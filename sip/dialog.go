package sip

import (
	"context"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	wire "github.com/emiago/sipgo/sip"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/media"
	"github.com/switchlet/switchlet/media/sdp"
)

// inTurn waits until the request before req was handled, but not for long: each has a
// goroutine of its own, and the later may run first, or come first over UDP. Two digits
// by INFO would change places otherwise, or a digit before a hold be refused as old. An
// INFO waits until one that was lost has come again, unless that far end was found to
// leave numbers out. timely reports whether none after it was handled when it came.
func (l *leg) inTurn(ctx context.Context, req *wire.Request) (timely bool) {
	seq, limits := req.CSeq().SeqNo, l.profile.stack.Limits
	l.mu.Lock()
	timely = seq >= l.remoteSeq
	wait, patient := limits.Overtaken, req.Method == wire.INFO && req.Transport() == "UDP" && !l.skips
	l.mu.Unlock()
	if patient {
		wait += limits.Repeated
	}
	var limit *time.Timer
	for {
		l.mu.Lock()
		if l.handled == 0 || seq <= l.handled+1 {
			l.mu.Unlock()
			return timely
		}
		if l.moved == nil {
			l.moved = make(chan struct{})
		}
		moved := l.moved
		l.mu.Unlock()
		if limit == nil {
			limit = time.NewTimer(wait)
			defer limit.Stop()
		}
		select {
		case <-moved:
		case <-limit.C:
			l.mu.Lock()
			l.skips = l.skips || patient
			l.mu.Unlock()
			return timely
		case <-ctx.Done():
			return timely
		}
	}
}

// goOn lets the request after that with number seq have its turn.
func (l *leg) goOn(seq uint32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if seq > l.handled {
		l.handled = seq
		if l.moved != nil {
			close(l.moved)
			l.moved = nil
		}
	}
}

// proven asks for credentials inside a call that began with some, where the profile
// wants that of each request (auth-all-packets); they are to be the same user's.
func (l *leg) proven(ctx context.Context, req *wire.Request, tx *wire.ServerTx) bool {
	p := l.profile
	if l.username == "" || !p.settings().authAll {
		return true
	}
	g := p.verify(ctx, req, or(header(req, "Authorization"), header(req, "Proxy-Authorization")))
	if g.verdict == admitted && g.auth.username != l.username {
		g.verdict = forbidden
	}
	if g.verdict != admitted {
		p.deny(req, tx, g, 401)
		return false
	}
	return true
}

// receive gets the requests inside the leg's dialog.
func (l *leg) receive(ctx context.Context, req *wire.Request, tx *wire.ServerTx) {
	p := l.profile
	seq := req.CSeq().SeqNo
	timely := l.inTurn(ctx, req)
	l.mu.Lock()
	last := l.remoteSeq
	ended := l.state == legEnded
	ch := l.ch
	wrongTag := l.remoteTag != "" && tag(req.From().Params) != l.remoteTag
	if seq > last && !wrongTag {
		l.remoteSeq = seq
	}
	l.mu.Unlock()
	switch {
	case ch == nil || wrongTag || ended && req.Method != wire.BYE:
		p.respond(req, tx, 481, "Call Does Not Exist")
		return
	case seq < last && !(timely && req.Method == wire.INFO): // which changes nothing of the dialog
		p.respond(req, tx, 500, phrase(500))
		return
	case !l.proven(ctx, req, tx):
		l.goOn(seq)
		return
	}
	if req.Method == wire.INFO || req.Method == wire.PRACK {
		defer l.goOn(seq)
	} else {
		l.goOn(seq)
	}
	switch req.Method {
	case wire.BYE:
		l.receiveBye(req, tx)
	case wire.INVITE:
		l.receiveReinvite(ctx, ch, req, tx)
	case wire.UPDATE:
		l.receiveUpdate(ctx, ch, req, tx)
	case wire.PRACK:
		l.receivePrack(ctx, ch, req, tx)
	case wire.INFO:
		l.receiveInfo(ch, req, tx)
	case wire.REFER:
		l.receiveRefer(ctx, ch, req, tx)
	case wire.NOTIFY:
		l.receiveNotify(ch, req, tx)
	case wire.MESSAGE:
		l.receiveMessage(ch, req, tx)
	case wire.OPTIONS:
		p.options(req, tx)
	case wire.CANCEL:
		p.respond(req, tx, 481, "Call Does Not Exist")
	case wire.SUBSCRIBE:
		p.respond(req, tx, 489, phrase(489))
	default:
		p.respond(req, tx, 501, phrase(501))
	}
}

// receiveReinvite answers a re-INVITE: hold, another address, another codec
// (spec/sip.md §7.1).
func (l *leg) receiveReinvite(ctx context.Context, ch *call.Channel, req *wire.Request, tx *wire.ServerTx) {
	p := l.profile
	l.mu.Lock()
	glare := l.reinviting || l.state < legAnswered
	l.mu.Unlock()
	if glare {
		p.respond(req, tx, 491, phrase(491))
		return
	}
	if p.settings().tooShort(req) {
		p.refuseShort(req, tx)
		return
	}
	if p.wanted("sofia::reinvite") {
		e := event.New(event.Custom, "sofia::reinvite")
		e.Add("Unique-ID", ch.UUID())
		p.publish(e)
	}
	body, failed := l.renegotiate(ctx, ch, req)
	if failed != 0 {
		p.respond(req, tx, failed, phrase(failed))
		return
	}
	l.mu.Lock()
	if c := req.Contact(); c != nil && !c.Address.Wildcard && c.Address.Host != "" {
		l.target.uri = *c.Address.Clone()
	}
	acked := make(chan struct{})
	l.acked = acked
	contact := l.contact
	l.mu.Unlock()
	s := p.settings()
	res := p.reply(req, 200, "OK")
	put(res, field{"Contact", contact}, field{"User-Agent", s.agent}, field{"Accept", "application/sdp"},
		field{"Allow", s.allow()}, field{"Supported", s.supported()}, field{"Allow-Events", s.events()})
	l.refreshTimer(req, res)
	setBody(res, "application/sdp", body)
	if err := p.send(tx, res); err != nil {
		ch.Log(call.LogWarning, "sip: re-INVITE: %v", err)
		return
	}
	l.insist(tx, res, acked)
	if sdpOf(req) == nil {
		// Our offer went out in the 200: the answer comes with the ACK.
		p.background(func(bg context.Context) {
			if l.awaitAnswer(ch.Context(), ch, acked) == nil {
				l.followHold(bg, ch, l.agreed().Held)
			}
		})
	}
}

// renegotiate takes a new offer and returns our answer, or the status that
// refuses it. Without an offer we make one.
func (l *leg) renegotiate(ctx context.Context, ch *call.Channel, req *wire.Request) (body []byte, failed int) {
	text := sdpOf(req)
	if text == nil {
		body, err := l.makeOffer(ch)
		if err != nil {
			return nil, 500
		}
		return body, 0
	}
	offer, err := sdp.Parse(text)
	if err != nil {
		return nil, 400
	}
	l.mu.Lock()
	before := l.sound
	l.mu.Unlock()
	if err := l.takeOffer(ch, offer, string(text)); err != nil {
		l.mu.Lock()
		l.sound.offer, l.sound.result, l.sound.agreed = before.offer, before.result, before.agreed
		l.mu.Unlock()
		return nil, 488
	}
	ch.SetPlain("switch_r_sdp", string(text))
	l.mu.Lock()
	// What the far end takes back we take back, too.
	if !l.sound.result.Held {
		l.sound.direction = sdp.SendRecv
	}
	l.mu.Unlock()
	body, err = l.writeAnswer(ch)
	if err != nil {
		return nil, 500
	}
	l.attach(ch)
	l.followHold(ctx, ch, l.agreed().Held)
	return body, 0
}

// unanswered is the status that refuses an offer since another one has no answer yet (RFC
// 3311 §5.2): 491 where that one is ours, 500 where it is the far end's, 0: there is none.
func (l *leg) unanswered() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.assured.last
	switch {
	case l.reinviting, l.outbound && l.state < legAnswered && !l.sound.agreed, r != nil && r.offer && !r.acked:
		return 491
	case !l.outbound && l.state < legAnswered && l.sound.local == "":
		return 500
	}
	return 0
}

// receiveUpdate answers an UPDATE: the display, and the media if it has SDP.
func (l *leg) receiveUpdate(ctx context.Context, ch *call.Channel, req *wire.Request, tx *wire.ServerTx) {
	p, s := l.profile, l.profile.settings()
	var body []byte
	if sdpOf(req) != nil {
		var again string
		failed := l.unanswered()
		if failed == 500 {
			again = strconv.Itoa(rand.IntN(10) + 1)
		}
		if failed == 0 {
			body, failed = l.renegotiate(ctx, ch, req)
		}
		if failed != 0 {
			p.respond(req, tx, failed, phrase(failed), field{"Retry-After", again})
			return
		}
	}
	l.learnDisplay(ch, req)
	l.mu.Lock()
	contact := l.contact
	l.mu.Unlock()
	res := p.reply(req, 200, "OK")
	put(res, field{"Contact", contact}, field{"User-Agent", s.agent}, field{"Allow", s.allow()}, field{"Supported", s.supported()})
	l.refreshTimer(req, res)
	setBody(res, "application/sdp", body)
	p.send(tx, res)
}

// learnDisplay takes the name and number of the far end from an UPDATE or INFO.
func (l *leg) learnDisplay(ch *call.Channel, m wire.Message) {
	value := or(header(m, "P-Asserted-Identity"), header(m, "Remote-Party-ID"))
	if value == "" || !l.profile.settings().passCalleeID {
		return
	}
	a, err := parseNameAddr(value)
	if err != nil {
		return
	}
	l.showDisplay(ch, a.display, unescape(a.uri.User))
}

// showDisplay records who the far end is now and tells the partner.
func (l *leg) showDisplay(ch *call.Channel, name, number string) {
	if number == "" {
		return
	}
	ch.UpdateProfile(func(p *call.Profile) {
		if ch.Outbound() {
			p.CalleeName, p.CalleeNumber = or(name, number), number
		} else {
			p.CallerName, p.CallerNumber = or(name, number), number
		}
	})
	partner := ch.Partner()
	bridged := ""
	if partner != nil {
		bridged = partner.UUID()
	}
	ch.Fire(event.CallUpdate, []call.Var{{Name: "Direction", Value: "RECV"}, {Name: "Sent-Callee-ID-Name", Value: or(name, number)},
		{Name: "Sent-Callee-ID-Number", Value: number}, {Name: "Bridged-To", Value: bridged}}, nil)
	if partner != nil {
		if d, ok := partner.Leg().(call.Displayer); ok {
			d.Display(ch.Context(), or(name, number), number)
		}
	}
}

// maxInfo bounds the bodies that are looked at, in bytes.
const maxInfo = 16 << 10

// receiveInfo answers an INFO (spec/sip.md §7.5).
func (l *leg) receiveInfo(ch *call.Channel, req *wire.Request, tx *wire.ServerTx) {
	p := l.profile
	p.respond(req, tx, 200, "OK")
	if len(req.Body()) > maxInfo {
		return
	}
	switch {
	case isType(req, "application/dtmf-relay"), isType(req, "application/dtmf"):
		l.infoDigit(ch, req)
	case isType(req, "message/update_display"):
		name, number := parseDisplay(string(req.Body()))
		l.showDisplay(ch, name, number)
	}
	if v := header(req, "Record"); v != "" {
		l.infoRecord(ch, strings.TrimSpace(v))
	}
	if ch.Switch().Bus.Wanted(event.RecvInfo, "") {
		e := event.New(event.RecvInfo, "")
		ch.AddTo(e)
		e.Add("SIP-Content-Type", contentType(req))
		e.Add("SIP-Call-Info", header(req, "Call-Info"))
		for _, h := range req.Headers() {
			if copied(h.Name()) {
				e.Add("sip_h_"+h.Name(), h.Value())
			}
		}
		if len(req.Body()) > 0 {
			e.SetBody(string(req.Body()))
		}
		ch.QueueEvent(e.Clone())
		ch.Publish(e)
	}
}

// infoDigit hands on a digit that came by INFO.
func (l *leg) infoDigit(ch *call.Channel, req *wire.Request) {
	d, ok := parseInfoDigit(string(req.Body()), isType(req, "application/dtmf"))
	if !ok {
		return
	}
	liberal := l.profile.settings().liberalDTMF
	for _, name := range []string{"rtp_liberal_dtmf", "sip_liberal_dtmf"} {
		v, _ := ch.Lookup(name) // of the channel, or of all: the stock tree sets it so
		liberal = liberal || call.True(v)
	}
	if l.dtmfType(ch) != "info" && !liberal && !l.digitsByInfo() {
		ch.Log(call.LogWarning, "IGNORE INFO DTMF(%c) (This channel was not configured to use INFO DTMF!)", d.Char)
		return
	}
	ch.Port().Inject(d)
}

func (l *leg) digitsByInfo() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dtmfInfo
}

// infoRecord starts or stops a recording as the phone's button says.
func (l *leg) infoRecord(ch *call.Channel, v string) {
	template := l.profile.settings().params.Get("record-template")
	if template == "" {
		ch.Log(call.LogErr, "Record attempted but no template defined.")
		return
	}
	dir := or(l.profile.settings().params.Get("record-path"), "${recordings_dir}")
	switch {
	case strings.EqualFold(v, "on"):
		file := ch.Expand(template)
		if !filepath.IsLocal(file) {
			ch.Log(call.LogErr, "Record: record-template makes %q, which leads out of record-path", file)
			return
		}
		path := ch.Expand(dir) + "/" + file
		ch.SetPlain("sip_record_info", path)
		ch.PostExecute("record_session", path, false)
	case strings.EqualFold(v, "off"):
		if path := ch.Get("sip_record_info"); path != "" {
			ch.PostExecute("stop_record_session", path, false)
		}
	}
}

// parseInfoDigit reads "Signal=5\r\nDuration=160", or a bare digit.
func parseInfoDigit(body string, bare bool) (media.Digit, bool) {
	d := media.Digit{Source: media.DigitEndpoint}
	signal := ""
	if bare {
		signal = strings.TrimSpace(body)
	}
	for line := range strings.Lines(body) {
		name, value, ok := strings.Cut(line, "=")
		if !ok {
			continue
		}
		switch value = strings.TrimSpace(value); strings.ToLower(strings.TrimSpace(name)) {
		case "signal":
			signal = value
		case "duration":
			if ms, err := strconv.Atoi(value); err == nil && ms > 0 {
				d.Duration = min(ms, 24000) * 8
			}
		}
	}
	switch {
	case signal == "10":
		d.Char = '*'
	case signal == "11":
		d.Char = '#'
	case len(signal) == 2 && signal[0] == '1' && signal[1] >= '2' && signal[1] <= '5':
		d.Char = 'A' + signal[1] - '2'
	case signal == "16":
		d.Char = 'F'
	case len(signal) == 1 && strings.Contains("0123456789*#ABCDF", strings.ToUpper(signal)):
		d.Char = strings.ToUpper(signal)[0]
	default:
		return d, false
	}
	return d, true
}

// parseDisplay reads the body of message/update_display.
func parseDisplay(body string) (name, number string) {
	for line := range strings.Lines(body) {
		key, value, ok := strings.Cut(line, ":")
		if !ok || !strings.EqualFold(strings.TrimSpace(key), "from") && !strings.EqualFold(strings.TrimSpace(key), "to") {
			continue
		}
		if a, err := parseNameAddr(strings.TrimSpace(value)); err == nil {
			return a.display, unescape(a.uri.User)
		}
	}
	return "", ""
}

// receiveMessage answers a MESSAGE inside a call: the application and the
// listeners get it.
func (l *leg) receiveMessage(ch *call.Channel, req *wire.Request, tx *wire.ServerTx) {
	l.profile.respond(req, tx, 202, "Accepted")
	if len(req.Body()) > maxInfo {
		return
	}
	e := event.New(event.RecvMessage, "")
	ch.AddTo(e)
	e.Add("SIP-Content-Type", contentType(req))
	e.SetBody(string(req.Body()))
	ch.QueueEvent(e.Clone())
	ch.Publish(e)
}

// receiveNotify answers a NOTIFY inside a call: the progress of a REFER of ours,
// or a button of the far end's.
func (l *leg) receiveNotify(ch *call.Channel, req *wire.Request, tx *wire.ServerTx) {
	l.profile.respond(req, tx, 200, "OK")
	l.profile.notifyIn(req, l)
	name, _, _ := strings.Cut(get(req, "Event"), ";")
	switch strings.ToLower(strings.TrimSpace(name)) {
	case "refer":
		l.referred(string(req.Body()))
	case "talk":
		if ch.Held() {
			ch.HoldFar(ch.Context(), false)
		} else if !ch.Answered() && !ch.Outbound() {
			ch.PostExecute("answer", "", false)
		}
	case "hold":
		ch.HoldFar(ch.Context(), true)
	}
}
