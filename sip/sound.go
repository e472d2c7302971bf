package sip

import (
	"context"
	"errors"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/media"
	"github.com/switchlet/switchlet/media/codec"
	"github.com/switchlet/switchlet/media/rtp"
	"github.com/switchlet/switchlet/media/sdp"
)

// sound is the media of a leg: its RTP session and what was negotiated.
type sound struct {
	session   *rtp.Session
	reports   time.Duration // interval of RTCP, 0: none
	muxOffer  bool          // our last offer had rtcp-mux
	mux       bool          // RTCP shares the port of RTP
	browser   Peer          // instead of session where the far end speaks ICE and DTLS-SRTP
	text      string        // the far end's last offer, as it came
	sessionID int64
	version   int64
	offer     *sdp.Session // the far end's last description
	offered   sdp.Offered  // what our last offer had
	result    sdp.Result
	agreed    bool
	anew      bool          // codecs are negotiated anew
	local     string        // our last description
	direction sdp.Direction // that we want; not SendRecv while we hold the far end
	prefs     []codec.Pref
	keys      []sdp.Crypto // ours, one a suite: they stay the same while the leg lives
	secure    rtp.Keys     // in force, no suite: plain
	secured   sdp.Crypto   // what our answer says of it
}

// codecString is the list of codecs that the leg may use (spec/sip.md §8.2).
func (l *leg) codecString(ch *call.Channel) string {
	if v := ch.Get("absolute_codec_string"); v != "" {
		return v
	}
	s := l.profile.settings()
	first := ch.Get("originator_codec")
	if mix, _ := ch.Lookup("media_mix_inbound_outbound_codecs"); l.outbound && first != "" && (s.noTranscoding || mix != "" && !call.True(mix)) {
		return first
	}
	list := s.codecsIn
	if l.outbound {
		list = s.codecsOut
	}
	if v := ch.Get("codec_string"); v != "" {
		if exact, ok := strings.CutPrefix(v, "="); ok {
			return exact
		}
		list = v
	}
	if l.outbound && first != "" {
		if list == "" {
			return first
		}
		return first + "," + list
	}
	return list
}

// preferences resolves the leg's codecs against the table.
func (l *leg) preferences(ch *call.Channel) []codec.Pref {
	list := l.codecString(ch)
	if ch.Get("rtp_use_codec_string") == "" {
		ch.SetPlain("rtp_use_codec_string", list)
	}
	prefs, _ := codec.ParseList(ch.Switch().Media.Codecs(), list)
	if l.outbound && len(prefs) > 0 && ch.Get("originator_codec") != "" {
		// An offer has one packet time: the caller's, which must not leave the others out.
		for i := range prefs {
			prefs[i].Ptime = sdp.UsablePtime(prefs[i], prefs[0].Ptime)
		}
	}
	return prefs
}

// open allocates the RTP session.
func (l *leg) open(ch *call.Channel) (*rtp.Session, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sound.session != nil {
		return l.sound.session, nil
	}
	s := l.profile.settings()
	interval := rtcpInterval(ch, s)
	if interval == 0 && ch.Get("rtcp_audio_interval_msec") == "" && offersMux(l.sound.offer) && mayMux(ch) {
		interval = muxedReports
	}
	session, err := rtp.Listen(s.rtpIP, l.profile.stack.Ports, rtp.Options{
		RTCP: interval,
		OnLatch: func(from, to netip.AddrPort) {
			ch.SetPlain("remote_audio_ip_reported", from.Addr().String())
			ch.SetPlain("remote_audio_port_reported", strconv.Itoa(int(from.Port())))
			ch.SetPlain("remote_audio_ip", to.Addr().String())
			ch.SetPlain("remote_audio_port", strconv.Itoa(int(to.Port())))
			ch.SetPlain("rtp_auto_adjust_audio", "true")
			ch.Log(call.LogInfo, "Auto Changing audio port from %s to %s", from, to)
		},
	})
	if err != nil {
		if errors.Is(err, rtp.ErrNoPorts) {
			ch.Log(call.LogCrit, "No RTP ports available!")
		} else {
			ch.Log(call.LogErr, "sip: %v", err)
		}
		return nil, call.CauseDestinationOutOfOrder
	}
	l.sound.session, l.sound.reports = session, interval
	now := time.Now().Unix()
	l.sound.sessionID, l.sound.version = now, now
	return session, nil
}

