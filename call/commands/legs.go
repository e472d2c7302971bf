package commands

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/apps"
	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/call/expand"
)

const (
	displaceSyntax   = "<uuid> [start|stop] <path> [<limit>] [mux]"
	heartbeatSyntax  = "<uuid> [sched] [0|<seconds>]"
	debugMediaSyntax = "<uuid> <read|write|both|vread|vwrite|vboth|all> <on|off>"
	dropDTMFSyntax   = "<uuid> [on | off ] [ mask_digits <digits> | mask_file <file>]"
	promptSyntax     = "<uuid> dtmf|message <text> [<regex>]"
	toneDetectSyntax = "<uuid> <key> <tone_spec> [<flags> <timeout> <app> <args> <hits>]"
)

// legs are the commands that change how one leg of a call behaves.
func legs() []call.Command {
	const m = "mod_commands"
	return []call.Command{
		{Name: "uuid_displace", Syntax: displaceSyntax, Description: "Displace audio", Module: m, Run: uuidDisplace},
		{Name: "uuid_loglevel", Syntax: "<uuid> <level>", Description: "Set loglevel on session", Module: m, Run: uuidLoglevel},
		{Name: "uuid_session_heartbeat", Syntax: heartbeatSyntax, Description: "uuid_session_heartbeat", Module: m, Run: uuidHeartbeat},
		{Name: "uuid_media", Syntax: "[off] <uuid>", Description: "Reinvite FS in or out of media path", Module: m, Run: uuidMedia},
		{Name: "uuid_media_3p", Syntax: "[off] <uuid>", Description: "Reinvite FS in or out of media path using 3pcc", Module: m, Run: uuidMedia},
		{Name: "uuid_media_reneg", Syntax: "<uuid>[ <codec_string>]", Description: "Media negotiation", Module: m, Run: uuidMediaReneg},
		{Name: "uuid_media_params", Syntax: "<uuid> <json>", Description: "Update remote vid params", Module: m, Run: uuidMediaParams},
		{Name: "uuid_send_prompt", Syntax: promptSyntax, Description: "Ask the far end to enter digits or a text", Module: m, Run: uuidSendPrompt},
		{Name: "uuid_debug_media", Syntax: debugMediaSyntax, Description: "Debug media", Module: m, Run: uuidDebugMedia},
		{Name: "uuid_pause", Syntax: "<uuid> <on|off>", Description: "Pause media on a channel", Module: m, Run: uuidPause},
		{Name: "pause", Syntax: "<uuid> <on|off>", Description: "Pause media on a channel", Module: m, Run: uuidPause},
		{Name: "uuid_drop_dtmf", Syntax: dropDTMFSyntax, Description: "Drop all DTMF or replace it with a mask", Module: m, Run: uuidDropDTMF},
		{Name: "uuid_simplify", Syntax: "<uuid>", Description: "Try to cut out of a call path / attended xfer", Module: m, Run: uuidSimplify},
		{Name: "uuid_xfer_zombie", Syntax: "<uuid>", Description: "Allow A leg to hangup and continue originating", Module: m, Run: uuidXferZombie},
		{Name: "uuid_zombie_exec", Syntax: "<uuid>", Description: "Set zombie_exec flag on the specified uuid", Module: m, Run: uuidZombieExec},
		{Name: "uuid_early_ok", Syntax: "<uuid>", Description: "stop ignoring early media", Module: m, Run: uuidEarlyOK},
		{Name: "uuid_preprocess", Syntax: "<>", Description: "Pre-process Channel", Module: m, Run: uuidPreprocess},
		{Name: "uuid_set_media_stats", Syntax: "<uuid>", Description: "Set media stats", Module: m, Run: uuidSetMediaStats},
		{Name: "uuid_send_text", Syntax: "<uuid> <text>", Description: "Send text in real-time", Module: m, Run: uuidSendText},
		{Name: "uuid_capture_text", Syntax: "<uuid> <on|off>", Description: "start/stop capture_text", Module: m, Run: uuidCaptureText},
		{Name: "uuid_codec_debug", Syntax: "<uuid> audio|video <level>", Description: "Send codec a debug message", Module: m, Run: uuidCodecDebug},
		{Name: "uuid_codec_param", Syntax: "<uuid> audio|video read|write <param> <val>", Description: "Send codec a param", Module: m, Run: uuidCodecParam},
		{Name: "uuid_video_refresh", Syntax: "<uuid> [auto|manual]", Description: "Send video refresh.", Module: m, Run: uuidVideoRefresh},
		{Name: "uuid_recovery_refresh", Syntax: "<uuid> <uri>", Description: "Send a recovery_refresh", Module: m, Run: uuidRecoveryRefresh},
		{Name: "tone_detect", Syntax: toneDetectSyntax, Description: "Start tone detection on a channel", Module: m, Run: toneDetect},
		{Name: "valet_info", Syntax: "[<lot name>]", Description: "Valet Parking Info", Module: "mod_valet_parking", Run: valetInfo},
	}
}

