package sip

import (
	"encoding/xml"
	"slices"
	"strconv"
	"strings"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
)

// Types of the documents that a NOTIFY carries.
const (
	dialogType   = "application/dialog-info+xml"
	presenceType = "application/pidf+xml"
	summaryType  = "application/simple-message-summary"
)

// States of a dialog as documents name them (RFC 4235 §4.1).
const (
	dialogEarly      = "early"
	dialogConfirmed  = "confirmed"
	dialogTerminated = "terminated"
)

// line is one call of who is watched.
type line struct {
	id        string
	state     string
	initiator bool // who is watched began the call
	held      bool
	private   bool   // who is at the other end is nobody's business
	name      string // of the other end
	number    string
	status    string // in words, where an event said so
}

// lineOf describes a channel to those who watch user; false: there is nothing to tell.
// One who calls is busy from the first moment: only who is called rings.
func (p *Profile) lineOf(ch *call.Channel, user string) (line, bool) {
	if !ch.Up() {
		return line{}, false
	}
	s, cp := p.settings(), ch.Profile()
	caller, _ := splitAddress(cp.Username)
	l := line{id: ch.UUID(), state: dialogConfirmed, held: ch.Held(), private: ch.Vars().True("presence_privacy"),
		initiator: !ch.Outbound() && (caller == "" || strings.EqualFold(caller, user)), name: cp.CallerName, number: cp.CallerNumber}
	if l.initiator {
		l.name, l.number = cp.Destination, cp.Destination
	}
	if !ch.Answered() && !l.initiator {
		if l.state = dialogEarly; s.presenceNoEarly || ch.Vars().True("presence_disable_early") {
			return line{}, false
		}
	}
	if l.held {
		l.state = s.presenceHold
	}
	return l, true
}

// note keeps what only the event tells: lines of what is no channel, and states that
// were stated. Caller does not hold w.mu.
func (w *watch) note(e *event.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.proto != "sip" {
		w.noteLine(e)
		return
	}
	rpid, status := e.Get("rpid"), e.Get("status")
	switch {
	case e.Type == event.PresenceOut:
		w.said = &said{closed: true}
	case e.Get("presence-source") == "register":
		w.said = nil
	case e.Get("Presence-Calling-File") != "" && e.Get("Presence-Calling-Function") != "presence_function":
		// What the call does is read from the channel.
		if w.said != nil && w.said.uuid != "" && w.said.uuid == e.Get("Unique-ID") && e.Get("Channel-State") == "CS_HANGUP" {
			w.said = nil
		}
	case strings.EqualFold(status, "Available") || status == "":
		w.said = nil
	default:
		w.said = &said{rpid: rpid, status: clip(status, maxEventHeader), uuid: e.Get("Unique-ID")}
	}
}

// noteLine keeps a line of a room or a parking lot. Caller holds w.mu.
func (w *watch) noteLine(e *event.Event) {
	l := line{id: clip(e.Get("unique-id"), maxEventHeader), state: e.Get("answer-state"), name: w.user, number: w.user,
		initiator: e.Get("presence-call-direction") != "outbound", status: clip(or(e.Get("force-status"), e.Get("status")), maxEventHeader)}
	kept := w.others[:0:0]
	for _, o := range w.others {
		if o.id != l.id && o.state != dialogTerminated {
			kept = append(kept, o)
		}
	}
	switch l.state {
	case dialogEarly, dialogConfirmed:
	case "answered":
		l.state = dialogConfirmed
	case "ringing":
		l.state = dialogEarly
	default:
		l.state = dialogTerminated
	}
	if l.id != "" && len(kept) < maxLines {
		kept = append(kept, l)
	}
	w.others = kept
}

// document is what the next NOTIFY says, and whether that is news. Caller holds w.mu.
func (w *watch) document(channels []*call.Channel) (kind, body string, fresh bool) {
	if w.pack == summaryPackage {
		if body = w.summary; body == "" {
			body = w.profile.stack.summaries.get(w.profile, w.user, w.host, "sip:"+w.account)
		}
		fresh = w.refused || body != w.sent
		w.sent = body
		return summaryType, body, fresh
	}
	lines := w.others
	if w.proto == "sip" {
		for _, ch := range channels {
			_, host := splitAddress(ch.Vars().Get("presence_id"))
			if l, ok := w.profile.lineOf(ch, w.user); ok && w.profile.sameHost(w.host, host) {
				lines = append(lines, l)
			}
		}
	}
	if w.pack == presencePackage {
		kind, body = presenceType, w.presenceDocument(lines)
		fresh = w.refused || body != w.sent
		w.sent = body
	} else {
		head := `<?xml version="1.0"?>` + "\n" + `<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="` + strconv.Itoa(w.version) +
			`" state="full" entity="` + escapeXML(w.entity()) + `">` + "\n"
		kind, body = dialogType, head+w.dialogs(lines)+"</dialog-info>\n"
		fresh = w.refused || !slices.Equal(lines, w.lines)
	}
	w.lines = lines
	return kind, body, fresh
}

// entity is the address of who is watched, as documents have it.
func (w *watch) entity() string { return "sip:" + w.address() }

