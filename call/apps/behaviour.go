package apps

import (
	"context"
	"strconv"
	"strings"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
)

// behaviour are the applications that change how a leg behaves from now on.
func behaviour(Deps) []call.Application {
	return []call.Application{
		{Name: "session_loglevel", Syntax: "<level>", Description: "session_loglevel", Flags: nrz, Run: sessionLoglevel},
		{Name: "enable_heartbeat", Syntax: "[0|<seconds>]", Description: "Enable Media Heartbeat", Flags: n, Run: heartbeat},
		{Name: "sched_heartbeat", Syntax: "[0|<seconds>]", Description: "Enable Scheduled Heartbeat", Flags: n, Run: heartbeat},
		{Name: "enable_keepalive", Syntax: "[0|<seconds>]", Description: "Enable Keepalive", Flags: n, Run: keepalive},
		{Name: "set_media_stats", Syntax: "", Description: "Set Media Stats", Flags: nrz, Run: setMediaStats},
		{Name: "set_zombie_exec", Syntax: "", Description: "Enable Zombie Execution", Flags: nr, Run: setZombieExec},
		{Name: "debug_media", Syntax: "<read|write|both|vread|vwrite|vboth|all> <on|off>", Description: "Debug Media", Flags: n, Run: debugMedia},
		{Name: "jitterbuffer", Syntax: "<jitterbuffer_data>", Description: "Send session jitterbuffer", Flags: n, Run: jitterbuffer},
		{Name: "remove_bugs", Syntax: "[<function>]", Description: "Remove media bugs", Run: removeBugs},
		{Name: "privacy", Syntax: "off|on|name|full|number", Description: "Set privacy on calls", Flags: nr, Run: privacy},
		{Name: "filter_codecs", Syntax: "<codec string>", Description: "Filter Codecs", Flags: n, Run: filterCodecs},
		{Name: "park_state", Syntax: "", Description: "Park State", Run: parkState},
		{Name: "acknowledge_call", Syntax: "", Description: "Indicate Call Acknowledged", Flags: n, Run: nothing},
		{Name: "blind_transfer_ack", Syntax: "[true|false]", Description: "", Run: blindTransferAck},
		{Name: "novideo", Syntax: "", Description: "Refuse Inbound Video", Flags: nr, Run: nothing},
		{Name: "cng_plc", Syntax: "", Description: "Do PLC on CNG frames", Flags: nr, Run: nothing},
		{Name: "early_hangup", Syntax: "", Description: "Enable early hangup", Flags: nr, Run: nothing},
		{Name: "media_reset", Syntax: "", Description: "Reset all bypass/proxy media flags", Flags: n, Run: mediaReset},
		{Name: "reuse_caller_profile", Syntax: "", Description: "Reuse the caller profile", Flags: n, Run: nothing},
		{Name: "deduplicate_dtmf", Syntax: "[only_rtp]", Description: "Prevent duplicate inband + 2833 dtmf", Flags: n, Run: nothing},
		{Name: "clear_speech_cache", Syntax: "", Description: "Clear Speech Handle Cache", Flags: n, Run: nothing},
		{Name: "recovery_refresh", Syntax: "", Description: "Send call recovery_refresh", Flags: n, Run: recoveryRefresh},
		{Name: "send_info", Syntax: "<info>", Description: "Send info", Flags: n, Run: sendInfo},
		{Name: "transfer_vars", Syntax: "<~variable_prefix|variable>", Description: "Transfer variables", Flags: nr, Run: transferVars},
		{Name: "broadcast", Syntax: "<path> <leg>", Description: "Broadcast File", Run: broadcastApp},
		{Name: "unloop", Syntax: "", Description: "Tell loopback to unfold", Run: unloop},
	}
}

func sessionLoglevel(_ context.Context, ch *call.Channel, args string) error {
	level, ok := call.ParseLevel(strings.TrimSpace(args))
	if !ok {
		return usage("session_loglevel <level>")
	}
	ch.SetLogLevel(level)
	return nil
}

// blindTransferAck tells who transferred the channel, and waits for it, how that went.
func blindTransferAck(_ context.Context, ch *call.Channel, args string) error {
	ch.TransferDone(call.True(strings.TrimSpace(args)))
	return nil
}

// keepalive keeps the number for the endpoint, which sends something that often.
func keepalive(_ context.Context, ch *call.Channel, args string) error {
	seconds, err := strconv.Atoi(strings.TrimSpace(args))
	if err != nil || seconds < 0 {
		return usage("[0|<seconds>]")
	}
	ch.Set("keepalive_seconds", strconv.Itoa(seconds))
	return nil
}

func setMediaStats(_ context.Context, ch *call.Channel, _ string) error {
	ch.SetMediaStatistics()
	return nil
}

func setZombieExec(_ context.Context, ch *call.Channel, _ string) error {
	ch.SetZombieExec()
	return nil
}

func debugMedia(_ context.Context, ch *call.Channel, args string) error {
	f := strings.Fields(args)
	if len(f) < 2 {
		return usage("debug_media <read|write|both|vread|vwrite|vboth|all> <on|off>")
	}
	if call.True(f[1]) {
		ch.Log(call.LogConsole, "%s", ch.Port().Chain())
	}
	return nil
}

