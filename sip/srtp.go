package sip

import (
	"crypto/rand"
	"slices"
	"strings"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/media/rtp"
	"github.com/switchlet/switchlet/media/sdp"
)

// suiteAliases are other names of suites.
var suiteAliases = map[string]string{"AES_CM_256_HMAC_SHA1_80": "AES_256_CM_HMAC_SHA1_80", "AES_CM_256_HMAC_SHA1_32": "AES_256_CM_HMAC_SHA1_32"}

// secureMedia reads rtp_secure_media and its kin (spec/sip.md §9.7): what the leg
// wants of SRTP, and the suites it may use, best first. Unsaid, SRTP is taken where
// it is offered and not offered by us.
func (l *leg) secureMedia(ch *call.Channel) (sdp.Security, []string) {
	name, policy := "rtp_secure_media_inbound", sdp.SecureOptional
	if l.outbound {
		name, policy = "rtp_secure_media_outbound", sdp.SecureForbidden
	}
	v := or(ch.Get(name), ch.Get("rtp_secure_media"))
	word, list, _ := strings.Cut(v, ":")
	switch {
	case word == "":
	case strings.EqualFold(word, "mandatory"), call.True(word):
		policy = sdp.SecureMandatory
	case strings.EqualFold(word, "optional"):
		policy = sdp.SecureOptional
	default:
		policy = sdp.SecureForbidden
	}
	list = or(list, ch.Get("rtp_secure_media_suites"))
	if list == "" {
		return policy, rtp.Suites()
	}
	var suites []string
	for _, s := range strings.FieldsFunc(strings.ToUpper(list), func(r rune) bool { return r == ':' || r == '|' || r == ',' || r == ' ' }) {
		if other := suiteAliases[s]; other != "" {
			s = other
		}
		if rtp.KeyLen(s) > 0 && !slices.Contains(suites, s) {
			suites = append(suites, s)
		}
	}
	return policy, suites
}

// ownKey is the leg's key for a suite; l.mu is held.
func (l *leg) ownKey(suite string) []byte {
	for _, c := range l.sound.keys {
		if c.Suite == suite {
			return c.Key
		}
	}
	key := make([]byte, rtp.KeyLen(suite))
	rand.Read(key) // never fails (crypto/rand)
	l.sound.keys = append(l.sound.keys, sdp.Crypto{Tag: len(l.sound.keys) + 1, Suite: suite, Key: key})
	return key
}

// offerKeys puts keys into an offer of ours: mandatory as RTP/SAVP, optional as
// RTP/AVP with keys (RFC 8643). Once encrypted, a leg stays so.
func (l *leg) offerKeys(ch *call.Channel, d *sdp.Local) error {
	policy, suites := l.secureMedia(ch)
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := l.sound.secure.Suite; now != "" {
		policy, suites = sdp.SecureMandatory, []string{now}
	}
	if policy == sdp.SecureForbidden {
		return nil
	}
	if len(suites) == 0 {
		ch.Log(call.LogErr, "rtp_secure_media: none of the suites is known; there are %s", strings.Join(rtp.Suites(), " "))
		return call.CauseIncompatibleDestination
	}
	for i, suite := range suites {
		d.Crypto = append(d.Crypto, sdp.Crypto{Tag: i + 1, Suite: suite, Key: l.ownKey(suite)})
	}
	if policy == sdp.SecureMandatory {
		d.Proto = "RTP/SAVP"
	}
	return nil
}

// usable reports whether a line has what we can do: a known suite, its whole key,
// and nothing that must be done in another way.
func usable(c sdp.Crypto, suites []string) bool {
	if c.MKI != "" || len(c.Key) == 0 || len(c.Key) != rtp.KeyLen(c.Suite) || !slices.Contains(suites, c.Suite) {
		return false
	}
	for _, p := range strings.Fields(c.SessionParams) {
		if !strings.HasPrefix(p, "-") && !strings.HasPrefix(p, "WSH=") {
			return false
		}
	}
	return true
}