// rtcpInterval is how often reports go out, 0 for never.
func rtcpInterval(ch *call.Channel, s *settings) time.Duration {
	if v := ch.Get("rtcp_audio_interval_msec"); v != "" {
		if n, err := strconv.Atoi(v); err == nil && n >= 100 && n <= 500000 {
			return time.Duration(n) * time.Millisecond
		}
		return 0
	}
	return s.rtcpInterval
}

// muxedReports is how often reports go to a far end that offered to have them on the
// port of RTP, if nothing else is said.
const muxedReports = 5 * time.Second

// mayMux reports whether RTCP may share the port of RTP where the far end offers that.
func mayMux(ch *call.Channel) bool {
	v := ch.Get("rtcp_mux")
	return v == "" || call.True(v)
}

func offersMux(s *sdp.Session) bool {
	if s == nil {
		return false
	}
	for i := range s.Media {
		if _, ok := s.Media[i].Attribute("rtcp-mux"); ok && s.Media[i].Kind == "audio" {
			return true
		}
	}
	return false
}

// description is our side of an SDP; each call is a new version.
func (l *leg) description(ch *call.Channel) sdp.Local {
	s := l.profile.settings()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sound.version++
	host := l.profile.mediaHost(l.peer).String()
	d := sdp.Local{
		User: s.userInfo, IP: host, Port: int(l.sound.session.Local().Port()),
		SessionID: l.sound.sessionID, Version: l.sound.version, Direction: l.sound.direction,
		DigitsPayload: uint8(s.dtmfPayload), NoDigits: l.dtmfType(ch) != "rfc2833",
	}
	if l.sound.reports > 0 {
		d.RTCPPort = d.Port + 1
		d.Mux = ch.True("rtcp_mux") || l.sound.result.Mux && mayMux(ch)
	}
	return d
}

// dtmfType is how digits travel: rfc2833, info or none.
func (l *leg) dtmfType(ch *call.Channel) string {
	if v := strings.ToLower(ch.Get("dtmf_type")); v != "" {
		return v
	}
	return l.profile.settings().dtmfType
}

// makeOffer writes an offer of ours.
func (l *leg) makeOffer(ch *call.Channel) ([]byte, error) {
	prefs := l.preferences(ch)
	if len(prefs) == 0 {
		return nil, call.CauseIncompatibleDestination
	}
	if l.callsBrowser(ch) {
		return l.browserOffer(ch, prefs)
	}
	if _, err := l.open(ch); err != nil {
		return nil, err
	}
	d := l.description(ch)
	if err := l.offerKeys(ch, &d); err != nil {
		return nil, err
	}
	body, offered := sdp.Offer(d, prefs)
	l.mu.Lock()
	l.sound.offered, l.sound.prefs, l.sound.local, l.sound.muxOffer = offered, prefs, string(body), d.Mux
	l.mu.Unlock()
	ch.SetPlain("rtp_local_sdp_str", string(body))
	return body, nil
}

// policy is how we choose from an offer.
func (l *leg) policy(ch *call.Channel) sdp.Policy {
	mode := l.profile.settings().negotiation
	if v := ch.Get("rtp_codec_negotiation"); v != "" {
		mode = v
	}
	policy, _ := l.secureMedia(ch)
	return sdp.Policy{Mode: sdp.ParseMode(mode), Secure: policy}
}

// takeOffer chooses from the far end's offer, which came as text. The error is a
// cause.
func (l *leg) takeOffer(ch *call.Channel, offer *sdp.Session, text string) error {
	if fromBrowser(offer) {
		return l.browserAnswer(ch, offer, text)
	}
	r, err := sdp.Negotiate(offer, l.preferences(ch), l.policy(ch))
	if err != nil {
		ch.SetPlain("endpoint_disposition", "CODEC NEGOTIATION ERROR")
		ch.Log(call.LogErr, "CODEC NEGOTIATION ERROR. SDP: %v", err)
		return call.CauseIncompatibleDestination
	}
	if err := l.takeKeys(ch, r); err != nil {
		return err
	}
	if ch.True("rtp_disable_hold") || l.profile.settings().disableHold {
		r.Held, r.Direction = false, sdp.SendRecv
	}
	l.mu.Lock()
	l.sound.offer, l.sound.result, l.sound.agreed = offer, r, true
	l.mu.Unlock()
	return nil
}

