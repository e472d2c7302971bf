package webrtc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/media"
	"github.com/switchlet/switchlet/media/codec"
)

// connectWait is how long an answer waits for ICE and DTLS, so that the first
// words of what is played next are not lost.
const connectWait = 2 * time.Second

// Names of the module and the endpoint as FreeSWITCH has them.
const (
	moduleName   = "mod_verto"
	endpointName = "verto.rtc"
	sessionName  = "verto.rtc.session" // one leg of what verto.rtc stands for
)

// leg is a browser's half of a call (call.Leg). It belongs to a session, whose
// socket may go away and come back.
type leg struct {
	server   *Server
	serial   int64
	uuid     string
	sessid   string
	uid      string
	profile  *profile
	account  *account
	outbound bool
	keep     bool // survives its socket (recoverCall)
	ch       *call.Channel

	negotiating sync.Mutex // one negotiation at a time
	words       errands    // text messages for the partner

	mu       sync.Mutex
	socket   *socket // nil while detached
	offer    string  // the browser's, of an inbound call
	ours     []rtpmap
	peer     *peer
	next     *peer // offered by verto.attach, not answered yet
	agreed   agreement
	allowed  []codec.Pref // what verto.attach may agree on; nil: the codec in force
	told     bool         // verto.media or an answer with SDP was sent
	byed     bool         // the browser ended the call, or was told
	detached time.Time    // since when it waits: for a socket, or for the answer to verto.attach
	display  [2]string    // name and number sent last
	reported time.Time
	music    func() // ends the music that a held partner hears
	gone     bool   // released
}

func (l *leg) channel() *call.Channel { return l.ch }

// belongs reports whether a socket is the session's at this moment. Who gives the call
// that socket holds l.mu since before: whoever replaces it detaches the call afterwards.
func (l *leg) belongs(k *socket) bool { return l.server.online(l.sessid) == k }

// tell sends a request about the call to the browser, if it is there.
func (l *leg) tell(method string, p object) bool {
	l.mu.Lock()
	k := l.socket
	l.mu.Unlock()
	if k == nil {
		return false
	}
	k.request(method, append(object{{"callID", l.uuid}}, p...))
	return true
}

// clientVariables are the channel variables that browsers get to see: those with
// the prefix verto_svar_, without it.
func (l *leg) clientVariables() object {
	o := object{}
	for _, v := range l.ch.Vars().All() {
		if name, ok := strings.CutPrefix(v.Name, "verto_svar_"); ok {
			o = o.with(name, v.Value)
		}
	}
	return o
}

// callParams describe the call's parties (spec/verto.md §4).
func (l *leg) callParams() object {
	p := l.ch.Profile()
	var o object
	for _, m := range []member{{"caller_id_name", p.CallerName}, {"caller_id_number", p.CallerNumber},
		{"callee_id_name", p.CalleeName}, {"callee_id_number", p.CalleeNumber}} {
		if m.value != "" {
			o = append(o, m)
		}
	}
	direction := "inbound"
	if l.outbound {
		direction = "outbound"
	}
	o = o.with("display_direction", direction)
	for _, v := range l.ch.Vars().All() {
		if strings.HasPrefix(v.Name, "verto_h_") {
			o = o.with(v.Name, v.Value)
		}
	}
	return o
}

// Init sends the call to the browser if it is ours (call.Leg).
func (l *leg) Init(ctx context.Context, ch *call.Channel) error {
	if !l.outbound {
		return nil
	}
	k := l.server.online(l.sessid)
	if k == nil {
		return call.CauseDestinationOutOfOrder
	}
	prefs := l.prefs(l.profile.outbound)
	p, err := newPeer(l.server.net)
	if err != nil {
		return err
	}
	maps := offered(prefs)
	p.near = l.server.near(k, nil)
	text, err := p.offer(ctx, maps, 20)
	if err != nil {
		p.wire.Close()
		return err
	}
	l.mu.Lock()
	if l.gone || !l.belongs(k) {
		l.mu.Unlock()
		p.wire.Close()
		return call.CauseDestinationOutOfOrder
	}
	l.socket, l.peer, l.ours = k, p, maps
	l.mu.Unlock()
	ch.SetPlain("rtp_local_sdp_str", text)
	o := object{{"variables", l.clientVariables()}, {"sdp", text}}
	if !l.tell("verto.invite", append(o, l.callParams()...)) {
		return call.CauseDestinationOutOfOrder
	}
	// The state machine tells of the channel first, then of the ringing.
	ringing := &call.Message{Run: func(context.Context, *call.Channel) { ch.MarkRinging() }}
	if err := ch.Post(ringing); err != nil {
		return fmt.Errorf("webrtc: %w", err)
	}
	return nil
}

// prefs are the codecs to negotiate with, best first: the channel's own list wins.
func (l *leg) prefs(list string) []codec.Pref {
	for _, name := range []string{"absolute_codec_string", "codec_string"} {
		if v := l.ch.Get(name); v != "" {
			list = v
			break
		}
	}
	prefs, _ := codec.ParseList(l.server.sw.Media.Codecs(), list)
	return prefs
}

