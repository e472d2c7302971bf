package call

import (
	"strconv"
	"strings"
	"time"

	"github.com/switchlet/switchlet/call/event"
)

// XMLCDR is the record of the call so far, as mod_xml_cdr begins it.
func (c *Channel) XMLCDR() string {
	var b strings.Builder
	tag := func(name, value string) { b.WriteString("    <" + name + ">" + xmlText(value) + "</" + name + ">\n") }
	direction := "inbound"
	if c.outbound {
		direction = "outbound"
	}
	p := c.Profile()
	b.WriteString(`<cdr core-uuid="` + xmlText(c.sw.UUID) + `" switchname="` + xmlText(c.sw.Switchname) + "\">\n  <channel_data>\n")
	tag("state", c.State().String())
	tag("direction", direction)
	tag("state_number", strconv.Itoa(int(c.State())))
	b.WriteString("  </channel_data>\n  <variables>\n")
	for _, v := range c.Vars().All() {
		tag(v.Name, event.Encode(v.Value))
	}
	b.WriteString("  </variables>\n  <callflow dialplan=\"" + xmlText(p.Dialplan) + `" profile_index="` + strconv.Itoa(p.Index) + "\">\n  <caller_profile>\n")
	for _, name := range []string{"username", "dialplan", "caller_id_name", "caller_id_number", "callee_id_name",
		"callee_id_number", "ani", "aniii", "network_addr", "rdnis", "destination_number", "uuid", "source", "context", "chan_name"} {
		tag(name, p.Field(name))
	}
	b.WriteString("  </caller_profile>\n  <times>\n")
	moment := func(name string, t time.Time) {
		value := "0"
		if !t.IsZero() {
			value = strconv.FormatInt(t.UnixMicro(), 10)
		}
		tag(name, value)
	}
	moment("created_time", p.Times.Created)
	moment("profile_created_time", p.Times.ProfileCreated)
	moment("progress_time", p.Times.Progress)
	moment("progress_media_time", p.Times.ProgressMedia)
	moment("answered_time", p.Times.Answered)
	moment("hangup_time", p.Times.Hungup)
	moment("transfer_time", p.Times.Transferred)
	b.WriteString("  </times>\n  </callflow>\n</cdr>\n")
	return b.String()
}

// xmlText escapes what XML keeps for itself.
func xmlText(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;").Replace(s)
}