// noSuch is the older form of "no such channel".
func noSuch(in *call.Invocation, uuid string) error {
	fmt.Fprintf(in.Out, "-ERR No such channel %s!\n", uuid)
	return nil
}

func uuidDisplace(ctx context.Context, sw *call.Switch, in *call.Invocation) error {
	f := expand.SplitSeparate(in.Args, ' ', 5)
	if len(f) < 3 || f[0] == "" || f[2] == "" {
		return usage(in, displaceSyntax)
	}
	ch := sw.Find(f[0])
	if ch == nil {
		return reply(in, noSession)
	}
	switch strings.ToLower(f[1]) {
	case "start":
		limit, _ := strconv.Atoi(word(f, 3))
		if err := apps.Displace(ctx, ch, f[2], time.Duration(max(limit, 0))*time.Second, word(f, 4)); err != nil {
			ch.Log(call.LogErr, "displace %s: %v", f[2], err)
			return reply(in, "-ERR Cannot displace session!\n")
		}
	case "stop":
		if !apps.StopDisplace(ch, f[2]) {
			return reply(in, "-ERR Cannot stop displace session!\n")
		}
	default:
		return usage(in, displaceSyntax)
	}
	return reply(in, success)
}

func uuidLoglevel(_ context.Context, sw *call.Switch, in *call.Invocation) error {
	uuid, text, _ := strings.Cut(in.Args, " ")
	rest, both := strings.CutPrefix(text, "-b")
	if both {
		_, text, _ = strings.Cut(rest, " ")
	}
	if uuid == "" || text == "" {
		return usage(in, "<uuid> <level>")
	}
	level, ok := call.ParseLevel(text)
	if !ok {
		return reply(in, "-ERR Invalid log level!\n")
	}
	ch := sw.Find(uuid)
	if ch == nil {
		return noSuch(in, uuid)
	}
	ch.SetLogLevel(level)
	if p := ch.Partner(); both && p != nil {
		p.SetLogLevel(level)
	}
	return reply(in, "+OK\n")
}

func uuidHeartbeat(_ context.Context, sw *call.Switch, in *call.Invocation) error {
	f := expand.SplitSeparate(in.Args, ' ', 3)
	if len(f) < 2 {
		return usage(in, "uuid_session_heartbeat "+heartbeatSyntax)
	}
	ch := sw.Find(f[0])
	if ch == nil {
		return reply(in, "-ERR Cannot locate session. USAGE: uuid_session_heartbeat "+heartbeatSyntax+"\n")
	}
	at := 1
	if strings.EqualFold(f[1], "sched") {
		at = 2
	}
	seconds := 60
	if n, err := strconv.Atoi(word(f, at)); err == nil {
		seconds = max(n, 0)
	} else if !call.True(word(f, at)) {
		seconds = 0
	}
	apps.Heartbeat(ch, time.Duration(seconds)*time.Second)
	return reply(in, "+OK\n")
}