// takeAnswer reads the far end's answer to our offer. The error is a cause.
func (l *leg) takeAnswer(ch *call.Channel, text []byte) error {
	answer, err := sdp.Parse(text)
	if err != nil {
		ch.Log(call.LogErr, "SDP: %v", err)
		return call.CauseIncompatibleDestination
	}
	l.mu.Lock()
	offered, browser := l.sound.offered, l.sound.browser
	l.mu.Unlock()
	if browser != nil {
		return l.browserAccept(ch, browser, answer, string(text))
	}
	r, err := sdp.ReadAnswer(offered, answer)
	if err != nil {
		ch.SetPlain("endpoint_disposition", "CODEC NEGOTIATION ERROR")
		ch.Log(call.LogErr, "CODEC NEGOTIATION ERROR. SDP: %v", err)
		return call.CauseIncompatibleDestination
	}
	if err := l.answeredKeys(ch, r); err != nil {
		return err
	}
	l.mu.Lock()
	l.sound.offer, l.sound.result, l.sound.agreed = answer, r, true
	l.sound.mux = l.sound.muxOffer && r.Mux
	l.mu.Unlock()
	return nil
}

// writeAnswer is our answer to the offer that takeOffer chose from.
func (l *leg) writeAnswer(ch *call.Channel) ([]byte, error) {
	l.mu.Lock()
	browser, made := l.sound.browser, l.sound.local
	l.mu.Unlock()
	if browser != nil {
		ch.SetPlain("rtp_local_sdp_str", made)
		return []byte(made), nil
	}
	if _, err := l.open(ch); err != nil {
		return nil, err
	}
	d := l.description(ch)
	l.mu.Lock()
	if l.sound.secure.Suite != "" {
		d.Crypto = []sdp.Crypto{l.sound.secured}
	}
	l.sound.mux = d.Mux && l.sound.result.Mux
	body := sdp.Answer(d, l.sound.offer, l.sound.result)
	l.sound.local = string(body)
	l.mu.Unlock()
	ch.SetPlain("rtp_local_sdp_str", string(body))
	return body, nil
}

// attach gives the channel's Port what was agreed and sets the variables of
// spec/sip.md §8.4.
func (l *leg) attach(ch *call.Channel) {
	l.mu.Lock()
	session, browser, r, mux := l.sound.session, l.sound.browser, l.sound.result, l.sound.mux
	peer := l.peer
	l.mu.Unlock()
	s := l.profile.settings()
	kind := l.dtmfType(ch)
	d := ch.TunedDigits(media.DTMF{ClockRate: r.DigitsClock, PassThrough: s.passDTMF, Gap: s.digitGap})
	if kind == "rfc2833" {
		d.PayloadType, d.ReceiveType = r.Digits, r.DigitsReceive
	}
	info := kind == "info" || kind == "rfc2833" && r.Digits == 0 && ch.Get("rtp_info_when_no_2833") != "false"
	if info {
		kind = "info"
	}
	l.mu.Lock()
	l.dtmfInfo = info
	l.mu.Unlock()
	f := r.Format
	if browser != nil {
		ch.SetFormat(f)
		ch.Port().Attach(browser.Wire(), ch.Tuned(f), d)
		l.describe(ch, browser, kind, netip.AddrPort{})
		l.attached(ch, info)
		return
	}
	if !l.encrypt(ch, session) {
		return
	}
	session.SetClockRate(f.Codec.ClockRate)
	session.SetLevel(r.Level.ID)
	remote := r.Remote
	if !remote.IsValid() && r.RemoteHost != "" {
		if a, err := lookupHost(r.RemoteHost); err == nil && l.sound.offer != nil {
			remote = netip.AddrPortFrom(a, uint16(l.sound.offer.Media[r.Media].Port))
		}
	}
	session.SetControl(r.RemoteRTCP.Port(), mux)
	if remote.IsValid() && !remote.Addr().IsUnspecified() {
		threshold, _ := strconv.Atoi(ch.Get("rtp_auto_adjust_threshold"))
		session.SetRemote(remote, rtp.Latch{
			Off:        s.noAutoAdjust || ch.True("disable_rtp_auto_adjust"),
			Signalling: peer, Threshold: threshold,
			PayloadTypes: []uint8{f.Receives(), r.DigitsReceive},
		})
	}
	ch.SetFormat(f)
	ch.Port().Attach(session, ch.Tuned(f), d)
	l.describe(ch, session, kind, remote)
	l.attached(ch, info)
}