// offeredSuite is the first suite of an offer that we know, as it is written; the
// dialplan sees it as rtp_has_crypto.
func offeredSuite(body []byte) string {
	offer, err := sdp.Parse(body)
	if err != nil {
		return ""
	}
	for i := range offer.Media {
		if m := &offer.Media[i]; m.Kind == "audio" && m.Port != 0 {
			list := m.Crypto()
			for j, c := range canonical(list) {
				if usable(c, rtp.Suites()) {
					return list[j].Suite
				}
			}
		}
	}
	return ""
}

// canonical gives suites the names that we have for them.
func canonical(list []sdp.Crypto) []sdp.Crypto {
	list = slices.Clone(list)
	for i := range list {
		if other := suiteAliases[list[i].Suite]; other != "" {
			list[i].Suite = other
		}
	}
	return list
}

// takeKeys chooses from the keys of the far end's offer. The error is a cause.
func (l *leg) takeKeys(ch *call.Channel, r sdp.Result) error {
	policy, suites := l.secureMedia(ch)
	l.mu.Lock()
	defer l.mu.Unlock()
	must := strings.Contains(strings.ToUpper(r.Proto), "SAVP") || policy == sdp.SecureMandatory || l.sound.secure.Suite != ""
	if policy == sdp.SecureForbidden && !must {
		return nil
	}
	for i, c := range canonical(r.Crypto) {
		if !usable(c, suites) {
			continue
		}
		if now := l.sound.secure.Suite; now != "" && now != c.Suite {
			// A suite that comes back begins to count packets anew, and must not do that
			// with a key that it had.
			l.sound.keys = nil
		}
		// The answer repeats tag and suite as they were offered (RFC 4568 §5.1.2).
		l.sound.secured = sdp.Crypto{Tag: c.Tag, Suite: r.Crypto[i].Suite, Key: l.ownKey(c.Suite)}
		l.sound.secure = rtp.Keys{Suite: c.Suite, Local: l.sound.secured.Key, Remote: c.Key}
		return nil
	}
	if must {
		ch.Log(call.LogErr, "SDP: the offer must be encrypted, and has no key that fits; there are %s", strings.Join(suites, " "))
		return call.CauseIncompatibleDestination
	}
	return nil
}

// answeredKeys takes the key of the answer to our offer. The error is a cause.
func (l *leg) answeredKeys(ch *call.Channel, r sdp.Result) error {
	policy, suites := l.secureMedia(ch)
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := l.sound.secure.Suite; now != "" {
		policy, suites = sdp.SecureMandatory, []string{now}
	}
	for _, c := range canonical(r.Crypto) {
		if policy != sdp.SecureForbidden && usable(c, suites) {
			l.sound.secure = rtp.Keys{Suite: c.Suite, Local: l.ownKey(c.Suite), Remote: c.Key}
			return nil
		}
	}
	if policy == sdp.SecureMandatory || strings.Contains(strings.ToUpper(r.Proto), "SAVP") {
		ch.Log(call.LogErr, "SDP: the answer has no key, and the call must be encrypted")
		return call.CauseIncompatibleDestination
	}
	return nil
}

// encrypt gives the session its keys, if any were agreed. It hangs up and returns
// false when they cannot be used: nothing goes out in plain text instead.
func (l *leg) encrypt(ch *call.Channel, session *rtp.Session) bool {
	l.mu.Lock()
	keys := l.sound.secure
	l.mu.Unlock()
	if keys.Suite == "" {
		return true
	}
	if err := session.Secure(keys); err != nil {
		ch.Log(call.LogErr, "sip: %v", err)
		ch.Hangup(call.CauseIncompatibleDestination)
		return false
	}
	if ch.Get("rtp_has_crypto") == "" {
		ch.SetPlain("rtp_has_crypto", keys.Suite)
	}
	ch.SetPlain("rtp_secure_media_negotiated", keys.Suite)
	ch.SetPlain("rtp_secure_media_confirmed", "true")
	ch.SetPlain("rtp_secure_media_confirmed_audio", "true")
	return true
}