// uuidMedia takes the switch out of the path of the sound or back into it, where
// the endpoint can do that.
func uuidMedia(ctx context.Context, sw *call.Switch, in *call.Invocation) error {
	f := expand.SplitSeparate(in.Args, ' ', 3)
	if word(f, 0) == "" {
		usage(in, "[off] <uuid>")
		return reply(in, failed)
	}
	uuid, out := f[0], false
	if strings.EqualFold(f[0], "off") {
		uuid, out = word(f, 1), true
	}
	ch := sw.Find(uuid)
	if ch == nil || !ch.Up() {
		return reply(in, failed)
	}
	b, able := ch.Leg().(call.Bypasser)
	switch {
	case able:
		if err := b.Bypass(ctx, out); err != nil {
			return reply(in, failed)
		}
	case out:
		return reply(in, failed)
	}
	return reply(in, success)
}

func uuidMediaReneg(ctx context.Context, sw *call.Switch, in *call.Invocation) error {
	f := expand.SplitSeparate(in.Args, ' ', 2)
	if word(f, 0) == "" {
		usage(in, "<uuid>[ <codec_string>]")
		return reply(in, failedUpper)
	}
	uuid, only := strings.CutPrefix(f[0], "+")
	ch := sw.Find(uuid)
	if ch == nil {
		return reply(in, failedUpper)
	}
	if r, ok := ch.Leg().(call.Renegotiator); !ok || r.Renegotiate(ctx, word(f, 1), only) != nil {
		return reply(in, failedUpper)
	}
	return reply(in, success)
}

// uuidDebugMedia logs the counters and stages of a leg's sound; a log line a
// packet would cost the call more than it tells.
func uuidDebugMedia(_ context.Context, sw *call.Switch, in *call.Invocation) error {
	f := expand.SplitSeparate(in.Args, ' ', 3)
	if len(f) < 3 || f[1] == "" || f[2] == "" {
		return usage(in, debugMediaSyntax)
	}
	ch := sw.Find(f[0])
	if ch == nil {
		return reply(in, failed)
	}
	switch strings.ToLower(f[1]) {
	case "read", "write", "both", "all":
		if call.True(f[2]) {
			ch.Log(call.LogConsole, "%s", ch.Port().Chain())
		}
		return reply(in, success)
	}
	return reply(in, failed)
}

func uuidPause(_ context.Context, sw *call.Switch, in *call.Invocation) error {
	f := expand.SplitSeparate(in.Args, ' ', 2)
	if len(f) < 2 || f[0] == "" {
		return usage(in, "<uuid> <on|off>")
	}
	ch := sw.Find(f[0])
	if ch == nil {
		return reply(in, noChannel)
	}
	ch.Port().Hold(strings.EqualFold(f[1], "on"))
	return nil
}

func uuidDropDTMF(_ context.Context, sw *call.Switch, in *call.Invocation) error {
	f := strings.Fields(in.Args)
	if len(f) < 4 {
		return usage(in, dropDTMFSyntax)
	}
	ch := sw.Find(f[0])
	if ch == nil {
		return noSuch(in, f[0])
	}
	digits, file := "", ""
	switch strings.ToLower(f[2]) {
	case "mask_digits":
		digits = f[3]
	case "mask_file":
		file = f[3]
	default:
		return usage(in, dropDTMFSyntax)
	}
	ch.Set("drop_dtmf_masking_digits", digits)
	ch.Set("drop_dtmf_masking_file", file)
	dropping, shown := "false", "not dropping"
	if strings.EqualFold(f[1], "on") {
		dropping, shown = "true", "dropping"
	}
	ch.Set("drop_dtmf", dropping)
	none := func(s string) string {
		if s == "" {
			return "NONE"
		}
		return s
	}
	fmt.Fprintf(in.Out, "+OK %s is %s DTMF. mask_file: %s mask_digits: %s\n", f[0], shown, none(file), none(digits))
	return nil
}

