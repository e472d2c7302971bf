package sdp

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/switchlet/switchlet/media"
	"github.com/switchlet/switchlet/media/codec"
)

// firstDynamic is the first payload type that is given to codecs without one of
// their own; 101 is left to telephone-event.
const firstDynamic = 102

// defaultDigits is the payload type of telephone-event/8000 (rfc2833-pt).
const defaultDigits = 101

// Local is our side of a description.
type Local struct {
	User      string // o- and s-line; "" is "FreeSWITCH"
	IP        string // advertised address
	Port      int    // of RTP; 0 rejects the audio
	SessionID int64  // fixed for a call
	// Version rises with each new description; the first is SessionID+1.
	Version   int64
	Direction Direction
	Proto     string // "" is RTP/AVP
	RTCPPort  int    // 0 leaves a=rtcp out
	Mux       bool   // a=rtcp-mux
	Crypto    []Crypto
	// DigitsPayload is the payload type of telephone-event/8000, 0 for 101; NoDigits leaves
	// telephone-event out.
	DigitsPayload uint8
	NoDigits      bool
	// MediaAttributes are whole a-values to add: "fingerprint:sha-256 …".
	MediaAttributes []string
}

// Digits is one telephone-event entry of an offer.
type Digits struct {
	PayloadType uint8
	Clock       int // Hz
}

// Offered is what an offer of ours contained; ReadAnswer needs it.
type Offered struct {
	Formats []media.Format
	Digits  []Digits
}

// Offer makes an offer of prefs in their order and returns it with what it contains. Entries
// whose packet time is not the first one's are left out (sip.md §8.4).
func Offer(l Local, prefs []codec.Pref) ([]byte, Offered) {
	o := plan(l, prefs)
	var b strings.Builder
	l.head(&b)
	l.audio(&b, o)
	return []byte(b.String()), o
}

// plan gives payload types to formats and to telephone-event.
func plan(l Local, prefs []codec.Pref) Offered {
	var o Offered
	used := map[uint8]bool{l.digits(): true}
	next := func() uint8 {
		for n := firstDynamic; n < 128; n++ {
			if !used[uint8(n)] {
				used[uint8(n)] = true
				return uint8(n)
			}
		}
		return 0
	}
	for _, p := range prefs {
		if p.Ptime != prefs[0].Ptime || o.has(p) {
			continue
		}
		n := p.Codec.Payload
		if n == media.DynamicPayload {
			if n = next(); n == 0 {
				break
			}
		}
		o.Formats = append(o.Formats, p.Format(n))
	}
	if l.NoDigits {
		return o
	}
	for _, f := range o.Formats {
		clock := f.Codec.ClockRate
		if o.hasDigits(clock) {
			continue
		}
		n := l.digits()
		if clock != 8000 {
			if n = next(); n == 0 {
				break
			}
		}
		o.Digits = append(o.Digits, Digits{n, clock})
	}
	return o
}

func (o Offered) has(p codec.Pref) bool {
	for _, f := range o.Formats {
		if f.Codec == p.Codec {
			return true
		}
	}
	return false
}

func (o Offered) hasDigits(clock int) bool {
	for _, d := range o.Digits {
		if d.Clock == clock {
			return true
		}
	}
	return false
}

func (l Local) digits() uint8 {
	if l.DigitsPayload != 0 {
		return l.DigitsPayload
	}
	return defaultDigits
}

// head writes the session part.
func (l Local) head(b *strings.Builder) {
	user := l.User
	if user == "" {
		user = "FreeSWITCH"
	}
	fmt.Fprintf(b, "v=0\r\no=%s %d %d IN %s %s\r\ns=%s\r\nc=IN %s %s\r\nt=0 0\r\n",
		user, l.SessionID, l.Version, family(l.IP), l.IP, user, family(l.IP), l.IP)
}

