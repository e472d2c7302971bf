package commands

import (
	"context"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/media"
)

const showUsage = "codec|endpoint|application|api|dialplan|file|timer|calls [count]|channels [count|like <match string>]|calls|detailed_calls|bridged_calls|detailed_bridged_calls|aliases|complete|chat|management|modules|nat_map|say|interfaces|interface_types|tasks|limits|status"

func reports(d Deps, words *consoleWords) []call.Command {
	const m = "mod_commands"
	return []call.Command{
		{Name: "show", Syntax: showUsage, Description: "Show various reports", Module: m, Run: show(d, words)},
		{Name: "status", Syntax: "", Description: "Show current status", Module: m, Run: status(d)},
		{Name: "version", Syntax: "[short]", Description: "Version", Module: m, Run: version},
		{Name: "uuid_dump", Syntax: "<uuid> [format]", Description: "Dump session vars", Module: m, Run: uuidDump},
	}
}

func status(d Deps) run {
	return func(_ context.Context, sw *call.Switch, in *call.Invocation) error {
		tellStatus(sw, in)
		if d.LostEvents != nil {
			if n := d.LostEvents(); n > 0 {
				fmt.Fprintf(in.Out, "%d event(s) lost by slow event socket clients\n", n)
			}
		}
		return nil
	}
}

func tellStatus(sw *call.Switch, in *call.Invocation) {
	u := sw.Limits.Usage()
	ready := "ready"
	if !sw.Running() {
		ready = "not ready"
	}
	fmt.Fprintf(in.Out, "UP %s\n", call.UptimeText(time.Since(sw.Started())))
	fmt.Fprintf(in.Out, "FreeSWITCH (Version %s 64bit) is %s\n", call.Version, ready)
	fmt.Fprintf(in.Out, "%d session(s) since startup\n", u.Total)
	fmt.Fprintf(in.Out, "%d session(s) - peak %d, last 5min %d \n", u.Active, u.Peak, u.PeakFiveMinutes)
	fmt.Fprintf(in.Out, "%d session(s) per Sec out of max %d, peak %d, last 5min %d \n", u.LastRate, u.RateMax, u.RatePeak, u.RateFiveMinutes)
	fmt.Fprintf(in.Out, "%d session(s) max\n", u.Max)
	in.Out.WriteString("min idle cpu 0.00/100.00\nCurrent Stack Size/Max 240K/8192K\n")
}

func version(_ context.Context, _ *call.Switch, in *call.Invocation) error {
	if in.Args == "short" {
		fmt.Fprintf(in.Out, "%s\n", call.Version)
		return nil
	}
	fmt.Fprintf(in.Out, "FreeSWITCH Version %s~64bit (%s 64bit)\n", call.Version, call.Version)
	return nil
}

func uuidDump(_ context.Context, sw *call.Switch, in *call.Invocation) error {
	uuid, format, _ := strings.Cut(in.Args, " ")
	if uuid == "" {
		return usage(in, "<uuid> [format]")
	}
	ch := sw.Find(uuid)
	if ch == nil {
		return reply(in, noChannel)
	}
	e := event.New(event.ChannelData, "")
	e.Unique = true
	ch.AddTo(e)
	sw.Bus.Stamp(e, "mod_commands.c", "uuid_dump_function", 6250)
	switch strings.ToLower(format) {
	case "json":
		in.Out.Write(e.JSON())
	case "xml":
		in.Out.Write(e.XML())
	case "plain":
		for _, h := range e.Headers {
			fmt.Fprintf(in.Out, "%s: [%s]\n", h.Name, h.Value)
		}
		in.Out.WriteByte('\n')
	default:
		in.Out.Write(e.Plain())
	}
	return nil
}

// table is a report: column names and rows of as many values.
type table struct {
	columns []string
	rows    [][]string
}

