package cdr

import (
	"strconv"
	"strings"

	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/call/expand"
)

// fields are the caller profile's names as templates have them, and the headers
// that hold them (spec/api-commands.md §6, spec/esl.md §4.4).
var fields = map[string]string{
	"dialplan": "Dialplan", "username": "Username", "caller_id_name": "Caller-ID-Name", "caller_id_number": "Caller-ID-Number",
	"orig_caller_id_name": "Orig-Caller-ID-Name", "orig_caller_id_number": "Orig-Caller-ID-Number",
	"callee_id_name": "Callee-ID-Name", "callee_id_number": "Callee-ID-Number", "ani": "ANI", "aniii": "ANI-II",
	"network_addr": "Network-Addr", "rdnis": "RDNIS", "destination_number": "Destination-Number", "uuid": "Unique-ID",
	"source": "Source", "transfer_source": "Transfer-Source", "context": "Context", "chan_name": "Channel-Name",
	"profile_index": "Profile-Index", "screen_bit": "Screen-Bit", "privacy_hide_name": "Privacy-Hide-Name",
	"privacy_hide_number": "Privacy-Hide-Number", "profile_created_time": "Profile-Created-Time",
	"created_time": "Channel-Created-Time", "answered_time": "Channel-Answered-Time", "progress_time": "Channel-Progress-Time",
	"hungup_time": "Channel-Hangup-Time", "transferred_time": "Channel-Transfer-Time",
}

// fill expands a template as the channel would have at its reporting: variables,
// fields of the profile, global variables, commands. What a caller sent is never
// expanded itself: a display name of ${hupall()} is a name.
func fill(template string, e *event.Event, global expand.Resolver) string {
	l := &leg{e: e, global: global}
	line := expand.Expand(template, l)
	if len(l.raw) == 0 {
		return line
	}
	return strings.ReplaceAll(strings.NewReplacer(l.raw...).Replace(line), "\x00", "")
}

// leg resolves the names of one template.
type leg struct {
	e      *event.Event
	global expand.Resolver
	raw    []string // marks that stand for values that must not be expanded, and these
}

// Variable implements expand.Resolver.
func (l *leg) Variable(name string) (string, bool) {
	if v, ok := l.value(name); ok {
		if strings.ContainsAny(v, "$\x00") {
			mark := "\x00" + strconv.Itoa(len(l.raw)) + "\x00"
			l.raw = append(l.raw, mark, v)
			return mark, true
		}
		return v, true
	}
	return l.global.Variable(name)
}

func (l *leg) value(name string) (string, bool) {
	if v, ok := l.e.Lookup("variable_" + name); ok {
		return v, true
	}
	low, prefix := strings.ToLower(name), "Caller-"
	outbound := l.e.Get("Call-Direction") == "outbound"
	if f, ok := strings.CutPrefix(low, "aleg_"); ok {
		low = f
		if outbound {
			prefix = "Other-Leg-"
		}
	} else if f, ok := strings.CutPrefix(low, "bleg_"); ok {
		low = f
		if !outbound {
			prefix = "Other-Leg-"
		}
	}
	f := fields[low]
	if f == "" {
		return "", false
	}
	v := l.e.Get(prefix + f)
	return v, v != ""
}

// Command implements expand.Resolver.
func (l *leg) Command(name, args string) string { return l.global.Command(name, args) }
