package webrtc

import (
	"errors"
	"strings"
	"time"

	"github.com/switchlet/switchlet/call"
)

// method is one row of the table of requests.
type method struct {
	run  func(*socket, params) (object, *failure)
	slow bool // it may wait for other things: it runs beside the reader
}

// methodTable lists the requests of clients (spec/verto.md §3).
func (s *Server) methodTable() map[string]method {
	return map[string]method{
		"login":             {run: (*socket).login},
		"verto.ping":        {run: (*socket).ping},
		"echo":              {run: (*socket).echo},
		"verto.invite":      {run: (*socket).invite},
		"verto.answer":      {run: (*socket).answer},
		"verto.attach":      {run: (*socket).reattach},
		"verto.bye":         {run: (*socket).bye},
		"verto.modify":      {run: (*socket).modify},
		"verto.info":        {run: (*socket).info},
		"verto.subscribe":   {run: (*socket).subscribe},
		"verto.unsubscribe": {run: (*socket).unsubscribe},
		"verto.broadcast":   {run: (*socket).broadcast},
		"jsapi":             {run: (*socket).jsapi, slow: true},
		"fsapi":             {run: (*socket).fsapi, slow: true},
	}
}

func (k *socket) login(params) (object, *failure) {
	who := k.who()
	o := who.loginResult()
	if list := k.profile.ice.object(who.uid, time.Now()); list != nil {
		o = o.with("iceServers", list)
	}
	return o, nil
}

func (k *socket) ping(params) (object, *failure) {
	return append(k.who().expiry(), member{"message", "PONG"}), nil
}

func (k *socket) echo(p params) (object, *failure) {
	if p == nil {
		return nil, fail(codeDenied, "Permission Denied")
	}
	var o object
	for name, v := range p {
		o = o.with(name, v)
	}
	return o, nil
}

// dialog reads what every request about a call has: dialogParams and callID.
func dialog(p params) (dp params, id, missing string) {
	if p == nil {
		return nil, "", "Params data missing"
	}
	if dp = p.object("dialogParams"); dp == nil {
		return nil, "", "Dialog data missing"
	}
	if id = dp.text("callID"); id == "" {
		return dp, "", "CallID missing"
	}
	return dp, id, ""
}

const noCall = "CALL DOES NOT EXIST"

// mine finds a call of this session; nil for everybody else's, and for a socket that
// another one of the session has replaced and that is not closed yet.
func (k *socket) mine(id string) *leg {
	sessid, a := k.session(), k.who()
	k.server.mu.Lock()
	defer k.server.mu.Unlock()
	l := k.server.legs[id]
	if l == nil || l.sessid != sessid || l.uid != a.uid || k.server.sessions[sessid] != k {
		return nil
	}
	return l
}

// callError is the error object of verto.invite.
func callError(cause call.Cause) *failure {
	return &failure{object: object{{"message", "CALL ERROR"}, {"causeCode", int(cause)}, {"cause", cause.String()}, {"code", codeSession}}}
}

// maxCallID bounds a call's identity, which the browser chooses.
const maxCallID = 128

func validCallID(id string) bool { return len(id) <= maxCallID && safeName(id) }

// invite makes a call (spec/verto.md §5).
func (k *socket) invite(p params) (object, *failure) {
	dp, id, missing := dialog(p)
	sdp, _ := p["sdp"].(string)
	if missing != "" || sdp == "" || len(sdp) > maxDescription || !validCallID(id) {
		return nil, callError(call.CauseInvalidMsgUnspecified)
	}
	s, a := k.server, k.who()
	if s.net == nil {
		return nil, callError(call.CauseServiceUnavailable)
	}
	l := &leg{server: s, uuid: id, sessid: k.session(), uid: a.uid, profile: k.profile, account: a, socket: k, offer: sdp, keep: true}
	if keep, ok := dp["recoverCall"].(bool); ok {
		l.keep = keep
	}
	destination := dp.brief("destination_number")
	if destination == "" {
		destination = "service"
	}
	ch, err := s.sw.NewChannel(l, call.NewChannelOptions{UUID: id, Name: endpointName + "/" + destination, Module: moduleName,
		Profile: k.callerProfile(dp, destination), Vars: l.inboundVars(k, dp)})
	if err != nil {
		return nil, callError(call.CauseOf(err, call.CauseDestinationOutOfOrder))
	}
	if cause := s.enlist(l, ch); cause != call.CauseNone {
		ch.Abandon(cause)
		return nil, callError(cause)
	}
	ch.Start()
	return object{{"message", "CALL CREATED"}, {"callID", id}}, nil
}