var (
	channelColumns = strings.Split("uuid,direction,created,created_epoch,name,state,cid_name,cid_num,ip_addr,dest,application,application_data,dialplan,context,read_codec,read_rate,read_bit_rate,write_codec,write_rate,write_bit_rate,secure,hostname,presence_id,presence_data,accountcode,callstate,callee_name,callee_num,callee_direction,call_uuid,sent_callee_name,sent_callee_num,initial_cid_name,initial_cid_num,initial_ip_addr,initial_dest,initial_dialplan,initial_context", ",")
	callColumns    = strings.Split("uuid,direction,created,created_epoch,name,state,cid_name,cid_num,ip_addr,dest,presence_id,presence_data,accountcode,callstate,callee_name,callee_num,callee_direction,call_uuid,hostname,sent_callee_name,sent_callee_num", ",")
	// bColumns are those of the B leg in a call's row.
	bColumns        = strings.Split("uuid,direction,created,created_epoch,name,state,cid_name,cid_num,ip_addr,dest,presence_id,presence_data,accountcode,callstate,callee_name,callee_num,callee_direction,sent_callee_name,sent_callee_num", ",")
	detailedColumns = channelColumns[:32]
	regColumns      = strings.Split("reg_user,realm,token,url,expires,network_ip,network_port,network_proto,hostname,metadata", ",")
	taskColumns     = strings.Split("task_id,task_desc,task_group,task_runtime,task_sql_manager,hostname", ",")
)

// channelFields are a channel's values by column name.
func channelFields(sw *call.Switch, ch *call.Channel) map[string]string {
	p := ch.Profile()
	first := ch.FirstProfile()
	app, data := ch.LastApplication()
	direction := "inbound"
	if ch.Outbound() {
		direction = "outbound"
	}
	created := p.Times.Created
	m := map[string]string{
		"uuid": ch.UUID(), "direction": direction, "created": created.Format("2006-01-02 15:04:05"),
		"created_epoch": strconv.FormatInt(created.Unix(), 10), "name": ch.Name(), "state": ch.Running().String(),
		"cid_name": p.CallerName, "cid_num": p.CallerNumber, "ip_addr": p.NetworkAddr, "dest": p.Destination,
		"application": app, "application_data": data, "dialplan": p.Dialplan, "context": p.Context,
		"hostname": sw.Switchname, "presence_id": ch.Get("presence_id"), "presence_data": ch.Get("presence_data"),
		"accountcode": ch.Get("accountcode"), "callstate": ch.CallState().String(), "callee_name": p.CalleeName,
		"callee_num": p.CalleeNumber, "callee_direction": ch.Get("callee_direction"), "call_uuid": ch.Get("call_uuid"),
		"sent_callee_name": ch.Get("last_sent_callee_id_name"), "sent_callee_num": ch.Get("last_sent_callee_id_number"),
		"initial_cid_name": first.OrigCallerName, "initial_cid_num": first.OrigCallerNumber, "initial_ip_addr": first.NetworkAddr,
		"initial_dest": first.Destination, "initial_dialplan": first.Dialplan, "initial_context": first.Context,
		"secure": ch.Get("rtp_secure_media_negotiated"),
	}
	r, w := ch.Formats()
	addCodec(m, "read", r)
	addCodec(m, "write", w)
	return m
}

func addCodec(m map[string]string, direction string, f media.Format) {
	if !f.IsZero() {
		m[direction+"_codec"] = f.Codec.Name
		m[direction+"_rate"] = strconv.Itoa(f.Codec.Rate)
		m[direction+"_bit_rate"] = strconv.Itoa(f.Codec.BitRate)
	}
}

func pick(fields map[string]string, columns []string) []string {
	row := make([]string, len(columns))
	for i, c := range columns {
		row[i] = fields[c]
	}
	return row
}

func prefixed(prefix string, columns []string) []string {
	out := make([]string, len(columns))
	for i, c := range columns {
		out[i] = prefix + c
	}
	return out
}

