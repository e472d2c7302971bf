package call

import (
	"strconv"
	"strings"

	"github.com/switchlet/switchlet/call/event"
)

// origin names the place in the reference that fires an event, since clients
// look at Event-Calling-* now and then (spec/esl.md §4.2).
type origin struct {
	file, function string
	line           int
}

var origins = map[event.Type]origin{
	event.ChannelCreate:          {"switch_core_state_machine.c", "switch_core_session_run", 626},
	event.ChannelOriginate:       {"switch_core_state_machine.c", "switch_core_session_run", 631},
	event.ChannelState:           {"switch_channel.c", "switch_channel_perform_set_running_state", 2398},
	event.ChannelCallstate:       {"switch_channel.c", "switch_channel_perform_set_callstate", 321},
	event.ChannelAnswer:          {"switch_channel.c", "switch_channel_perform_mark_answered", 3832},
	event.ChannelProgress:        {"switch_channel.c", "switch_channel_perform_mark_ring_ready_value", 3472},
	event.ChannelProgressMedia:   {"switch_channel.c", "switch_channel_perform_mark_pre_answered", 3543},
	event.ChannelHangup:          {"switch_channel.c", "switch_channel_perform_hangup", 3327},
	event.ChannelHangupComplete:  {"switch_core_state_machine.c", "switch_core_session_reporting_state", 971},
	event.ChannelDestroy:         {"switch_core_session.c", "switch_core_session_perform_destroy", 1564},
	event.ChannelExecute:         {"switch_core_session.c", "switch_core_session_exec", 2879},
	event.ChannelExecuteComplete: {"switch_core_session.c", "switch_core_session_exec", 2926},
	event.ChannelBridge:          {"switch_ivr_bridge.c", "switch_ivr_multi_threaded_bridge", 1736},
	event.ChannelUnbridge:        {"switch_ivr_bridge.c", "switch_ivr_multi_threaded_bridge", 1853},
	event.ChannelPark:            {"switch_ivr.c", "switch_ivr_park", 981},
	event.ChannelUnpark:          {"switch_ivr.c", "switch_ivr_park", 1091},
	event.ChannelOutgoing:        {"switch_core_session.c", "switch_core_session_outgoing_channel", 735},
	event.ChannelHold:            {"switch_channel.c", "switch_channel_set_hold", 1898},
	event.ChannelUnhold:          {"switch_channel.c", "switch_channel_clear_hold", 1912},
	event.DTMF:                   {"switch_channel.c", "switch_channel_dequeue_dtmf", 632},
	event.Codec:                  {"switch_core_codec.c", "switch_core_session_set_real_read_codec", 256},
}

// withVars are the events that carry every variable ("V" of spec/esl.md §4.3).
var withVars = map[event.Type]bool{
	event.ChannelCreate: true, event.ChannelOriginate: true, event.ChannelUUID: true, event.ChannelAnswer: true,
	event.ChannelPark: true, event.ChannelUnpark: true, event.ChannelBridge: true, event.ChannelUnbridge: true,
	event.ChannelProgress: true, event.ChannelProgressMedia: true, event.ChannelHangup: true,
	event.ChannelHangupComplete: true, event.ChannelData: true, event.ChannelExecute: true,
	event.ChannelExecuteComplete: true, event.ChannelDestroy: true, event.ChannelHold: true,
	event.ChannelUnhold: true, event.RequestParams: true, event.SessionHeartbeat: true, event.API: true,
	event.RecordStart: true, event.RecordStop: true, event.PlaybackStart: true, event.PlaybackStop: true,
	event.CallUpdate: true, event.MediaBugStart: true, event.MediaBugStop: true, event.Text: true, event.Custom: true,
}

// blockHeaders is about how many headers the block of a channel has, that of the
// other leg's profile not counted.
const blockHeaders = 56

// Fire publishes an event about the channel: the headers of pre, the channel's
// block, the headers of post. It costs nothing when nobody listens.
func (c *Channel) Fire(t event.Type, pre, post []Var) {
	if c.sw.Bus.Wanted(t, "") {
		c.Publish(c.newEvent(t, pre, post))
	}
}

// fireHangupComplete tells of the end of the call, with its record in XML if
// hangup_complete_with_xml asks for that.
func (c *Channel) fireHangupComplete() {
	about := []Var{{"Hangup-Cause", c.Cause().String()}}
	if !c.True("hangup_complete_with_xml") || !c.sw.Bus.Wanted(event.ChannelHangupComplete, "") {
		c.Fire(event.ChannelHangupComplete, about, nil)
		return
	}
	e := c.newEvent(event.ChannelHangupComplete, about, []Var{{"CDR-Attached", "xml"}})
	e.SetBody(c.XMLCDR())
	c.Publish(e)
}

// newEvent makes an event with the channel's block between pre and post.
func (c *Channel) newEvent(t event.Type, pre, post []Var) *event.Event {
	e := event.New(t, "")
	room := len(pre) + len(post) + blockHeaders
	if withVars[t] {
		room += c.vars.Len()
	}
	e.Grow(room)
	for _, v := range pre {
		e.Add(v.Name, v.Value)
	}
	c.AddTo(e)
	for _, v := range post {
		e.Add(v.Name, v.Value)
	}
	return e
}

