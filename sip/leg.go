package sip

import (
	"net/netip"
	"strconv"
	"sync"
	"time"

	wire "github.com/emiago/sipgo/sip"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/media"
)

// legState is how far a call got towards its far end.
type legState int

const (
	legNew       legState = iota
	legRinging            // 180 sent or received
	legEarly              // 183 with SDP
	legAnswered           // 200 sent or received
	legConfirmed          // ACK received or sent
	legEnded              // the far end is gone, or was told to go
)

// leg is the SIP half of one channel (call.Leg). Its lock guards the dialog and
// what was negotiated; it is not held while a channel's method is called.
type leg struct {
	profile  *Profile
	gateway  *Gateway
	outbound bool
	callID   string
	localTag string
	source   netip.Addr // of an inbound call, counted in Stack.dialogs
	username string     // that the INVITE was authenticated with, "" if it was not
	started  time.Time

	mu        sync.Mutex
	ch        *call.Channel
	state     legState
	remoteTag string
	local     string // From of our requests, with tag
	remote    string // To of our requests, with tag
	target    target
	peer      netip.Addr     // signalling host of the far end
	seq       uint32         // CSeq of our last request
	remoteSeq uint32         // CSeq of the far end's last request
	handled   uint32         // CSeq up to which the next request need not wait
	moved     chan struct{}  // closed when handled grows; nil: nobody waits
	skips     bool           // the far end was found to leave out numbers of CSeq
	invite    *wire.Request  // that made the call, ours or theirs
	tx        *wire.ServerTx // of the INVITE that is not answered yet
	contact   string         // Contact value that we show
	acked     chan struct{}  // closed at the ACK of our last 2xx
	ack       *wire.Request  // our last ACK, sent again for a repeated 2xx
	ackBody   []byte         // SDP that came with an ACK

	sound       sound
	dtmfInfo    bool // digits go by INFO
	reinviting  bool // a re-INVITE of ours is on its way
	cancelled   bool // CANCEL received, or to be sent
	provisional bool // our INVITE got a 1xx
	status      int  // final status chosen by Respond
	reason      string
	headers     []field // for the final response chosen by Respond or Redirect
	term        termination
	music       *media.Playback // that the partner hears while we are held
	timer       *time.Timer     // session timer
	expires     int             // Session-Expires in force, seconds
	refresher   bool            // it is ours to refresh
	minSE       int             // the longest that a 422 asked for, seconds
	short       int             // 422 received
	replaces    *leg            // the leg that this INVITE is to replace
	refer       chan string     // sipfrag of the NOTIFY that a deflect waits for
	display     string          // what the far end's display shows: name|number
	auths       int             // challenges answered
	astray      bool            // the INVITE went where the gateway does not name a host
	redirects   int
	early       early
	assured     assured // reliable 1xx of ours
	heard       heard   // reliable 1xx of the far end
}

// early is what the early dialogs of an outbound call described.
type early struct {
	tag  string            // To tag of the one whose SDP is in force
	told map[string][]byte // SDP by To tag, of maxEarly at most: a 2xx need not repeat it
}

// termination is how the call ended, for the variables of CS_HANGUP.
type termination struct {
	disposition string // recv_bye, send_bye, recv_cancel, …
	status      int    // SIP status, 0: none
	phrase      string
	cause       call.Cause
	reason      string // Reason header received
}

// channel is the leg's channel, nil before it exists.
func (l *leg) channel() *call.Channel {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ch
}

func (l *leg) log(level call.Level, format string, args ...any) {
	if ch := l.channel(); ch != nil {
		ch.Log(level, format, args...)
		return
	}
	l.profile.log(level, format, args...)
}

// get is a channel variable.
func (l *leg) get(name string) string {
	if ch := l.channel(); ch != nil {
		return ch.Get(name)
	}
	return ""
}

// request begins a request inside the dialog.
func (l *leg) request(method wire.RequestMethod) *wire.Request {
	l.mu.Lock()
	l.seq++
	t, seq, contact := l.target, l.seq, l.contact
	local, remote := l.local, l.remote
	l.mu.Unlock()
	return l.build(method, &t, local, remote, seq, contact)
}

// build is request with everything given.
func (l *leg) build(method wire.RequestMethod, t *target, local, remote string, seq uint32, contact string) *wire.Request {
	req := l.profile.newRequest(method, t, local, remote, l.callID, seq, 70)
	switch method {
	case wire.BYE, wire.CANCEL:
		put(req, field{"User-Agent", l.profile.settings().agent}, field{"Allow", l.profile.settings().allow()},
			field{"Supported", l.profile.settings().supported()})
	case wire.ACK:
		put(req, field{"Contact", contact})
	default:
		put(req, field{"Contact", contact})
		l.profile.identify(req)
	}
	return req
}

// terminate records how the call ended; the first word stands.
func (l *leg) terminate(t termination) {
	l.mu.Lock()
	if l.term.disposition == "" {
		l.term = t
	}
	l.mu.Unlock()
}

// finish sets the variables of the ended call, in the reference's order, and
// gives back what the leg held.
func (l *leg) finish(ch *call.Channel) {
	l.mu.Lock()
	term, remoteTag, seq := l.term, l.remoteTag, l.remoteSeq
	session, browser := l.sound.session, l.sound.browser
	music := l.music
	l.music = nil
	if l.timer != nil {
		l.timer.Stop()
	}
	counted := l.source.IsValid()
	invite := l.invite
	l.mu.Unlock()
	to, from := l.localTag, remoteTag
	if l.outbound {
		to, from = remoteTag, l.localTag
	}
	ch.SetPlain("sip_to_tag", to)
	ch.SetPlain("sip_from_tag", from)
	if !l.outbound && seq > 0 {
		ch.SetPlain("sip_cseq", strconv.FormatUint(uint64(seq), 10))
	}
	ch.SetPlain("sip_call_id", l.callID)
	if invite != nil {
		setAddresses(ch, invite)
	}
	if term.status > 0 {
		status := strconv.Itoa(term.status)
		ch.SetPlain("sip_term_status", status)
		ch.SetPlain("proto_specific_hangup_cause", "sip:"+status)
		ch.SetPlain("sip_term_cause", strconv.Itoa(int(term.cause)))
	}
	if term.reason != "" {
		ch.SetPlain("sip_reason", term.reason)
	}
	if term.phrase != "" {
		ch.SetPlain("sip_hangup_phrase", term.phrase)
		if p := ch.Partner(); p != nil {
			p.SetPlain("sip_hangup_phrase", term.phrase)
		}
	}
	if term.disposition != "" {
		ch.SetPlain("sip_hangup_disposition", term.disposition)
	}
	if music != nil {
		music.Stop()
	}
	if session != nil {
		setStatistics(ch, session)
		session.Close()
	}
	if browser != nil {
		ch.SetMediaStatistics()
		browser.Close()
	}
	l.endAssurance()
	l.profile.stack.removeLeg(l)
	l.profile.calls.Add(-1)
	if counted {
		l.profile.stack.dialogs.leave(l.source)
	}
	if l.gateway != nil {
		l.gateway.callEnded(l.outbound, term)
	}
}
