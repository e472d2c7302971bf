package call

import (
	"strconv"
	"strings"
	"time"

	"github.com/switchlet/switchlet/call/expand"
)

// Profile is the caller profile: who calls, who is called, where it is routed.
// A transfer makes a new one (Index rises). Field names are those that dialplan
// conditions use (spec/api-commands.md §6).
type Profile struct {
	Direction        string // "inbound" or "outbound", as shown
	LogicalDirection string
	Username         string
	Dialplan         string
	CallerName       string
	CallerNumber     string
	OrigCallerName   string
	OrigCallerNumber string
	CalleeName       string
	CalleeNumber     string
	NetworkAddr      string
	ANI              string
	ANIII            string
	Destination      string
	UUID             string
	Source           string
	TransferSource   string
	Context          string
	RDNIS            string
	ChannelName      string
	Index            int
	Soft             []Var // soft profile variables, in order of setting

	HideName, HideNumber bool
	ScreenBit            bool

	Times Times
}

// inert makes sure that the fields are no more than names and numbers, for most of them
// are what a far end said, and dialplans make arguments and names of files of them: no
// ${ that an expansion would take for a variable or a command, no way up a directory,
// no control characters. The destination of the dialplan "inline" is a program, and
// stays one.
func (p *Profile) inert() {
	for _, s := range []*string{&p.Username, &p.CallerName, &p.CallerNumber, &p.OrigCallerName, &p.OrigCallerNumber, &p.CalleeName,
		&p.CalleeNumber, &p.NetworkAddr, &p.ANI, &p.ANIII, &p.UUID, &p.Context, &p.RDNIS, &p.ChannelName} {
		*s = tame(*s)
	}
	if !strings.EqualFold(p.Dialplan, "inline") {
		p.Destination = tame(p.Destination)
	}
}

// tame is a text that a far end chose as inert has it.
func tame(s string) string {
	s = strings.ReplaceAll(expand.Inert(s), "../", ".._")
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] == 0x7f {
			return strings.Map(func(r rune) rune {
				if r < ' ' || r == 0x7f {
					return ' '
				}
				return r
			}, s)
		}
	}
	return s
}

// Times are the moments of a call; the zero time means "not yet".
type Times struct {
	ProfileCreated, Created, Answered, Progress, ProgressMedia time.Time
	Hungup, Transferred, Resurrected, Bridged, LastHold        time.Time
	HoldAccum                                                  time.Duration
}

// Var is one variable.
type Var struct{ Name, Value string }

// micros is t in microseconds since the epoch, "0" for the zero time.
func micros(t time.Time) string {
	if t.IsZero() {
		return "0"
	}
	return strconv.FormatInt(t.UnixMicro(), 10)
}

// Field returns the field of that name (any case), or a soft variable.
func (p *Profile) Field(name string) string {
	switch strings.ToLower(name) {
	case "dialplan":
		return p.Dialplan
	case "username":
		return p.Username
	case "caller_id_name":
		return p.CallerName
	case "caller_id_number":
		return p.CallerNumber
	case "orig_caller_id_name":
		return p.OrigCallerName
	case "orig_caller_id_number":
		return p.OrigCallerNumber
	case "callee_id_name":
		return p.CalleeName
	case "callee_id_number":
		return p.CalleeNumber
	case "ani":
		return p.ANI
	case "aniii":
		return p.ANIII
	case "network_addr":
		return p.NetworkAddr
	case "rdnis":
		return p.RDNIS
	case "destination_number":
		return p.Destination
	case "uuid":
		return p.UUID
	case "source":
		return p.Source
	case "transfer_source":
		return p.TransferSource
	case "context":
		return p.Context
	case "chan_name":
		return p.ChannelName
	case "profile_index":
		return strconv.Itoa(p.Index)
	case "screen_bit":
		return strconv.FormatBool(p.ScreenBit)
	case "privacy_hide_name":
		return strconv.FormatBool(p.HideName)
	case "privacy_hide_number":
		return strconv.FormatBool(p.HideNumber)
	case "profile_created_time":
		return micros(p.Times.ProfileCreated)
	case "created_time":
		return micros(p.Times.Created)
	case "answered_time":
		return micros(p.Times.Answered)
	case "progress_time":
		return micros(p.Times.Progress)
	case "progress_media_time":
		return micros(p.Times.ProgressMedia)
	case "hungup_time":
		return micros(p.Times.Hungup)
	case "transferred_time":
		return micros(p.Times.Transferred)
	}
	for _, v := range p.Soft {
		if strings.EqualFold(v.Name, name) {
			return v.Value
		}
	}
	return ""
}

// SetField sets the field of that name; a name that is no field becomes a soft
// variable (application set_profile_var).
func (p *Profile) SetField(name, value string) {
	switch strings.ToLower(name) {
	case "dialplan":
		p.Dialplan = value
	case "username":
		p.Username = value
	case "caller_id_name":
		p.CallerName = value
	case "caller_id_number":
		p.CallerNumber = value
	case "callee_id_name":
		p.CalleeName = value
	case "callee_id_number":
		p.CalleeNumber = value
	case "ani":
		p.ANI = value
	case "aniii":
		p.ANIII = value
	case "network_addr":
		p.NetworkAddr = value
	case "rdnis":
		p.RDNIS = value
	case "destination_number":
		p.Destination = value
	case "uuid":
		p.UUID = value
	case "source":
		p.Source = value
	case "context":
		p.Context = value
	case "chan_name":
		p.ChannelName = value
	default:
		for i, v := range p.Soft {
			if strings.EqualFold(v.Name, name) {
				p.Soft[i].Value = value
				return
			}
		}
		p.Soft = append(p.Soft, Var{name, value})
	}
}

// Has reports whether a field of that name can be set, other than a soft variable.
func (p *Profile) Has(name string) bool {
	var probe Profile
	probe.SetField(name, "x")
	return len(probe.Soft) == 0
}

func (p *Profile) clone() *Profile {
	q := *p
	q.Soft = append([]Var(nil), p.Soft...)
	return &q
}