// Publish sends e with the origin that FreeSWITCH shows for its type.
func (c *Channel) Publish(e *event.Event) {
	o, ok := origins[e.Type]
	if !ok {
		o = origin{"switch_channel.c", "switch_channel_event", 1}
	}
	c.sw.Bus.Publish(e, o.file, o.function, o.line)
}

// AddTo appends the channel's block to e: state, profile, other leg and, where
// the type calls for them, the variables (spec/esl.md §4.3).
func (c *Channel) AddTo(e *event.Event) {
	c.mu.Lock()
	e.Add("Channel-State", c.running.String())
	e.Add("Channel-Call-State", c.callState.String())
	e.Add("Channel-State-Number", strconv.Itoa(int(c.state)))
	e.Add("Channel-Name", c.name)
	e.Add("Unique-ID", c.UUID())
	e.Add("Session-External-ID", c.vars.Get("session_external_id"))
	direction := "inbound"
	if c.outbound {
		direction = "outbound"
	}
	e.Add("Call-Direction", direction)
	e.Add("Presence-Call-Direction", direction)
	e.Add("Channel-HIT-Dialplan", strconv.FormatBool(!c.outbound || c.routed))
	e.Add("Channel-Presence-ID", c.vars.Get("presence_id"))
	e.Add("Channel-Presence-Data", c.vars.Get("presence_data"))
	cols := c.vars.Get("presence_data_cols")
	if cols != "" {
		e.Add("Presence-Data-Cols", cols)
		for _, name := range strings.Split(cols, ":") {
			e.Add("PD-"+name, c.vars.Get(name))
		}
	}
	callUUID := c.vars.Get("call_uuid")
	if callUUID == "" {
		callUUID = c.UUID()
	}
	e.Add("Channel-Call-UUID", callUUID)
	e.Add("Answer-State", c.answerState())
	if c.hungup {
		e.Add("Hangup-Cause", c.cause.String())
	}
	addCodec(e, "Read", c.formatRead)
	addCodec(e, "Write", c.formatWrite)
	c.profile().addTo(e, "Caller")
	if c.other != nil {
		e.Add("Other-Type", c.otherType)
		c.other.addTo(e, "Other-Leg")
	}
	c.mu.Unlock()
	if withVars[e.Type] || cols != "" || c.vars.True("verbose_events") {
		c.scope.each(func(name, value string) { e.Add("scope_variable_"+name, value) })
		c.vars.eachPrefixed("variable_", e.Add)
	}
}

// AddData appends the block with the profile under the prefix Channel first, as
// the reply to an outbound socket's "connect" has it (spec/esl.md §6.3).
func (c *Channel) AddData(e *event.Event) {
	c.mu.Lock()
	c.profile().addTo(e, "Channel")
	c.mu.Unlock()
	c.AddTo(e)
}

func (c *Channel) answerState() string {
	switch {
	case c.hungup:
		return "hangup"
	case c.answered:
		return "answered"
	case c.early:
		return "early"
	}
	return "ringing"
}

// addTo appends the profile block with a prefix (spec/esl.md §4.4).
func (p *Profile) addTo(e *event.Event, prefix string) {
	add := func(name, value string) { e.Add(prefix+"-"+name, value) }
	add("Direction", p.Direction)
	add("Logical-Direction", p.LogicalDirection)
	add("Username", p.Username)
	add("Dialplan", p.Dialplan)
	add("Caller-ID-Name", p.CallerName)
	add("Caller-ID-Number", p.CallerNumber)
	if p.CallerName != "" {
		add("Orig-Caller-ID-Name", p.OrigCallerName)
	}
	if p.CallerNumber != "" {
		add("Orig-Caller-ID-Number", p.OrigCallerNumber)
	}
	add("Callee-ID-Name", p.CalleeName)
	add("Callee-ID-Number", p.CalleeNumber)
	add("Network-Addr", p.NetworkAddr)
	add("ANI", p.ANI)
	add("ANI-II", p.ANIII)
	add("Destination-Number", p.Destination)
	add("Unique-ID", p.UUID)
	add("Source", p.Source)
	add("Transfer-Source", p.TransferSource)
	add("Context", p.Context)
	add("RDNIS", p.RDNIS)
	add("Channel-Name", p.ChannelName)
	add("Profile-Index", strconv.Itoa(p.Index))
	for _, v := range p.Soft {
		add(v.Name, v.Value)
	}
	t := p.Times
	add("Profile-Created-Time", micros(t.ProfileCreated))
	add("Channel-Created-Time", micros(t.Created))
	add("Channel-Answered-Time", micros(t.Answered))
	add("Channel-Progress-Time", micros(t.Progress))
	add("Channel-Progress-Media-Time", micros(t.ProgressMedia))
	add("Channel-Hangup-Time", micros(t.Hungup))
	add("Channel-Transfer-Time", micros(t.Transferred))
	add("Channel-Resurrect-Time", micros(t.Resurrected))
	add("Channel-Bridged-Time", micros(t.Bridged))
	add("Channel-Last-Hold", micros(t.LastHold))
	add("Channel-Hold-Accum", strconv.FormatInt(t.HoldAccum.Microseconds(), 10))
	add("Screen-Bit", strconv.FormatBool(p.ScreenBit))
	add("Privacy-Hide-Name", strconv.FormatBool(p.HideName))
	add("Privacy-Hide-Number", strconv.FormatBool(p.HideNumber))
}
