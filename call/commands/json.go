package commands

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/call/kv"
)

// maxJSON bounds a request of the json command.
const maxJSON = 1 << 20

// field is one member of a JSON object; the order of members is kept, as clients
// see the request given back with the response behind it.
type field struct {
	name  string
	value json.RawMessage
}

type object []field

// jsonRequest reads an object without losing the order of its members.
func jsonRequest(text string) (object, error) {
	if len(text) > maxJSON {
		return nil, errors.New("json: request too long")
	}
	d := json.NewDecoder(strings.NewReader(text))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.New("json: want an object")
	}
	var o object
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		var v json.RawMessage
		if err := d.Decode(&v); err != nil {
			return nil, err
		}
		o = append(o, field{name.(string), v})
	}
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("json: text behind the object")
	}
	return o, nil
}

func (o object) raw(name string) json.RawMessage {
	for _, f := range o {
		if strings.EqualFold(f.name, name) {
			return f.value
		}
	}
	return nil
}

// text is a member that is a string, "" otherwise.
func (o object) text(name string) string {
	var s string
	if json.Unmarshal(o.raw(name), &s) != nil {
		return ""
	}
	return s
}

// object is a member that is an object, nil otherwise.
func (o object) object(name string) object {
	sub, err := jsonRequest(string(o.raw(name)))
	if err != nil {
		return nil
	}
	return sub
}

func (o object) with(name string, value any) object {
	b, err := marshal(value)
	if err != nil {
		b = []byte("null")
	}
	return append(o, field{name, b})
}

// marshal writes JSON as it stands, without escapes for HTML.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimRight(b.Bytes(), "\n"), err
}

