package sip

import (
	"strconv"
	"strings"

	"github.com/switchlet/switchlet/call"
)

// statusCauses says which cause a final status means (spec/sip.md §10.1).
var statusCauses = map[int]call.Cause{
	200: 16, 401: 21, 402: 21, 403: 21, 407: 21, 603: 21, 608: 21, 404: 1, 485: 3, 604: 3,
	408: 102, 504: 102, 410: 22, 413: 127, 414: 127, 416: 127, 420: 127, 421: 127, 423: 127, 505: 127, 513: 127,
	480: 18, 400: 41, 481: 41, 500: 41, 503: 41, 486: 17, 600: 17, 484: 28, 488: 88, 606: 88, 502: 38,
	405: 63, 406: 79, 415: 79, 501: 79, 482: 25, 483: 25, 487: 487, 607: 819, 428: 820, 429: 821, 437: 822, 438: 823,
}

// causeOf is the cause of a final status.
func causeOf(status int) call.Cause {
	if c, ok := statusCauses[status]; ok {
		return c
	}
	return call.CauseNormalUnspecified
}

// causeStatuses says with which status an unanswered call is refused
// (spec/sip.md §10.2); what is not here is 480.
var causeStatuses = map[call.Cause]int{
	1: 404, 2: 404, 3: 404, 17: 486, 18: 408, 21: 603, 816: 603, 825: 603, 22: 410, 23: 410, 27: 502, 811: 502,
	28: 484, 810: 484, 808: 484, 29: 501, 69: 501, 79: 501, 44: 503, 34: 503, 38: 503, 41: 503, 42: 503, 809: 503, 58: 503,
	52: 403, 54: 403, 57: 403, 824: 403, 65: 488, 88: 488, 102: 504, 487: 487, 25: 483,
	815: 600, 817: 604, 818: 606, 819: 607, 820: 428, 821: 429, 822: 437, 823: 438,
}

// statusOf is the status for a cause.
func statusOf(c call.Cause) int {
	if s, ok := causeStatuses[c]; ok {
		return s
	}
	return 480
}

// phrases are the reason phrases of statuses, sofia's.
var phrases = map[int]string{
	100: "Trying", 180: "Ringing", 181: "Call Is Being Forwarded", 182: "Queued", 183: "Session Progress",
	200: "OK", 202: "Accepted", 300: "Multiple Choices", 301: "Moved Permanently", 302: "Moved Temporarily",
	305: "Use Proxy", 380: "Alternative Service", 400: "Bad Request", 401: "Unauthorized", 402: "Payment Required",
	403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 406: "Not Acceptable",
	407: "Proxy Authentication Required", 408: "Request Timeout", 409: "Conflict", 410: "Gone", 411: "Length Required",
	413: "Request Entity Too Large", 414: "Request-URI Too Long", 415: "Unsupported Media Type",
	416: "Unsupported URI Scheme", 420: "Bad Extension", 421: "Extension Required", 422: "Session Timer Too Small",
	423: "Interval Too Brief", 428: "Use Identity Header", 429: "Provide Referrer Identity",
	437: "Unsupported Certificate", 438: "Invalid Identity Header", 480: "Temporarily Unavailable",
	481: "Call Does Not Exist", 482: "Loop Detected", 483: "Too Many Hops", 484: "Address Incomplete",
	485: "Ambiguous", 486: "Busy Here", 487: "Request Terminated", 488: "Not Acceptable Here", 489: "Bad Event",
	491: "Request Pending", 493: "Undecipherable", 494: "Security Agreement Required",
	500: "Internal Server Error", 501: "Not Implemented", 502: "Bad Gateway", 503: "Service Unavailable",
	504: "Gateway Time-out", 505: "Version Not Supported", 513: "Message Too Large", 580: "Precondition Failure",
	600: "Busy Everywhere", 603: "Decline", 604: "Does Not Exist Anywhere", 606: "Not Acceptable", 607: "Unwanted", 608: "Rejected",
}

// phrase is the reason phrase of a status.
func phrase(status int) string {
	if p, ok := phrases[status]; ok {
		return p
	}
	return "Unknown"
}

// reasonOf is the Reason value for a cause (spec/sip.md §10.3).
func reasonOf(c call.Cause) string {
	switch {
	case c == call.CauseLoseRace || c == call.CausePickedOff:
		return `SIP;cause=200;text="Call completed elsewhere"`
	case c > 0 && c <= 127:
		return "Q.850;cause=" + strconv.Itoa(int(c)) + `;text="` + c.String() + `"`
	}
	return "SIP;cause=" + strconv.Itoa(int(c)) + `;text="` + c.String() + `"`
}

// reasonCause reads a received Reason: the cause that it names for us, false if
// it is of another protocol.
func reasonCause(value, ourName string) (call.Cause, bool) {
	for part := range strings.SplitSeq(value, ",") {
		protocol, params, _ := strings.Cut(strings.TrimSpace(part), ";")
		protocol = strings.TrimSpace(protocol)
		if !strings.EqualFold(protocol, "Q.850") && !strings.EqualFold(protocol, "FreeSWITCH") && protocol != ourName {
			continue
		}
		for p := range strings.SplitSeq(params, ";") {
			if name, v, ok := strings.Cut(strings.TrimSpace(p), "="); ok && strings.EqualFold(name, "cause") {
				if n, err := strconv.Atoi(strings.Trim(v, `" `)); err == nil && n > 0 && n < 1000 {
					return call.Cause(n), true
				}
			}
		}
	}
	return 0, false
}