func channelTable(sw *call.Switch, like string) table {
	t := table{columns: channelColumns}
	for _, ch := range sw.Channels() {
		f := channelFields(sw, ch)
		if like != "" && !matches(f, like) {
			continue
		}
		t.rows = append(t.rows, pick(f, channelColumns))
	}
	return t
}

// matches is "show channels like": a substring, or an SQL pattern if it has %.
func matches(f map[string]string, like string) bool {
	for _, c := range []string{"uuid", "name", "cid_name", "cid_num", "presence_data", "accountcode"} {
		if sqlLike(strings.ToLower(f[c]), strings.ToLower(like)) {
			return true
		}
	}
	return false
}

func sqlLike(s, pattern string) bool {
	if !strings.Contains(pattern, "%") {
		return strings.Contains(s, pattern)
	}
	parts := strings.Split(pattern, "%")
	if !strings.HasPrefix(s, parts[0]) {
		return false
	}
	s = s[len(parts[0]):]
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(s, part)
		if i < 0 {
			return false
		}
		s = s[i+len(part):]
	}
	return strings.HasSuffix(s, parts[len(parts)-1])
}

// callTable has a row for each bridged pair and, with all, for each channel that
// is alone.
func callTable(sw *call.Switch, a, b []string, all bool) table {
	t := table{columns: append(append(append([]string(nil), a...), prefixed("b_", b)...), "call_created_epoch")}
	seen := map[string]bool{}
	for _, ch := range sw.Channels() {
		if seen[ch.UUID()] {
			continue
		}
		partner := ch.Partner()
		row := pick(channelFields(sw, ch), a)
		switch {
		case partner != nil:
			seen[partner.UUID()] = true
			row = append(row, pick(channelFields(sw, partner), b)...)
			row = append(row, strconv.FormatInt(ch.Profile().Times.Bridged.Unix(), 10))
		case all:
			row = append(row, make([]string, len(b)+1)...)
		default:
			continue
		}
		t.rows = append(t.rows, row)
	}
	return t
}

// interfaceRows are the things that people add, by type.
func interfaceRows(sw *call.Switch, d Deps) map[string][][]string {
	rows := map[string][][]string{}
	add := func(kind, name, key string) { rows[kind] = append(rows[kind], []string{kind, name, key}) }
	for _, c := range codecRows(d.Codecs) {
		add("codec", c[0], c[1])
	}
	for _, n := range sw.Endpoints() {
		add("endpoint", n, moduleOf[n])
	}
	for _, n := range sw.Dialplans() {
		key := "mod_dptools"
		if strings.EqualFold(n, "XML") {
			key = "mod_dialplan_xml"
		}
		add("dialplan", n, key)
	}
	for _, n := range d.Files {
		add("file", n, "mod_sndfile")
	}
	for _, n := range d.Says {
		add("say", n, "mod_say_"+n)
	}
	for _, n := range []string{"soft"} {
		add("timer", n, "CORE_SOFTTIMER_MODULE")
	}
	for _, n := range []string{"GLOBAL", "event", "sip", "verto"} {
		add("chat", n, "mod_dptools")
	}
	for _, n := range []string{"db", "hash"} {
		add("limit", n, "mod_"+n)
	}
	for _, a := range sw.Applications() {
		add("application", a.Name, applicationModule(a.Name))
	}
	for _, c := range sw.Commands() {
		add("api", c.Name, c.Module)
	}
	for _, list := range rows {
		sort.SliceStable(list, func(i, j int) bool { return list[i][1] < list[j][1] })
	}
	return rows
}

var moduleOf = map[string]string{"sofia": "mod_sofia", "verto.rtc": "mod_verto", "loopback": "mod_loopback",
	"null": "mod_loopback", "error": "mod_dptools", "user": "mod_dptools", "group": "mod_dptools", "pickup": "mod_dptools"}

var interfaceColumns = []string{"type", "name", "ikey"}