// MarshalJSON implements json.Marshaler.
func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, f := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := marshal(f.name)
		if err != nil {
			return nil, err
		}
		b.Write(name)
		b.WriteByte(':')
		if err := json.Compact(&b, f.value); err != nil {
			return nil, err
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// jsonCommands are the requests that the json command understands.
type jsonCommands map[string]func(ctx context.Context, sw *call.Switch, data object) (response any, ok bool)

// jsonTable are all of them.
func jsonTable(d Deps) jsonCommands {
	objects := &jsonObjects{named: kv.NewObjects(d.DB)}
	return jsonCommands{"status": jsonStatus, "fsapi": jsonAPI, "channeldata": jsonChannelData, "execute": jsonExecute, "mediastats": jsonMediaStats,
		"store": objects.jsonStore}
}

// run answers a JSON request with the request itself and its response.
func (c jsonCommands) run(ctx context.Context, sw *call.Switch, in *call.Invocation) error {
	if in.Args == "" {
		return reply(in, "-ERR No JSON supplied.\n")
	}
	request, err := jsonRequest(in.Args)
	if err != nil {
		return reply(in, "-ERR Parse error.\n")
	}
	fn := c[strings.ToLower(request.text("command"))]
	answer := request
	if fn == nil {
		answer = answer.with("status", "error").with("message", "Invalid request or non-existant command").with("response", nil)
	} else if response, ok := fn(ctx, sw, request.object("data")); ok {
		answer = answer.with("status", "success").with("response", response)
	} else {
		answer = answer.with("status", "error").with("message", "The command returned an error").with("response", response)
	}
	out, err := marshal(answer)
	if err != nil {
		return call.ErrCommand
	}
	if strings.EqualFold(request.text("format"), "pretty") {
		var b bytes.Buffer
		if json.Indent(&b, out, "", "\t") == nil {
			out = b.Bytes()
		}
	}
	return reply(in, string(out)+"\n")
}

func jsonStatus(_ context.Context, sw *call.Switch, _ object) (any, bool) {
	up := time.Since(sw.Started()).Microseconds()
	part := func(unit int64) int64 {
		n := up / unit
		up %= unit
		return n
	}
	const second, minute, hour, day = 1e6, 60e6, 3600e6, 86400e6
	span := object{}.with("years", part(365*day)).with("days", part(day)).with("hours", part(hour)).
		with("minutes", part(minute)).with("seconds", part(second)).with("milliseconds", part(1000)).with("microseconds", part(1))
	ready := "ready"
	if !sw.Running() {
		ready = "not ready"
	}
	u := sw.Limits.Usage()
	count := object{}.with("total", u.Total).with("active", u.Active).with("peak", u.Peak).
		with("peak5Min", u.PeakFiveMinutes).with("limit", u.Max)
	rate := object{}.with("current", u.LastRate).with("max", u.RateMax).with("peak", u.RatePeak).with("peak5Min", u.RateFiveMinutes)
	return object{}.with("systemStatus", ready).with("uptime", span).with("version", call.Version+" 64bit").
		with("sessions", object{}.with("count", count).with("rate", rate)).
		with("idleCPU", object{}.with("used", 0).with("allowed", 100)).
		with("stackSizeKB", object{}.with("current", 240).with("max", 8192)), true
}

func jsonAPI(ctx context.Context, sw *call.Switch, data object) (any, bool) {
	text := "INVALID CALL"
	if cmd := data.text("cmd"); cmd != "" {
		if out, err := sw.Run(ctx, cmd, data.text("arg"), nil, nil); err == nil {
			text = out
		} else {
			return object{}.with("message", text), false
		}
	}
	return object{}.with("message", text), true
}

// jsonChannel finds the channel that data names by uuid, or the reply why not.
func jsonChannel(sw *call.Switch, data object) (*call.Channel, any) {
	uuid := data.text("uuid")
	if uuid == "" {
		return nil, object{}.with("response", "INVALID INPUT")
	}
	ch := sw.Find(uuid)
	if ch == nil {
		return nil, object{}.with("response", "Session does not exist")
	}
	return ch, nil
}

func jsonChannelData(_ context.Context, sw *call.Switch, data object) (any, bool) {
	ch, refusal := jsonChannel(sw, data)
	if ch == nil {
		return refusal, false
	}
	return object{}.with("channelData", channelJSON(ch)), true
}

// channelJSON is a call's record: state, variables and caller profile.
func channelJSON(ch *call.Channel) object {
	direction := "inbound"
	if ch.Outbound() {
		direction = "outbound"
	}
	e := event.New(event.ChannelData, "")
	ch.AddTo(e)
	var vars, profile object
	for _, h := range e.Headers {
		if name, ok := strings.CutPrefix(h.Name, "variable_"); ok {
			vars = vars.with(name, h.Value)
		} else if name, ok := strings.CutPrefix(h.Name, "Caller-"); ok {
			profile = profile.with(strings.ToLower(strings.ReplaceAll(name, "-", "_")), h.Value)
		}
	}
	state := object{}.with("state", ch.Running().String()).with("direction", direction).with("state_number", int(ch.State()))
	return object{}.with("core-uuid", ch.Switch().UUID).with("switchname", ch.Switch().Switchname).
		with("channel_data", state).with("variables", vars).with("callflow", []object{object{}.with("caller_profile", profile)})
}

func jsonExecute(ctx context.Context, sw *call.Switch, data object) (any, bool) {
	app := data.text("app")
	if app == "" {
		return object{}.with("response", "INVALID INPUT"), false
	}
	ch, refusal := jsonChannel(sw, data)
	if ch == nil {
		return refusal, false
	}
	about := object{}.with("channelName", ch.Name())
	if call.True(data.text("extendedData")) {
		about = object{}.with("channelData", channelJSON(ch))
	}
	var err error
	if arg := data.text("arg"); call.True(data.text("inline")) {
		err = ch.Call(ctx, func(ctx context.Context, c *call.Channel) error { c.Execute(ctx, app, arg); return nil })
	} else {
		err = ch.PostExecute(app, arg, false)
	}
	return about, err == nil
}

func jsonMediaStats(_ context.Context, sw *call.Switch, data object) (any, bool) {
	ch, refusal := jsonChannel(sw, data)
	if ch == nil {
		return refusal, false
	}
	s := ch.Port().Stats()
	audio := object{}.with("in_raw_bytes", s.InRawBytes).with("in_media_bytes", s.InMediaBytes).with("in_packet_count", s.InPackets).
		with("in_media_packet_count", s.InMediaPackets).with("in_skip_packet_count", s.InSkipped).
		with("in_jitter_packet_count", s.InJitterPackets).with("in_dtmf_packet_count", s.InDTMF).with("in_cng_packet_count", s.InCN).
		with("in_flush_packet_count", s.InFlushed).with("in_largest_jb_size", s.InLargestJitterBuffer).
		with("in_jitter_min_variance", s.JitterMin).with("in_jitter_max_variance", s.JitterMax).with("in_jitter_loss_rate", s.LossRate).
		with("in_jitter_burst_rate", s.BurstRate).with("in_mean_interval", s.MeanInterval).with("in_flaw_total", s.Flaws).
		with("in_quality_percentage", s.Quality).with("in_mos", s.MOS).
		with("out_raw_bytes", s.OutRawBytes).with("out_media_bytes", s.OutMediaBytes).with("out_packet_count", s.OutPackets).
		with("out_media_packet_count", s.OutMediaPackets).with("out_skip_packet_count", s.OutSkipped).with("out_dtmf_packet_count", s.OutDTMF)
	stats := object{}.with("audio", audio)
	if call.True(data.text("channelData")) || string(data.raw("channelData")) == "true" {
		stats = stats.with("channelData", channelJSON(ch))
	}
	return stats, true
}