// attached sets what the Port does beside carrying sound.
func (l *leg) attached(ch *call.Channel, info bool) {
	if info {
		ch.Port().OnSendFallback(func(d media.Digit) { l.SendDigit(d) })
	}
	l.watchMedia(ch, l.agreed().Held)
	l.jitterBuffer(ch)
}

// describe sets the variables about the media in force.
func (l *leg) describe(ch *call.Channel, session interface{ SSRC() uint32 }, dtmf string, remote netip.AddrPort) {
	l.mu.Lock()
	r := l.sound.result
	l.mu.Unlock()
	f := r.Format
	local := netip.AddrPortFrom(l.profile.settings().rtpIP, 0)
	if s, ok := session.(*rtp.Session); ok {
		local = s.Local()
	}
	rate := strconv.Itoa(f.Codec.Rate)
	pt := strconv.Itoa(int(f.PayloadType))
	flow := r.Direction.String()
	for _, v := range []call.Var{
		{Name: "audio_media_flow", Value: flow},
		{Name: "rtp_use_codec_name", Value: f.Codec.Name}, {Name: "rtp_use_codec_fmtp", Value: f.Fmtp}, {Name: "rtp_use_codec_rate", Value: rate},
		{Name: "rtp_use_codec_ptime", Value: strconv.Itoa(f.Ptime)}, {Name: "rtp_use_codec_channels", Value: strconv.Itoa(max(f.Codec.Channels, 1))},
		{Name: "rtp_last_audio_codec_string", Value: codecName(f)},
		{Name: "dtmf_type", Value: dtmf}, {Name: "local_media_ip", Value: local.Addr().String()},
		{Name: "local_media_port", Value: strconv.Itoa(int(local.Port()))}, {Name: "advertised_media_ip", Value: l.profile.mediaHost(l.peerAddr()).String()},
		{Name: "rtp_use_pt", Value: pt}, {Name: "rtp_audio_recv_pt", Value: strconv.Itoa(int(f.Receives()))},
		{Name: "rtp_use_ssrc", Value: strconv.FormatUint(uint64(session.SSRC()), 10)},
	} {
		ch.SetPlain(v.Name, v.Value)
	}
	if r.Digits != 0 && dtmf == "rfc2833" {
		ch.SetPlain("rtp_2833_send_payload", strconv.Itoa(int(r.Digits)))
		ch.SetPlain("rtp_2833_recv_payload", strconv.Itoa(int(r.DigitsReceive)))
	}
	if remote.IsValid() {
		ch.SetPlain("remote_media_ip", remote.Addr().String())
		ch.SetPlain("remote_media_port", strconv.Itoa(int(remote.Port())))
	}
}

func (l *leg) peerAddr() netip.Addr {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.peer
}

// codecName is a format as codec strings have it.
func codecName(f media.Format) string {
	name := f.Codec.Name + "@" + strconv.Itoa(f.Codec.ClockRate) + "h@" + strconv.Itoa(f.Ptime) + "i"
	if f.Codec.BitRate > 0 {
		name += "@" + strconv.Itoa(f.Codec.BitRate) + "b"
	}
	if f.Codec.Channels > 1 {
		name += "@" + strconv.Itoa(f.Codec.Channels) + "c"
	}
	return name
}

// codecModules are the names of FreeSWITCH's modules in ep_codec_string.
var codecModules = map[string]string{"PCMU": "CORE_PCM_MODULE", "PCMA": "CORE_PCM_MODULE", "L16": "CORE_PCM_MODULE",
	"G722": "mod_spandsp", "OPUS": "mod_opus", "G729": "mod_g729", "GSM": "mod_spandsp"}