// Ring does nothing: Verto has no message for it (call.Leg).
func (l *leg) Ring(context.Context) error { return nil }

// Progress opens early media with verto.media (call.Leg).
func (l *leg) Progress(ctx context.Context) error {
	text, err := l.negotiate(ctx)
	if err != nil {
		return l.refuse(err)
	}
	if text != "" {
		l.ch.SetPlain("endpoint_disposition", "EARLY MEDIA")
		l.tell("verto.media", object{{"sdp", text}, {"variables", l.clientVariables()}})
		l.awaitMedia(ctx)
	}
	return nil
}

// Answer answers with verto.answer, which has the SDP unless verto.media had it
// (call.Leg).
func (l *leg) Answer(ctx context.Context) error {
	text, err := l.negotiate(ctx)
	if err != nil {
		return l.refuse(err)
	}
	var o object
	if text != "" {
		l.ch.MarkEarly()
		o = o.with("sdp", text)
	}
	l.ch.SetPlain("endpoint_disposition", "ANSWERED")
	// Before the browser knows: it may hold the call at once.
	l.ch.MarkAnswered()
	l.tell("verto.answer", o.with("variables", l.clientVariables()))
	if text != "" {
		l.awaitMedia(ctx)
	}
	return nil
}

// refuse ends a call whose media cannot be agreed on.
func (l *leg) refuse(err error) error {
	disposition, cause := "CODEC NEGOTIATION ERROR", call.CauseIncompatibleDestination
	if !errors.Is(err, errNoCodec) && !errors.Is(err, errNoAudio) && !errors.Is(err, errDescription) && !errors.Is(err, errUnreachable) {
		disposition, cause = "MEDIA ERROR", call.CauseBearerCapabilityNotAvail
	}
	l.ch.SetPlain("endpoint_disposition", disposition)
	l.ch.Log(call.LogErr, "%s: %v", l.ch.Name(), err)
	l.ch.Hangup(cause)
	return err
}

var errUnreachable = errors.New("webrtc: no candidate passes apply-candidate-acl")

// negotiate answers the browser's offer, once. It returns "" if that was done
// before.
func (l *leg) negotiate(ctx context.Context) (string, error) {
	l.negotiating.Lock()
	defer l.negotiating.Unlock()
	l.mu.Lock()
	done, offer, k := l.told, l.offer, l.socket
	l.mu.Unlock()
	if done {
		return "", nil
	}
	d, at, a, cands, err := l.agree(offer, l.prefs(l.profile.inbound))
	if err != nil {
		return "", err
	}
	p, err := newPeer(l.server.net)
	if err != nil {
		return "", err
	}
	p.near = l.server.near(k, d.sections[at].cands)
	text, err := p.answer(ctx, d, at, &a, cands)
	if err != nil {
		p.wire.Close()
		return "", err
	}
	l.mu.Lock()
	if l.gone {
		l.mu.Unlock()
		p.wire.Close()
		return "", call.ErrHungup
	}
	l.peer, l.told = p, true
	l.mu.Unlock()
	l.ch.SetPlain("rtp_local_sdp_str", text)
	l.establish(p, a)
	return text, nil
}

// agree reads a browser's description and chooses codec and candidates.
func (l *leg) agree(text string, prefs []codec.Pref) (*description, int, agreement, []candidate, error) {
	return agree(l.server, l.profile, text, prefs)
}

func agree(srv *Server, pr *profile, text string, prefs []codec.Pref) (*description, int, agreement, []candidate, error) {
	d, err := parseDescription(text)
	if err != nil {
		return nil, 0, agreement{}, nil, err
	}
	at, ok := d.audio()
	if !ok {
		return nil, 0, agreement{}, nil, errNoAudio
	}
	sec := &d.sections[at]
	if _, ok := sec.secure(); !ok {
		return nil, 0, agreement{}, nil, errInsecure
	}
	a, err := choose(sec, prefs)
	if err != nil {
		return nil, 0, agreement{}, nil, err
	}
	cands := srv.reachable(pr, sec.cands)
	if len(cands) == 0 && sec.dropped == 0 && slices.ContainsFunc(sec.cands, func(c candidate) bool { return c.transport == "udp" }) {
		return nil, 0, agreement{}, nil, errUnreachable
	}
	return d, at, a, cands, nil
}

