package cdr

import (
	"strconv"
	"strings"
	"time"

	"github.com/switchlet/switchlet/call/event"
)

// Record is one leg of a call that has ended. Times are zero where the call did
// not get so far.
type Record struct {
	UUID, OtherUUID string // OtherUUID is the leg that it was connected with, or ""
	Direction       string // "inbound" or "outbound", as the switch sees it
	CallerName      string
	CallerNumber    string
	Destination     string
	Context         string
	NetworkAddr     string
	Endpoint        string // the module that made the leg, "mod_sofia"
	Channel         string // its name, "sofia/internal/1000@192.0.2.7"
	User, Domain    string // who had authenticated, or was called through the directory
	Gateway         string
	AccountCode     string

	Start, Answer, Bridge, End time.Time
	Duration, Billed           time.Duration // from Start and Answer to End

	Cause          string // "NORMAL_CLEARING"
	Application    string // that ran last
	ReadCodec      string
	WriteCodec     string
	MOS            float64 // 1 to 4.5; 0: no sound came in
	Jitter         float64 // the largest, ms (RFC 3550)
	LostPackets    uint64  // lost, late and undecodable ones
	PacketsIn      uint64
	PacketsOut     uint64
	originated     bool // another leg called this one
	hasOriginatees bool // this leg called another one
}

// fromEvent reads a CHANNEL_HANGUP_COMPLETE.
func fromEvent(e *event.Event) Record {
	v := func(name string) string { return e.Get("variable_" + name) }
	r := Record{
		UUID: e.Get("Unique-ID"), OtherUUID: first(v("bridge_uuid"), v("signal_bond"), e.Get("Other-Leg-Unique-ID")),
		Direction: e.Get("Call-Direction"), CallerName: e.Get("Caller-Caller-ID-Name"),
		CallerNumber: e.Get("Caller-Caller-ID-Number"), Destination: e.Get("Caller-Destination-Number"),
		Context: e.Get("Caller-Context"), NetworkAddr: e.Get("Caller-Network-Addr"), Endpoint: e.Get("Caller-Source"),
		Channel: e.Get("Channel-Name"), User: first(v("user_name"), v("dialed_user")),
		Domain: first(v("domain_name"), v("dialed_domain")), Gateway: first(v("sip_gateway_name"), v("sip_gateway")),
		AccountCode: v("accountcode"),
		Start:       micros(v("start_uepoch")), Answer: micros(v("answer_uepoch")), Bridge: micros(v("bridge_uepoch")), End: micros(v("end_uepoch")),
		Cause: e.Get("Hangup-Cause"), Application: v("last_app"),
		ReadCodec: v("read_codec"), WriteCodec: v("write_codec"),
		MOS: real(v("rtp_audio_in_mos")), Jitter: real(v("rtp_audio_in_jitter_max_variance")), LostPackets: whole(v("rtp_audio_in_flaw_total")),
		PacketsIn: whole(v("rtp_audio_in_packet_count")), PacketsOut: whole(v("rtp_audio_out_packet_count")),
	}
	r.Duration = between(r.Start, r.End)
	r.Billed = between(r.Answer, r.End)
	switch strings.ToLower(e.Get("Other-Type")) {
	case "originator":
		r.originated = true
	case "originatee":
		r.hasOriginatees = true
	}
	if r.PacketsIn == 0 {
		r.MOS = 0
	}
	return r
}

// wanted reports whether process_cdr lets the leg be recorded.
func (r *Record) wanted(process string) bool {
	switch strings.ToLower(process) {
	case "":
		return true
	case "a_only":
		return !r.originated
	case "b_only":
		return !r.hasOriginatees
	}
	return yes(process)
}

func first(list ...string) string {
	for _, s := range list {
		if s != "" {
			return s
		}
	}
	return ""
}

// micros reads microseconds since 1970; "", "0" and nonsense are the zero time.
func micros(s string) time.Time {
	if s == "" {
		return time.Time{}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n <= 0 {
		return time.Time{}
	}
	return time.UnixMicro(n)
}

func between(from, to time.Time) time.Duration {
	if from.IsZero() || to.Before(from) {
		return 0
	}
	return to.Sub(from)
}

func whole(s string) uint64 {
	if s == "" {
		return 0
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

func real(s string) float64 {
	if s == "" {
		return 0
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f != f || f < 0 || f > 1e9 {
		return 0
	}
	return f
}
