package commands

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/apps"
	"github.com/switchlet/switchlet/call/expand"
	"github.com/switchlet/switchlet/media"
)

const noSession = "-ERR Cannot locate session!\n"

func sound(Deps) []call.Command {
	const m = "mod_commands"
	return []call.Command{
		{Name: "uuid_broadcast", Syntax: "<uuid> <path> [aleg|bleg|holdb|both]", Description: "Execute dialplan application", Module: m, Run: uuidBroadcast},
		{Name: "uuid_record", Syntax: recordSyntax, Description: "Record session audio", Module: m, Run: uuidRecord},
		{Name: "uuid_send_dtmf", Syntax: "<uuid> <dtmf_data>", Description: "Send dtmf digits", Module: m, Run: uuidSendDTMF},
		{Name: "uuid_recv_dtmf", Syntax: "<uuid> <dtmf_data>", Description: "Receive dtmf digits", Module: m, Run: uuidRecvDTMF},
		{Name: "uuid_flush_dtmf", Syntax: "<uuid>", Description: "Flush dtmf on a given uuid", Module: m, Run: uuidFlushDTMF},
		{Name: "uuid_fileman", Syntax: "<uuid> <cmd>:<val>", Description: "Manage session audio", Module: m, Run: uuidFileman},
		{Name: "uuid_audio", Syntax: "<uuid> [start [read|write] [mute|level <level>]|stop]", Description: "uuid_audio", Module: m, Run: uuidAudio},
		{Name: "uuid_buglist", Syntax: "<uuid>", Description: "List media bugs on a session", Module: m, Run: uuidBuglist},
		{Name: "uuid_media_chain", Syntax: "<uuid>", Description: "Tell how the sound of a call runs, and what is wrong with it", Module: m, Run: uuidMediaChain},
		{Name: "uuid_jitterbuffer", Syntax: "<uuid> [0|<min_msec>[:<max_msec>]]", Description: "uuid_jitterbuffer", Module: m, Run: uuidJitterbuffer},
	}
}

func uuidBroadcast(_ context.Context, sw *call.Switch, in *call.Invocation) error {
	f := expand.SplitSeparate(in.Args, ' ', 3)
	if len(f) < 2 {
		return usage(in, "<uuid> <path> [aleg|bleg|holdb|both]")
	}
	ch := sw.Find(f[0])
	if ch == nil {
		return reply(in, "-ERR invalid uuid\n")
	}
	apps.Broadcast(ch, f[1], word(f, 2))
	return reply(in, "+OK Message sent\n")
}

const recordSyntax = "<uuid> [start|stop|mask|unmask] <path> [<limit>] [<recording_vars>]"

func uuidRecord(_ context.Context, sw *call.Switch, in *call.Invocation) error {
	f := expand.SplitSeparate(in.Args, ' ', 5)
	if len(f) < 3 || f[0] == "" {
		return usage(in, recordSyntax)
	}
	ch := sw.Find(f[0])
	if ch == nil {
		return reply(in, noSession)
	}
	path := f[2]
	var err error
	fail := ""
	switch strings.ToLower(f[1]) {
	case "start":
		limit, _ := strconv.Atoi(word(f, 3))
		err, fail = ch.StartRecording(path, time.Duration(limit)*time.Second, recordingVars(word(f, 4))), "-ERR Cannot record session!\n"
	case "stop":
		err, fail = ch.StopRecording(path), "-ERR Cannot stop record session!\n"
	case "mask":
		err, fail = ch.MaskRecording(path, true), "-ERR Cannot mask recording session!\n"
	case "unmask":
		err, fail = ch.MaskRecording(path, false), "-ERR Cannot unmask recording session!\n"
	case "pause":
		err, fail = ch.PauseRecording(path, true), "-ERR Cannot pause recording session!\n"
	case "resume":
		err, fail = ch.PauseRecording(path, false), "-ERR Cannot resume recording session!\n"
	default:
		return usage(in, recordSyntax)
	}
	if err != nil {
		ch.Log(call.LogErr, "uuid_record %s: %v", path, err)
		return reply(in, fail)
	}
	return reply(in, success)
}

func recordingVars(text string) []call.Var {
	var out []call.Var
	for _, pair := range strings.Split(strings.Trim(text, "{}"), ",") {
		if name, value, ok := strings.Cut(pair, "="); ok {
			out = append(out, call.Var{Name: name, Value: value})
		}
	}
	return out
}