// show prints a report; what says which, with the words behind it.
func show(d Deps, words *consoleWords) run {
	return func(ctx context.Context, sw *call.Switch, in *call.Invocation) error {
		f := strings.Fields(in.Args)
		if len(f) == 0 {
			return usage(in, showUsage)
		}
		what, rest := f[0], f[1:]
		if what == "status" {
			return status(d)(ctx, sw, in)
		}
		count, like := false, ""
		if len(rest) > 0 && rest[0] == "count" {
			count, rest = true, rest[1:]
		} else if len(rest) > 1 && rest[0] == "like" {
			like, rest = rest[1], rest[2:]
		}
		name := ""
		if len(rest) > 0 && rest[0] != "as" {
			name, rest = rest[0], rest[1:]
		}
		t, ok := reportTable(sw, d, words, what, like, name)
		if !ok {
			return usage(in, showUsage)
		}
		return print(in, t, count, rest)
	}
}

func reportTable(sw *call.Switch, d Deps, words *consoleWords, what, like, name string) (table, bool) {
	switch what {
	case "channels":
		return channelTable(sw, like), true
	case "calls":
		return callTable(sw, callColumns, bColumns, true), true
	case "bridged_calls":
		return callTable(sw, callColumns, bColumns, false), true
	case "detailed_calls":
		return callTable(sw, detailedColumns, detailedColumns, true), true
	case "detailed_bridged_calls":
		return callTable(sw, detailedColumns, detailedColumns, false), true
	case "registrations":
		t := table{columns: regColumns}
		if d.Registrations != nil {
			t.rows = d.Registrations()
		}
		return t, true
	case "tasks":
		t := table{columns: taskColumns}
		for _, task := range sw.Scheduler.Tasks() {
			t.rows = append(t.rows, []string{strconv.FormatInt(task.ID, 10), task.Desc, task.Group,
				strconv.FormatInt(task.At.Unix(), 10), "0", sw.Hostname})
		}
		return t, true
	case "application", "applications":
		t := table{columns: []string{"name", "description", "syntax", "ikey"}}
		for _, a := range sw.Applications() {
			if a.Description != "" && (name == "" || a.Name == name) {
				t.rows = append(t.rows, []string{a.Name, a.Description, a.Syntax, applicationModule(a.Name)})
			}
		}
		return t, true
	case "api", "apis":
		t := table{columns: []string{"name", "description", "syntax", "ikey"}}
		for _, c := range sw.Commands() {
			if c.Description != "" && (name == "" || c.Name == name) {
				t.rows = append(t.rows, []string{c.Name, c.Description, c.Syntax, c.Module})
			}
		}
		return t, true
	case "module", "modules":
		return moduleTable(sw, d, name), true
	case "aliases":
		return words.aliasTable(sw.Hostname), true
	case "complete":
		return words.completionTable(sw.Hostname), true
	case "nat_map":
		return table{columns: []string{"port", "proto", "proto_num", "sticky"}}, true
	}
	rows := interfaceRows(sw, d)
	switch what {
	case "interfaces":
		t := table{columns: interfaceColumns}
		for _, kind := range sortedKeys(rows) {
			t.rows = append(t.rows, rows[kind]...)
		}
		return t, true
	case "interface_types":
		t := table{columns: []string{"type", "total"}}
		for _, kind := range sortedKeys(rows) {
			t.rows = append(t.rows, []string{kind, strconv.Itoa(len(rows[kind]))})
		}
		return t, true
	}
	kind := strings.TrimSuffix(what, "s")
	switch kind {
	case "codec", "endpoint", "dialplan", "file", "timer", "chat", "say", "management", "limit":
		t := table{columns: interfaceColumns}
		for _, r := range rows[kind] {
			if name == "" || r[1] == name {
				t.rows = append(t.rows, r)
			}
		}
		return t, true
	}
	return table{}, false
}

func sortedKeys(m map[string][][]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