// uuidSimplify asks the endpoint to leave the path of a call that it only
// passes on.
func uuidSimplify(ctx context.Context, sw *call.Switch, in *call.Invocation) error {
	uuid, _, _ := strings.Cut(in.Args, " ")
	if uuid == "" {
		return usage(in, "<uuid>")
	}
	ch := sw.Find(uuid)
	if ch == nil {
		return reply(in, failed)
	}
	if s, ok := ch.Leg().(call.Simplifier); !ok || s.Simplify(ctx) != nil {
		return reply(in, failed)
	}
	return reply(in, success)
}

func uuidXferZombie(_ context.Context, sw *call.Switch, in *call.Invocation) error {
	uuid, _, _ := strings.Cut(in.Args, " ")
	if uuid == "" {
		usage(in, "<uuid>")
		return reply(in, failedUpper)
	}
	ch := sw.Find(uuid)
	if ch == nil {
		return reply(in, failedUpper)
	}
	apps.SetTransferZombie(ch)
	return reply(in, success)
}

func uuidZombieExec(_ context.Context, sw *call.Switch, in *call.Invocation) error {
	ch := sw.Find(in.Args)
	if ch == nil {
		return reply(in, "-ERR no such session\n")
	}
	ch.SetZombieExec()
	return reply(in, "+OK MMM Brains...\n")
}

func uuidEarlyOK(_ context.Context, sw *call.Switch, in *call.Invocation) error {
	ch := sw.Find(in.Args)
	if ch == nil {
		return reply(in, "-ERROR\n")
	}
	ch.AllowEarly()
	return nil
}

// uuidPreprocess accepts what it is told: there is no voice preprocessor.
func uuidPreprocess(_ context.Context, sw *call.Switch, in *call.Invocation) error {
	f := expand.SplitSeparate(in.Args, ' ', 3)
	switch {
	case len(f) < 2:
		return usage(in, "<>")
	case sw.Find(f[0]) == nil:
		return reply(in, noChannel)
	}
	return reply(in, "+OK\n")
}

func uuidSetMediaStats(_ context.Context, sw *call.Switch, in *call.Invocation) error {
	if in.Args == "" {
		return usage(in, "<uuid>")
	}
	ch := sw.Find(in.Args)
	if ch == nil {
		return noSuch(in, in.Args)
	}
	ch.SetMediaStatistics()
	return reply(in, "+OK:\n")
}

func uuidSendText(ctx context.Context, sw *call.Switch, in *call.Invocation) error {
	uuid, text, _ := strings.Cut(in.Args, " ")
	if uuid == "" || text == "" {
		return usage(in, "<uuid> <text>")
	}
	ch := sw.Find(uuid)
	if ch == nil {
		return noSuch(in, uuid)
	}
	messageTo(ctx, ch, event.Text, "text/plain", text+"\r\n")
	return reply(in, "+OK\n")
}

func uuidCaptureText(_ context.Context, sw *call.Switch, in *call.Invocation) error {
	uuid, text, _ := strings.Cut(in.Args, " ")
	if uuid == "" || text == "" {
		return usage(in, "<uuid> <on|off>")
	}
	if sw.Find(uuid) == nil {
		return noSuch(in, uuid)
	}
	return nil
}

func uuidCodecDebug(_ context.Context, sw *call.Switch, in *call.Invocation) error {
	f := expand.SplitSeparate(in.Args, ' ', 3)
	if len(f) < 3 {
		usage(in, "<uuid> audio|video <level>")
		return reply(in, failedUpper)
	}
	ch := sw.Find(f[0])
	if ch == nil {
		return reply(in, failedUpper)
	}
	if level, err := strconv.Atoi(f[2]); err == nil && level > 0 {
		ch.Log(call.LogConsole, "%s", ch.Port().Chain())
	}
	return reply(in, success)
}