// jitterbuffer reads "<min>[:<max>]" in ms, or in packets with a p behind.
func jitterbuffer(_ context.Context, ch *call.Channel, args string) error {
	word, _, _ := strings.Cut(strings.TrimSpace(args), " ")
	switch {
	case strings.HasPrefix(word, "debug"), word == "pause", word == "resume":
		return nil // the buffer follows the network by itself
	case word == "stop":
		ch.Port().SetJitter(0, 0)
		return nil
	}
	parts := append(strings.Split(word, ":"), "")
	f, _ := ch.Formats()
	length := func(s string) int {
		if packets, ok := strings.CutSuffix(s, "p"); ok {
			return number(packets, 0) * max(f.Ptime, 20)
		}
		return number(s, 0)
	}
	least := length(parts[0])
	if least <= 0 {
		return usage("jitterbuffer <length>[:<max>[:<drift>]]")
	}
	ch.Port().SetJitter(least, max(length(parts[1]), least))
	return nil
}

func removeBugs(_ context.Context, ch *call.Channel, args string) error {
	kind := strings.TrimSpace(args)
	if kind == "" || kind == "tone_detect" {
		StopTones(ch)
	}
	if (kind == "" || kind == "session_record") && len(ch.Recordings()) > 0 {
		return ch.StopRecording("all")
	}
	return nil
}

func privacy(_ context.Context, ch *call.Channel, args string) error {
	mode := strings.ToLower(strings.TrimSpace(args))
	if mode == "" {
		ch.Log(call.LogErr, "No privacy mode specified.")
		return nil
	}
	name, number, known := false, false, true
	switch {
	case mode == "full", call.True(mode):
		name, number = true, true
	case mode == "name":
		name = true
	case mode == "number":
		number = true
	case mode == "off", mode == "no", mode == "false":
	default:
		known = false
		ch.Log(call.LogErr, "INVALID privacy mode specified. Use a valid mode [no|yes|name|full|number].")
	}
	ch.UpdateProfile(func(p *call.Profile) {
		p.ScreenBit = true
		switch {
		case !known:
		case !name && !number:
			p.HideName, p.HideNumber = false, false
		default:
			p.HideName, p.HideNumber = p.HideName || name, p.HideNumber || number
		}
	})
	return nil
}

// filterCodecs keeps the codecs that legs dialled from here may offer.
func filterCodecs(_ context.Context, ch *call.Channel, args string) error {
	ch.Set("filter_codec_string", strings.TrimSpace(args))
	return nil
}

func parkState(_ context.Context, ch *call.Channel, _ string) error { return ch.ParkFrom() }

func mediaReset(_ context.Context, ch *call.Channel, _ string) error {
	ch.Set("bypass_media", "")
	ch.Set("proxy_media", "")
	return nil
}

func recoveryRefresh(ctx context.Context, ch *call.Channel, _ string) error {
	if r, ok := ch.Leg().(call.Renegotiator); ok {
		return r.Renegotiate(ctx, "", false)
	}
	return nil
}

func sendInfo(ctx context.Context, ch *call.Channel, args string) error {
	m, ok := ch.Leg().(call.Messenger)
	if !ok {
		return call.ErrNoLeg
	}
	e := event.New(event.SendInfo, "")
	e.Add("content-type", "message/update_display")
	e.SetBody(args)
	return m.Message(ctx, e)
}

// transferVars copies a variable, or for ~prefix all that begin with it, to the
// partner.
func transferVars(_ context.Context, ch *call.Channel, args string) error {
	partner := other(ch)
	name := strings.TrimSpace(args)
	if partner == nil || name == "" {
		return usage("transfer_vars <~variable_prefix|variable>")
	}
	prefix, all := strings.CutPrefix(name, "~")
	for _, v := range ch.Vars().All() {
		if all && strings.HasPrefix(v.Name, prefix) || strings.EqualFold(v.Name, name) {
			partner.Set(v.Name, v.Value)
		}
	}
	return nil
}

// unloop dissolves a loopback pair whose both ends are bridged: who they talk to
// is bridged directly, and the pair ends.
func unloop(_ context.Context, ch *call.Channel, _ string) error {
	twin := ch.Switch().Find(ch.Get("other_loopback_leg_uuid"))
	if twin == nil {
		return nil
	}
	near, far := ch.Partner(), twin.Partner()
	if near == nil || far == nil || near == far {
		ch.Log(call.LogDebug, "unloop: %s is not bridged on both sides", ch.Name())
		return nil
	}
	ch.Set("loopback_hangup_cause", "bowout")
	ch.Set("loopback_bowout_other_uuid", far.UUID())
	e := event.New(event.Custom, "loopback::bowout")
	e.Add("Resigning-UUID", ch.UUID())
	e.Add("Resigning-Peer-UUID", near.UUID())
	e.Add("Acquired-UUID", far.UUID())
	ch.Switch().Bus.Publish(e, "mod_loopback.c", "channel_on_execute", 491)
	return near.BridgeWith(far)
}
