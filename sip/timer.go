package sip

import (
	"strconv"
	"strings"
	"time"

	wire "github.com/emiago/sipgo/sip"

	"github.com/switchlet/switchlet/call"
)

// sessionSeconds is the session timer that we ask for, 0 for none.
func (l *leg) sessionSeconds(ch *call.Channel) int {
	s := l.profile.settings()
	if !s.enableTimer {
		return 0
	}
	n := s.sessionTimeout
	if v := ch.Get("sofia_session_timeout"); v != "" {
		if i, err := strconv.Atoi(v); err == nil && i >= 0 {
			n = i
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.expires > 0 {
		return l.expires
	}
	if n > 0 {
		n = max(n, s.minSE)
	}
	return n
}

// sessionTimerOffer adds Session-Expires to an INVITE of ours (spec/sip.md §7.3). We
// refresh, unless the far end does so already (RFC 4028 §7.4).
func (l *leg) sessionTimerOffer(ch *call.Channel, req *wire.Request) {
	n := l.sessionSeconds(ch)
	if n == 0 {
		return
	}
	refresher := "uac"
	l.mu.Lock()
	if l.state >= legAnswered && l.expires > 0 && !l.refresher {
		refresher = "uas"
	}
	least := max(l.profile.settings().minSE, l.minSE)
	l.mu.Unlock()
	put(req, field{"Session-Expires", strconv.Itoa(n) + ";refresher=" + refresher}, field{"Min-SE", strconv.Itoa(least)})
}

// maxSession is the longest interval that is taken, in seconds.
const maxSession = 7 * 86400

// parseSessionExpires reads "1800;refresher=uas".
func parseSessionExpires(v string) (seconds int, refresher string) {
	first, params, _ := strings.Cut(v, ";")
	n, err := strconv.Atoi(strings.TrimSpace(first))
	if err != nil || n <= 0 || n > maxSession {
		return 0, ""
	}
	for p := range strings.SplitSeq(params, ";") {
		if name, value, ok := strings.Cut(strings.TrimSpace(p), "="); ok && strings.EqualFold(name, "refresher") {
			refresher = strings.ToLower(strings.TrimSpace(value))
		}
	}
	return n, refresher
}

// sessionExpires is the header in either form.
func sessionExpires(m wire.Message) string { return or(header(m, "Session-Expires"), header(m, "x")) }

// tooShort reports whether an INVITE wants a session interval below the profile's minimum:
// it is refused with 422, if its sender can understand that (RFC 4028 §9) or the profile
// asks for it by minimum-session-expires.
func (s *settings) tooShort(req *wire.Request) bool {
	first, _, _ := strings.Cut(sessionExpires(req), ";")
	n, err := strconv.Atoi(strings.TrimSpace(first))
	return err == nil && n >= 0 && n < s.minSE && s.enableTimer && (s.minSESet || hasOption(req, "Supported", "timer"))
}

// refuseShort answers an INVITE that is tooShort.
func (p *Profile) refuseShort(req *wire.Request, tx *wire.ServerTx) {
	p.respond(req, tx, 422, phrase(422), field{"Min-SE", strconv.Itoa(p.settings().minSE)})
}

// sessionTimerAnswer adds what was agreed to our 200 of an inbound call; the far
// end refreshes.
func (l *leg) sessionTimerAnswer(ch *call.Channel, res *wire.Response, status int) {
	if status != 200 {
		return
	}
	s := l.profile.settings()
	l.mu.Lock()
	invite := l.invite
	l.mu.Unlock()
	n, refresher := parseSessionExpires(sessionExpires(invite))
	if !s.enableTimer || n == 0 || !strings.Contains(strings.ToLower(get(invite, "Supported")), "timer") {
		return
	}
	n = max(n, s.minSE)
	l.mu.Lock()
	l.expires, l.refresher = n, refresher == "uas"
	l.mu.Unlock()
	l.putSession(res, n, or(refresher, "uac"))
}

func (l *leg) putSession(res *wire.Response, n int, refresher string) {
	if v := l.get("sip_require_timer"); v == "" || call.True(v) {
		put(res, field{"Require", "timer"})
	}
	put(res, field{"Session-Expires", strconv.Itoa(n) + ";refresher=" + refresher})
}

// refreshTimer answers the Session-Expires of a re-INVITE or UPDATE and begins
// the time anew.
func (l *leg) refreshTimer(req *wire.Request, res *wire.Response) {
	n, refresher := parseSessionExpires(sessionExpires(req))
	if n == 0 || !l.profile.settings().enableTimer {
		l.startTimer()
		return
	}
	n = max(n, l.profile.settings().minSE)
	l.mu.Lock()
	l.expires, l.refresher = n, refresher == "uas"
	l.mu.Unlock()
	l.putSession(res, n, or(refresher, "uac"))
	l.startTimer()
}

// timerAccepted takes what the 200 to an INVITE of ours says, and begins the time
// anew. One that says nothing does not stop us from refreshing.
func (l *leg) timerAccepted(res *wire.Response) {
	n, refresher := parseSessionExpires(sessionExpires(res))
	l.mu.Lock()
	if n > 0 || !l.refresher {
		l.expires, l.refresher = n, n > 0 && refresher != "uas"
	}
	l.mu.Unlock()
	l.startTimer()
}

// maxShort is how many 422 one session may get: each proxy on the way may ask for more.
const maxShort = 8

// longer takes the interval that a 422 to an INVITE or UPDATE of ours asks for, and reports
// whether to ask with it: it is longer than what was asked for, and ours to choose.
func (l *leg) longer(req *wire.Request, res *wire.Response) bool {
	first, _, _ := strings.Cut(header(res, "Min-SE"), ";")
	n, err := strconv.Atoi(strings.TrimSpace(first))
	asked, _ := parseSessionExpires(sessionExpires(req))
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil || n <= asked || n > maxSession || l.short >= maxShort || l.state == legEnded || !l.profile.settings().enableTimer {
		return false
	}
	l.short++
	l.expires, l.minSE = n, n
	return true
}

// retryTimer sends the INVITE again with the interval that a 422 asks for.
func (l *leg) retryTimer(ch *call.Channel, req *wire.Request, res *wire.Response) bool {
	if !l.longer(req, res) {
		return false
	}
	again := l.buildInvite(ch, sdpOf(req))
	l.mu.Lock()
	l.invite, l.provisional, l.auths = again, false, 0 // they ask who we are for this one, too
	l.mu.Unlock()
	l.dispatch(ch, again)
	return true
}

// startTimer begins the session interval: at half of it we refresh, if that is
// ours to do; near its end the call is over.
func (l *leg) startTimer() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.timer != nil {
		l.timer.Stop()
		l.timer = nil
	}
	if l.expires == 0 || l.state == legEnded || l.ch == nil {
		return
	}
	interval := time.Duration(l.expires) * time.Second
	ch := l.ch
	if l.refresher {
		l.timer = time.AfterFunc(interval/2, func() { ch.Switch().Go(func() { l.refresh(ch) }) })
		return
	}
	l.timer = time.AfterFunc(interval-min(32*time.Second, interval/3), func() {
		ch.Log(call.LogWarning, "%s: session timer expired", ch.Name())
		l.terminate(termination{disposition: "send_bye", status: 408, cause: call.CauseRecoveryOnTimerExpire})
		ch.Hangup(call.CauseRecoveryOnTimerExpire)
	})
}

// refresh sends the re-INVITE of the session timer, or an UPDATE where update-refresher
// or sip_update_refresher asks for that and the far end takes it.
func (l *leg) refresh(ch *call.Channel) {
	if !ch.Up() {
		return
	}
	if (l.profile.settings().updateRefresher || ch.True("sip_update_refresher")) && l.refreshByUpdate(ch) {
		l.startTimer()
		return
	}
	if err := l.reinvite(ch.Context(), ch); err != nil && ch.Up() {
		ch.Log(call.LogWarning, "%s: session refresh: %v", ch.Name(), err)
		ch.Hangup(call.CauseRecoveryOnTimerExpire)
	}
}

// refreshByUpdate refreshes the session without a description (RFC 4028 §7.4); false:
// the far end did not take it.
func (l *leg) refreshByUpdate(ch *call.Channel) bool {
	req := l.request(wire.UPDATE)
	l.sessionTimerOffer(ch, req)
	setBody(req, "", nil)
	done := make(chan int, 1)
	l.profile.transact(req, nil, func(res *wire.Response, err error) {
		status := 408
		if res != nil {
			status = res.StatusCode
		}
		if status >= 200 {
			switch {
			case status < 300:
				l.timerAccepted(res)
			case status == 422:
				l.longer(req, res) // which a re-INVITE asks for
			}
			select {
			case done <- status:
			default:
			}
		}
	})
	select {
	case status := <-done:
		return status < 300
	case <-ch.Context().Done():
		return true
	}
}