// uuidCodecParam never reaches a codec: ours have no settings that a running call
// could change.
func uuidCodecParam(_ context.Context, sw *call.Switch, in *call.Invocation) error {
	f := expand.SplitSeparate(in.Args, ' ', 5)
	if len(f) < 4 {
		usage(in, "<uuid> audio|video read|write <param> <val>")
	}
	if sw.Find(word(f, 0)) == nil || len(f) < 4 {
		return reply(in, "-ERR Operation Failed [NOT SENT]\n")
	}
	return reply(in, "+OK Command sent reply: [NOT SENT]\n")
}

// uuidVideoRefresh succeeds for any call: there is no video to refresh.
func uuidVideoRefresh(_ context.Context, sw *call.Switch, in *call.Invocation) error {
	uuid, _, _ := strings.Cut(in.Args, " ")
	if uuid == "" {
		usage(in, "<uuid> [auto|manual]")
		return reply(in, failedUpper)
	}
	if sw.Find(uuid) == nil {
		return reply(in, failedUpper)
	}
	return reply(in, success)
}

// uuidRecoveryRefresh makes the endpoint negotiate anew.
func uuidRecoveryRefresh(ctx context.Context, sw *call.Switch, in *call.Invocation) error {
	uuid, uri, _ := strings.Cut(in.Args, " ")
	if uuid == "" || uri == "" {
		return usage(in, "<uuid> <uri>")
	}
	ch := sw.Find(uuid)
	if ch == nil {
		return noSuch(in, uuid)
	}
	if r, ok := ch.Leg().(call.Renegotiator); ok {
		if err := r.Renegotiate(ctx, "", false); err != nil {
			ch.Log(call.LogErr, "recovery_refresh: %v", err)
		}
	}
	return reply(in, "+OK:\n")
}

func toneDetect(_ context.Context, sw *call.Switch, in *call.Invocation) error {
	f := expand.SplitSeparate(in.Args, ' ', 8)
	if len(f) < 3 || f[0] == "" {
		sw.Log.Printf(call.LogErr, "-ERR INVALID ARGS!")
		return nil
	}
	ch := sw.Find(f[0])
	if ch == nil {
		return reply(in, noSession)
	}
	o := apps.ToneOptions{Key: f[1], Spec: f[2], Flags: word(f, 3), App: word(f, 5), Args: word(f, 6), Hits: 1}
	if to := word(f, 4); to != "" {
		at, err := apps.When(to)
		if err != nil || at.Before(time.Now()) {
			ch.Log(call.LogErr, "INVALID Timeout!")
			return nil
		}
		o.Until = at
	}
	if n, err := strconv.Atoi(word(f, 7)); err == nil && n > 0 {
		o.Hits = n
	}
	if err := apps.DetectTone(ch, o); err != nil {
		ch.Log(call.LogErr, "tone_detect: %v", err)
	}
	fmt.Fprintf(in.Out, "+OK Enabling tone detection '%s' '%s' '%s'\n", o.Key, o.Spec, o.Flags)
	return nil
}

// valetInfo lists the lots in which somebody is parked.
func valetInfo(_ context.Context, sw *call.Switch, in *call.Invocation) error {
	in.Out.WriteString("<lots>\n")
	for _, lot := range apps.ValetLots(sw) {
		if in.Args != "" && !strings.EqualFold(in.Args, lot.Name) {
			continue
		}
		fmt.Fprintf(in.Out, "  <lot name=\"%s\">\n", xmlEscaper.Replace(lot.Name))
		for _, s := range lot.Slots {
			fmt.Fprintf(in.Out, "    <extension uuid=\"%s\">%s</extension>\n", s.UUID, xmlEscaper.Replace(s.Extension))
		}
		in.Out.WriteString("  </lot>\n")
	}
	return reply(in, "</lots>\n")
}
