package call

import (
	"strconv"

	"github.com/switchlet/switchlet/call/event"
)

// Presence tells whoever watches the address id, which is the variable presence_id
// where it is "", what the channel does: a PRESENCE_IN with rpid and status
// (spec/esl.md §4.6). It does nothing for a channel without such an address, and
// costs nothing when nobody listens.
func (c *Channel) Presence(rpid, status, id string) {
	c.presence(rpid, status, id, origin{"mod_dptools.c", "presence_function", 1462})
}

// Places in the reference that tell of presence.
var (
	presenceState  = origin{"switch_core_state_machine.c", "check_presence", 521}
	presenceAnswer = origin{"switch_channel.c", "switch_channel_perform_mark_answered", 3906}
	presenceHold   = origin{"switch_core_media.c", "switch_core_media_toggle_hold", 6516}
)

func (c *Channel) presence(rpid, status, id string, from origin) {
	if !c.sw.Bus.Wanted(event.PresenceIn, "") {
		return
	}
	if id == "" {
		if id = c.vars.Get("presence_id"); id == "" {
			return
		}
	}
	e := event.New(event.PresenceIn, "")
	e.Grow(blockHeaders + 16)
	c.AddTo(e)
	info := "active"
	switch {
	case status == "idle" || !c.Up():
		info = "idle"
	case status == "hold":
		info = "held"
	case c.Answered():
	case c.outbound:
		info = "progressing"
	default:
		info = "alerting"
	}
	direction := "inbound"
	if c.outbound {
		direction = "outbound"
	}
	for _, v := range []Var{{"proto", "any"}, {"login", "src/switch_channel.c"}, {"from", id}, {"rpid", rpid}, {"status", status},
		{"event_type", "presence"}, {"alt_event_type", "dialog"}, {"presence-call-info-state", info},
		{"presence-call-info", c.vars.Get("presence_call_info")}, {"presence-call-direction", direction},
		{"event_count", strconv.FormatInt(c.told.Add(1)-1, 10)},
		{"Presence-Calling-File", from.file}, {"Presence-Calling-Function", from.function}, {"Presence-Calling-Line", strconv.Itoa(from.line)}} {
		if v.Value != "" {
			e.Add(v.Name, v.Value)
		}
	}
	if c.vars.True("presence_privacy") {
		e.Add("Presence-Privacy", "true")
	}
	c.sw.Bus.Publish(e, "switch_channel.c", "switch_channel_perform_presence", 858)
}