// dtmfArgs finds channel and digits of "<uuid> <dtmf_data>".
func dtmfArgs(sw *call.Switch, in *call.Invocation) (ch *call.Channel, text string, list []media.Digit, live, done bool) {
	uuid, text, ok := strings.Cut(in.Args, " ")
	if !ok || text == "" {
		usage(in, "<uuid> <dtmf_data>")
		return nil, "", nil, false, true
	}
	digits, live := strings.CutPrefix(text, "~")
	list, err := call.ParseDigits(digits, media.DigitApp)
	if ch = sw.Find(uuid); ch == nil {
		reply(in, noSession)
		return nil, "", nil, false, true
	}
	if err != nil || len(list) == 0 {
		usage(in, "<uuid> <dtmf_data>")
		return nil, "", nil, false, true
	}
	return ch, text, list, live, false
}

func uuidSendDTMF(_ context.Context, sw *call.Switch, in *call.Invocation) error {
	ch, text, list, _, done := dtmfArgs(sw, in)
	if done {
		return nil
	}
	if ch.SendDigits(list) != nil {
		return reply(in, failed)
	}
	fmt.Fprintf(in.Out, "+OK %s sent DTMF %s.\n", ch.UUID(), text)
	return nil
}

func uuidRecvDTMF(_ context.Context, sw *call.Switch, in *call.Invocation) error {
	ch, text, list, live, done := dtmfArgs(sw, in)
	if done {
		return nil
	}
	for _, d := range list {
		switch {
		case d.Char == 'w' || d.Char == 'W':
		case live:
			ch.ReceiveDigit(d)
		default:
			ch.QueueDigit(d)
		}
	}
	fmt.Fprintf(in.Out, "+OK %s received DTMF %s.\n", ch.UUID(), text)
	return nil
}

func uuidFlushDTMF(_ context.Context, sw *call.Switch, in *call.Invocation) error {
	ch := sw.Find(in.Args)
	if ch == nil {
		return reply(in, "-ERR No such session\n")
	}
	ch.FlushDigits()
	return reply(in, "+OK\n")
}

func uuidFileman(_ context.Context, sw *call.Switch, in *call.Invocation) error {
	uuid, line, ok := strings.Cut(in.Args, " ")
	if !ok {
		return usage(in, "<uuid> <cmd>:<val>")
	}
	ch := sw.Find(uuid)
	if ch == nil {
		return reply(in, noChannel)
	}
	pb := ch.Playback()
	if pb == nil {
		return reply(in, "-ERR No file handle!\n")
	}
	apps.Fileman(pb, line)
	return reply(in, "+OK\n")
}

func uuidAudio(_ context.Context, sw *call.Switch, in *call.Invocation) error {
	const syntax = "<uuid> [start [read|write] [mute|level <level>]|stop]"
	f := strings.Fields(in.Args)
	if len(f) < 2 {
		return usage(in, syntax)
	}
	ch := sw.Find(f[0])
	if ch == nil {
		return reply(in, noChannel)
	}
	p := ch.Port()
	switch {
	case f[1] == "stop":
		p.Gain(media.Both, 0)
		p.Mute(media.Both, false)
	case f[1] == "start" && len(f) >= 5:
		d := media.Write
		if f[2] == "read" {
			d = media.Read
		}
		level, _ := strconv.Atoi(f[4])
		if f[3] == "mute" {
			p.Mute(d, level != 0)
		} else {
			p.Gain(d, min(max(level, -4), 4))
		}
	default:
		return usage(in, syntax)
	}
	return reply(in, "+OK\n")
}

func uuidBuglist(_ context.Context, sw *call.Switch, in *call.Invocation) error {
	if in.Args == "" {
		return usage(in, "<uuid>")
	}
	ch := sw.Find(in.Args)
	if ch == nil {
		return nil
	}
	in.Out.WriteString("<media-bugs>\n")
	for _, path := range ch.Recordings() {
		fmt.Fprintf(in.Out, " <media-bug>\n  <function>session_record</function>\n  <target>%s</target>\n  <thread-locked>0</thread-locked>\n </media-bug>\n", xmlEscaper.Replace(path))
	}
	return reply(in, "</media-bugs>\n")
}

func uuidMediaChain(_ context.Context, sw *call.Switch, in *call.Invocation) error {
	if in.Args == "" {
		return usage(in, "<uuid>")
	}
	ch := sw.Find(in.Args)
	if ch == nil {
		return reply(in, noChannel)
	}
	return reply(in, ch.Port().Chain())
}

func uuidJitterbuffer(_ context.Context, sw *call.Switch, in *call.Invocation) error {
	uuid, text, ok := strings.Cut(in.Args, " ")
	if !ok {
		return usage(in, "<uuid> [0|<min_msec>[:<max_msec>]]")
	}
	ch := sw.Find(uuid)
	if ch == nil {
		return reply(in, failed)
	}
	low, high, _ := strings.Cut(text, ":")
	least, err := strconv.Atoi(low)
	if err != nil || least < 0 {
		return reply(in, failed)
	}
	most, _ := strconv.Atoi(high)
	ch.Port().SetJitter(least, max(most, least))
	return reply(in, success)
}