// enlist makes a leg known, or says why it must not be: the server is closing, or the
// socket that called is no longer the session's, so that its end would not be the call's.
func (s *Server) enlist(l *leg, ch *call.Channel) call.Cause {
	s.mu.Lock()
	defer s.mu.Unlock()
	l.ch, l.serial = ch, ch.Serial()
	switch {
	case s.ctx.Err() != nil:
		return call.CauseSystemShutdown
	case !l.outbound && s.sessions[l.sessid] != l.socket:
		return call.CauseDestinationOutOfOrder
	}
	s.legs[l.uuid] = l
	return call.CauseNone
}

// callerProfile is who calls. A logged-in user is who the directory says, not who
// the browser says, unless the profile allows that (spec/verto.md §13.4).
func (k *socket) callerProfile(dp params, destination string) call.Profile {
	a := k.who()
	name, number := dp.brief("caller_id_name"), dp.brief("caller_id_number")
	if a.user != nil && !k.profile.clientCaller {
		name, number = a.displayName(), a.params.Get("caller-id-number")
		if number == "" {
			number = a.id
		}
		if name == "" {
			if name = a.variable("effective_caller_id_name"); name == "" {
				name = number
			}
		}
	}
	return call.Profile{Username: a.uid, Dialplan: a.dialplan, Context: a.context, CallerName: name, CallerNumber: number,
		NetworkAddr: k.ip.String(), ANI: orElse(dp.brief("ani"), number), ANIII: dp.brief("aniii"), RDNIS: dp.brief("rdnis"), Destination: destination}
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// sessionVars are the variables of every channel of a session, in the
// reference's order (spec/verto.md §5).
func sessionVars(k *socket, a *account, sessid string) []call.Var {
	vars := []call.Var{{Name: "jsock_uuid_str", Value: sessid}, {Name: "verto_user", Value: a.uid}, {Name: "presence_id", Value: a.uid},
		{Name: "verto_client_address", Value: k.remote}, {Name: "chat_proto", Value: "verto"}, {Name: "verto_host", Value: a.domain},
		{Name: "event_channel_cookie", Value: sessid}, {Name: "verto_profile_name", Value: k.profile.name}}
	if a.user != nil {
		for _, v := range a.user.Variables {
			vars = append(vars, call.Var{Name: v.Name, Value: v.Value})
		}
		vars = append(vars, call.Var{Name: "user_name", Value: a.id}, call.Var{Name: "domain_name", Value: a.domain})
	}
	return append(vars, a.uvars...)
}

func (l *leg) inboundVars(k *socket, dp params) []call.Var {
	vars := dialogVars(dp)
	vars = append(vars, sessionVars(k, l.account, l.sessid)...)
	name, number := dp.brief("remote_caller_id_name"), dp.brief("remote_caller_id_number")
	return append(vars, call.Var{Name: "verto_client_caller_id_name", Value: dp.brief("caller_id_name")},
		call.Var{Name: "verto_client_caller_id_number", Value: dp.brief("caller_id_number")},
		call.Var{Name: "verto_remote_caller_id_name", Value: name}, call.Var{Name: "verto_remote_caller_id_number", Value: number},
		call.Var{Name: "switch_r_sdp", Value: l.offer}, call.Var{Name: "secondary_recovery_module", Value: moduleName})
}

// Bounds of the variables that a page may give one of its calls; in a conference they
// are in every row that tells of it.
const (
	maxOwnVars  = 64
	maxOwnBytes = 16 << 10 // names and values
	ownPrefix   = "verto_dvar_"
)

// remember sets variables of a page beside those that the call has, within bounds.
func (l *leg) remember(vars []call.Var) {
	count, bytes := 0, 0
	for _, v := range l.ch.Vars().All() {
		if strings.HasPrefix(v.Name, ownPrefix) {
			count, bytes = count+1, bytes+len(v.Name)+len(v.Value)
		}
	}
	for _, v := range vars {
		if strings.HasPrefix(v.Name, ownPrefix) {
			old, known := l.ch.Vars().Lookup(v.Name)
			n, size := count, bytes+len(v.Value)-len(old)
			if !known {
				n, size = n+1, size+len(v.Name)
			}
			if n > maxOwnVars || size > maxOwnBytes {
				continue
			}
			count, bytes = n, size
		}
		l.ch.SetPlain(v.Name, v.Value)
	}
}

// dialogVars are what dialogParams says of variables and of the microphone.
func dialogVars(dp params) []call.Var {
	var vars []call.Var
	bytes := 0
	for name, v := range dp.object("userVariables") {
		text, ok := wordOf(v)
		size := len(ownPrefix) + len(name) + len(text)
		if ok && safeName(name) && len(vars) < maxOwnVars && bytes+size <= maxOwnBytes {
			vars, bytes = append(vars, call.Var{Name: ownPrefix + name, Value: text}), bytes+size
		}
	}
	if audio := dp.object("audio"); audio != nil {
		for _, what := range []string{"echoCancellation", "noiseSuppression", "autoGainControl"} {
			value := "false"
			if audio.flag(what) || audio.flag("goog"+strings.ToUpper(what[:1])+what[1:]) {
				value = "true"
			}
			vars = append(vars, call.Var{Name: "verto_" + what, Value: value})
		}
	}
	return vars
}

// answer takes the browser's answer to verto.invite.
func (k *socket) answer(p params) (object, *failure) {
	dp, id, missing := dialog(p)
	sdp, _ := p["sdp"].(string)
	switch {
	case missing != "":
		return nil, refusal(missing)
	case sdp == "":
		return nil, refusal("SDP missing")
	}
	l := k.mine(id)
	if l == nil || !l.outbound || l.ch.Answered() {
		return nil, refusal(noCall)
	}
	if err := l.accepted(sdp, dp); err != nil {
		return nil, l.mediaFailure(err, "CODEC ERROR")
	}
	return object{}, nil
}

// mediaFailure is the error object of a description that does not fit: codecs
// leave the call as it is, anything else ends it.
func (l *leg) mediaFailure(err error, codecText string) *failure {
	l.ch.Log(call.LogErr, "%s: %v", l.ch.Name(), err)
	if errors.Is(err, errNoCodec) || errors.Is(err, errNoAudio) || errors.Is(err, errDescription) || errors.Is(err, errUnreachable) {
		return refusal(codecText)
	}
	l.ch.SetPlain("endpoint_disposition", "MEDIA ERROR")
	l.ch.Hangup(call.CauseDestinationOutOfOrder)
	return refusal("MEDIA ERROR")
}

// accepted takes the browser's answer to our offer; the call counts as answered
// when sound can flow, or soon after.
func (l *leg) accepted(sdp string, dp params) error {
	l.negotiating.Lock()
	defer l.negotiating.Unlock()
	d, at, a, cands, err := l.agree(sdp, l.prefs(l.profile.outbound))
	if err != nil {
		return err
	}
	l.mu.Lock()
	pr, done := l.peer, l.told
	l.told = true
	l.mu.Unlock()
	if pr == nil || done {
		return call.ErrHungup
	}
	if err := pr.answered(&d.sections[at], &a, cands); err != nil {
		return err
	}
	l.ch.SetPlain("switch_r_sdp", sdp)
	if name, number := dp.brief("callee_id_name"), dp.brief("callee_id_number"); name != "" || number != "" {
		l.ch.SetPlain("verto_client_callee_id_name", name)
		l.ch.SetPlain("verto_client_callee_id_number", number)
	}
	l.applyUser()
	l.establish(pr, a)
	l.server.work.Add(1)
	go func() {
		defer l.server.work.Done()
		l.awaitMedia(l.ch.Context())
		l.ch.MarkAnswered()
	}()
	return nil
}

// applyUser puts the variables of the answering user on the channel.
func (l *leg) applyUser() {
	if l.account.user == nil || l.ch.True("verto_skip_set_user") {
		return
	}
	for _, v := range l.account.user.Variables {
		l.ch.SetPlain(v.Name, v.Value)
	}
	l.ch.SetPlain("user_name", l.account.id)
	l.ch.SetPlain("domain_name", l.account.domain)
}

// bye ends a call.
func (k *socket) bye(p params) (object, *failure) {
	_, id, missing := dialog(p)
	if missing != "" {
		return nil, refusal(missing)
	}
	cause := call.CauseNormalClearing
	if c, ok := call.LookupCause(p.text("cause")); ok && c != call.CauseNone {
		cause = c
	} else if v := p.text("causeCode"); v != "" {
		cause = call.ParseCause(v)
	}
	if cause.String() == "UNKNOWN" {
		cause = call.CauseNormalClearing
	}
	l := k.mine(id)
	if l == nil {
		return nil, &failure{object: object{{"callID", id}, {"message", noCall}, {"code", codeSession}}}
	}
	l.mu.Lock()
	l.byed = true
	l.mu.Unlock()
	l.ch.SetPlain("verto_hangup_disposition", "recv_bye")
	l.ch.Hangup(cause)
	return object{{"callID", id}, {"message", "CALL ENDED"}, {"causeCode", int(cause)}, {"cause", cause.String()}}, nil
}