// establish gives the channel its sound.
func (l *leg) establish(p *peer, a agreement) {
	l.mu.Lock()
	l.agreed = a
	l.mu.Unlock()
	if !p.expects() {
		l.ch.Log(call.LogWarning, "%s: the browser named no address; there is no sound unless it finds ours", l.ch.Name())
	}
	f := a.format
	for _, v := range []call.Var{
		{Name: "rtp_use_codec_name", Value: f.Codec.Name}, {Name: "rtp_use_codec_rate", Value: strconv.Itoa(f.Codec.Rate)},
		{Name: "rtp_use_codec_ptime", Value: strconv.Itoa(f.Ptime)}, {Name: "rtp_audio_recv_pt", Value: strconv.Itoa(int(f.Receives()))},
		{Name: "media_webrtc", Value: "true"},
	} {
		l.ch.SetPlain(v.Name, v.Value)
	}
	if a.events.clock != 0 {
		l.ch.SetPlain("rtp_2833_send_payload", strconv.Itoa(int(a.events.payload)))
		l.ch.SetPlain("rtp_2833_recv_payload", strconv.Itoa(int(a.events.payload)))
	}
	l.smooth()
	l.ch.Port().Attach(p.wire, l.ch.Tuned(f), l.ch.TunedDigits(a.dtmf))
	l.ch.SetFormat(f)
	l.watch(l.ch.Held())
}

// awaitMedia waits for ICE and DTLS, within bounds.
func (l *leg) awaitMedia(ctx context.Context) {
	l.mu.Lock()
	p := l.peer
	l.mu.Unlock()
	if p != nil && p.expects() {
		p.wait(ctx, connectWait)
	}
}

// Hangup tells the browser, unless it ended the call itself, and releases the
// connection (call.Leg).
func (l *leg) Hangup(cause call.Cause) {
	l.mu.Lock()
	byed := l.byed
	l.byed = true
	l.mu.Unlock()
	disposition := "recv_bye"
	if !byed {
		disposition = "send_bye"
		l.tell("verto.bye", object{{"causeCode", int(cause)}, {"cause", cause.String()}})
	}
	l.ch.SetPlain("verto_hangup_disposition", disposition)
	l.setStatistics()
	l.unhold()
	l.release()
}

// release closes the connections and forgets the leg.
func (l *leg) release() {
	l.mu.Lock()
	l.gone = true
	peers := []*peer{l.peer, l.next}
	l.peer, l.next = nil, nil
	l.mu.Unlock()
	for _, p := range peers {
		if p != nil {
			p.wire.Close()
		}
	}
	l.server.mu.Lock()
	if l.server.legs[l.uuid] == l {
		delete(l.server.legs, l.uuid)
	}
	l.server.mu.Unlock()
}

// Hold pauses the sound of the browser, or lets it go on (call.Holder).
func (l *leg) Hold(_ context.Context, on bool) error {
	l.ch.Port().Hold(on)
	l.watch(on)
	return nil
}

// Display changes the name and number that the browser shows (call.Displayer).
func (l *leg) Display(_ context.Context, name, number string) error {
	if name == "" {
		name = number
	}
	l.mu.Lock()
	same := l.display == [2]string{name, number}
	l.display = [2]string{name, number}
	l.mu.Unlock()
	if same || number == "" && name == "" {
		return nil
	}
	l.ch.SetPlain("last_sent_display_name", name)
	l.ch.SetPlain("last_sent_display_number", number)
	l.tell("verto.display", append(object{{"display_name", name}, {"display_number", number}}, l.callParams()...))
	return nil
}

// Message shows a text message in the browser, and text in real time where the profile
// has it (call.Messenger).
func (l *leg) Message(_ context.Context, e *event.Event) error {
	if e.Type == event.Text && l.profile.text {
		return l.showText(e.Body)
	}
	return l.ask("verto.info", shown(e, l.uid))
}

// tend does what time asks for: the end of a detached call, and RTCP.
func (l *leg) tend(now time.Time) {
	l.mu.Lock()
	detached, p, due := l.detached, l.peer, now.Sub(l.reported) >= reportInterval
	offered := l.next != nil
	if due {
		l.reported = now
	}
	l.mu.Unlock()
	limit := time.Duration(l.server.settings().detach) * time.Second
	if offered {
		limit = max(limit, attachLimit)
	}
	if !detached.IsZero() && now.Sub(detached) > limit && (offered || l.server.online(l.sessid) == nil) {
		l.ch.Hangup(call.CauseRecoveryOnTimerExpire)
		return
	}
	if p != nil && due {
		p.wire.report(now)
	}
}

// digits takes DTMF from a verto.info.
func (l *leg) digits(text string) {
	var kept strings.Builder
	for i := 0; i < len(text) && kept.Len() < 128; i++ {
		c := text[i]
		if c >= '0' && c <= '9' || c == '*' || c == '#' || c == '@' || c == '+' || c >= 'A' && c <= 'D' || c >= 'a' && c <= 'd' {
			kept.WriteByte(c)
		}
	}
	list, err := call.ParseDigits(kept.String(), media.DigitEndpoint)
	if err != nil {
		l.ch.Log(call.LogWarning, "%s: dtmf %q: %v", l.ch.Name(), text, err)
		return
	}
	for _, d := range list {
		l.ch.Port().Inject(d)
	}
}