func attribute(b *strings.Builder, value string) {
	b.WriteString("a=")
	b.WriteString(strings.Map(func(r rune) rune {
		if r == '\r' || r == '\n' || r == 0 {
			return -1
		}
		return r
	}, value))
	b.WriteString("\r\n")
}

// audio writes the m-line with o and what belongs to it.
func (l Local) audio(b *strings.Builder, o Offered) {
	proto := l.Proto
	if proto == "" {
		proto = "RTP/AVP"
	}
	fmt.Fprintf(b, "m=audio %d %s", l.Port, proto)
	for _, f := range o.Formats {
		fmt.Fprintf(b, " %d", f.PayloadType)
	}
	for _, d := range o.Digits {
		fmt.Fprintf(b, " %d", d.PayloadType)
	}
	b.WriteString("\r\n")
	for _, f := range o.Formats {
		rtpmap(b, f)
	}
	for _, d := range o.Digits {
		attribute(b, fmt.Sprintf("rtpmap:%d telephone-event/%d", d.PayloadType, d.Clock))
		attribute(b, fmt.Sprintf("fmtp:%d 0-15", d.PayloadType))
	}
	if len(o.Formats) > 0 {
		attribute(b, "ptime:"+strconv.Itoa(o.Formats[0].Ptime))
	}
	if l.Direction != SendRecv {
		attribute(b, l.Direction.String())
	}
	for _, a := range l.MediaAttributes {
		attribute(b, a)
	}
	for _, c := range l.Crypto {
		attribute(b, "crypto:"+c.String())
	}
	if l.Mux {
		attribute(b, "rtcp-mux")
	}
	if l.RTCPPort != 0 {
		attribute(b, fmt.Sprintf("rtcp:%d IN %s %s", l.RTCPPort, family(l.IP), l.IP))
	}
}

func rtpmap(b *strings.Builder, f media.Format) {
	channels := ""
	if f.Codec.Channels > 1 {
		channels = "/" + strconv.Itoa(f.Codec.Channels)
	}
	attribute(b, fmt.Sprintf("rtpmap:%d %s/%d%s", f.PayloadType, f.Codec.Name, f.Codec.ClockRate, channels))
	if f.Fmtp != "" {
		attribute(b, fmt.Sprintf("fmtp:%d %s", f.PayloadType, f.Fmtp))
	}
}

// Answer makes the answer to offer with what was agreed: one codec and
// telephone-event on the m-line that Negotiate chose; every other m-line is rejected in its
// place. l.Direction bounds r.Direction; l.Proto is ignored: the offer's is repeated.
func Answer(l Local, offer *Session, r Result) []byte {
	var b strings.Builder
	l.head(&b)
	for i := range offer.Media {
		m := &offer.Media[i]
		if i != r.Media {
			reject(&b, m)
			continue
		}
		l.Proto = m.Proto
		l.Direction = r.Direction.And(l.Direction)
		f := r.Format
		f.Fmtp = answerFmtp(f, f.Codec.Fmtp)
		o := Offered{Formats: []media.Format{f}}
		if r.Digits != 0 && !l.NoDigits {
			o.Digits = []Digits{{r.Digits, r.DigitsClock}}
		}
		l.Mux = l.Mux && r.Mux
		if l.Mux && l.RTCPPort != 0 {
			l.RTCPPort = l.Port
		}
		if r.Level.ID != 0 {
			l.MediaAttributes = append(slices.Clip(l.MediaAttributes), r.Level.String())
		}
		l.audio(&b, o)
	}
	return []byte(b.String())
}

// reject answers an m-line with port 0. FreeSWITCH lists payload type 19 there.
func reject(b *strings.Builder, m *Media) {
	list := "19"
	if !strings.Contains(strings.ToUpper(m.Proto), "RTP/") && len(m.Formats) > 0 {
		list = m.Formats[0]
	}
	fmt.Fprintf(b, "m=%s 0 %s %s\r\n", m.Kind, m.Proto, list)
}