func (w *watch) address() string {
	if w.proto != "sip" {
		return escapeUser(w.proto+"+"+w.user) + "@" + w.host
	}
	return escapeUser(w.user) + "@" + w.host
}

// dialogs are the elements of a dialog-info document (RFC 4235). A dialog that was told
// of and is no more is told of once again, as terminated.
func (w *watch) dialogs(lines []line) string {
	var b strings.Builder
	now := map[string]bool{}
	for _, l := range lines {
		now[l.id] = true
		w.dialog(&b, l)
	}
	for _, l := range w.lines {
		if !now[l.id] && l.state != dialogTerminated {
			l.state = dialogTerminated
			w.dialog(&b, l)
		}
	}
	return b.String()
}

func (w *watch) dialog(b *strings.Builder, l line) {
	direction := "recipient"
	if l.initiator {
		direction = "initiator"
	}
	b.WriteString(`<dialog id="` + escapeXML(l.id) + `" direction="` + direction + "\">\n<state>" + l.state + "</state>\n")
	if l.state != dialogTerminated {
		me, at, rendering := escapeXML(w.address()), "@"+w.host, "yes"
		if l.held {
			rendering = "no"
		}
		b.WriteString("<local>\n<identity display=\"" + escapeXML(w.user) + `">sip:` + me + "</identity>\n<target uri=\"sip:" + me +
			"\">\n<param pname=\"+sip.rendering\" pvalue=\"" + rendering + "\"/>\n</target>\n</local>\n<remote>\n")
		if l.private {
			b.WriteString("<identity display=\"Anonymous\">sip:anonymous@anonymous.invalid</identity>\n")
		} else {
			b.WriteString("<identity display=\"" + escapeXML(or(l.name, l.number)) + `">sip:` + escapeXML(escapeUser(or(l.number, "unknown"))+at) + "</identity>\n")
		}
		b.WriteString("<target uri=\"sip:**" + me + "\"/>\n</remote>\n")
	}
	b.WriteString("</dialog>\n")
}

// activities are the elements of RFC 4480 that are sent; others stay unsaid.
var activities = map[string]string{"busy": "busy", "dnd": "busy", "idle": "busy", "unavailable": "away", "away": "away",
	"on-the-phone": "on-the-phone", "meeting": "meeting", "vacation": "vacation", "permanent-absence": "permanent-absence"}

// presenceDocument is a PIDF (RFC 3863) with an activity and a note. Caller holds w.mu.
func (w *watch) presenceDocument(lines []line) string {
	open, activity, note := w.status(lines)
	basic := "closed"
	if open {
		basic = "open"
	}
	if activity != "" {
		activity = "  <rpid:activities>\n   <rpid:" + activity + "/>\n  </rpid:activities>\n"
	}
	return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<presence xmlns='urn:ietf:params:xml:ns:pidf'\n" +
		"xmlns:dm='urn:ietf:params:xml:ns:pidf:data-model'\nxmlns:rpid='urn:ietf:params:xml:ns:pidf:rpid'\n" +
		"xmlns:c='urn:ietf:params:xml:ns:pidf:cipid' entity='" + escapeXML(w.entity()) + "'>\n <tuple id='t6a5ed77e'>\n" +
		"  <status>\n   <basic>" + basic + "</basic>\n  </status>\n </tuple>\n <dm:person id='p06360c4a'>\n" + activity +
		"  <dm:note>" + escapeXML(note) + "</dm:note>\n </dm:person>\n</presence>"
}

// status sums up what is told of presence. Caller holds w.mu.
func (w *watch) status(lines []line) (open bool, activity, note string) {
	var busy *line
	for i := range lines {
		if l := &lines[i]; l.state != dialogTerminated && (busy == nil || busy.state == dialogEarly && l.state == dialogConfirmed) {
			busy = l
		}
	}
	private := w.profile.settings().presencePrivacy
	switch {
	case busy != nil && busy.status != "":
		return true, "on-the-phone", busy.status
	case busy != nil:
		what := "Talk"
		switch {
		case busy.held:
			what = "Hold"
		case busy.state == dialogEarly:
			what = "Ring"
		}
		if private || busy.private || busy.number == "" {
			if what == "Talk" {
				what = "On The Phone"
			}
			return true, "on-the-phone", what
		}
		return true, "on-the-phone", what + " " + busy.number
	case w.proto != "sip":
		if len(lines) > 0 && lines[len(lines)-1].status != "" {
			return true, "", lines[len(lines)-1].status
		}
		return true, "", "Available"
	case w.said != nil && w.said.closed, !w.here() && w.said == nil:
		return false, "", "Unregistered"
	case w.said != nil:
		return true, activities[strings.ToLower(w.said.rpid)], w.said.status
	}
	return true, "", "Available"
}

// here reports whether who is watched is registered, at whatever profile.
func (w *watch) here() bool {
	for _, p := range w.profile.stack.Profiles() {
		if len(p.lookup(w.user, w.host)) > 0 {
			return true
		}
	}
	return false
}

// escapeXML makes s fit for text and attributes, whatever it is.
func escapeXML(s string) string {
	var b strings.Builder
	// A strings.Builder takes everything.
	_ = xml.EscapeText(&b, []byte(s))
	return b.String()
}