// offeredCodecs is ep_codec_string: what the offer has that we have, too.
func offeredCodecs(r sdp.Result) string {
	var names []string
	for _, f := range r.Matches {
		name := codecName(f)
		if m := codecModules[strings.ToUpper(f.Codec.Name)]; m != "" {
			name = m + "." + name
		}
		names = append(names, name)
	}
	return strings.Join(names, ",")
}

// watchMedia ends a call on which nothing was heard for media_timeout
// (spec/sip.md §9.4).
func (l *leg) watchMedia(ch *call.Channel, held bool) {
	s := l.profile.settings()
	limit, hold := s.rtpTimeout, s.rtpHoldTimeout
	read := func(unit time.Duration, v *time.Duration, names ...string) {
		for _, n := range names {
			if i, err := strconv.Atoi(ch.Get(n)); err == nil && i >= 0 {
				*v = time.Duration(i) * unit
			}
		}
	}
	read(time.Second, &limit, "rtp_timeout_sec")
	read(time.Second, &hold, "rtp_hold_timeout_sec")
	read(time.Millisecond, &limit, "media_timeout", "media_timeout_audio")
	if hold == 0 {
		hold = 10 * limit
	}
	read(time.Millisecond, &hold, "media_hold_timeout", "media_hold_timeout_audio")
	if held {
		limit = hold
	}
	ch.Port().OnTimeout(limit, func() { l.mediaTimeout(ch) })
}

// mediaTimeout hangs up, or only runs what execute_on_media_timeout names.
func (l *leg) mediaTimeout(ch *call.Channel) {
	if app := ch.Get("execute_on_media_timeout"); app != "" {
		name, args, ok := strings.Cut(app, "::")
		if !ok {
			name, args, _ = strings.Cut(app, " ")
		}
		ch.PostExecute(name, args, false)
		return
	}
	ch.Log(call.LogNotice, "Hangup %s: no media was received", ch.Name())
	ch.Hangup(call.CauseMediaTimeout)
}

// jitterBuffer applies jitterbuffer_msec=MIN[:MAX].
func (l *leg) jitterBuffer(ch *call.Channel) {
	v := or(ch.Get("jitterbuffer_msec"), l.profile.settings().jitterBuffer)
	if v == "" {
		return
	}
	first, second, _ := strings.Cut(v, ":")
	number := func(s string) int {
		scale := 1
		if packets, ok := strings.CutSuffix(s, "p"); ok {
			s, scale = packets, 20
		}
		n, err := strconv.Atoi(s)
		if err != nil || n*scale < 10 || n*scale > 10000 {
			return 20
		}
		return n * scale
	}
	low, high := number(first), 0
	if second != "" {
		high = number(second)
	}
	ch.Port().SetJitter(low, high)
}

// followHold marks the channel by what the far end's direction says, and lets the
// partner hear music meanwhile.
func (l *leg) followHold(ctx context.Context, ch *call.Channel, held bool) {
	if held == ch.Held() {
		return
	}
	ch.RemoteHold(held)
	if held {
		l.startMusic(ctx, ch)
	} else {
		l.stopMusic()
	}
	l.watchMedia(ch, held)
}

// holdMusic is what the partner of a held call hears, "" for nothing.
func (l *leg) holdMusic(ch *call.Channel) string {
	v := ch.Get("hold_music")
	if v == "" {
		v = l.profile.settings().holdMusic
	}
	switch strings.ToLower(v) {
	case "":
		return "local_stream://moh"
	case "silence", "indicate_hold":
		return ""
	}
	return ch.Expand(v)
}

func (l *leg) startMusic(ctx context.Context, ch *call.Channel) {
	partner := ch.Partner()
	uri := l.holdMusic(ch)
	sounds := ch.Switch().Sounds
	if partner == nil || uri == "" || sounds == nil {
		return
	}
	source, err := sounds.Open(ctx, uri, partner.Rate())
	if err != nil {
		ch.Log(call.LogWarning, "hold music %s: %v", uri, err)
		return
	}
	music := partner.Port().Play(source, media.PlayOptions{Loop: true})
	l.mu.Lock()
	old := l.music
	l.music = music
	l.mu.Unlock()
	if old != nil {
		old.Stop()
	}
}

func (l *leg) stopMusic() {
	l.mu.Lock()
	music := l.music
	l.music = nil
	l.mu.Unlock()
	if music != nil {
		music.Stop()
	}
}
