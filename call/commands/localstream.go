package commands

import (
	"context"
	"encoding/xml"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/expand"
	"github.com/switchlet/switchlet/media/stream"
)

const localStreamSyntax = "<show|start|reload|stop|hup> <local_stream_name>"

func localStreams(d Deps) []call.Command {
	if d.Streams == nil {
		return nil
	}
	return []call.Command{{Name: "local_stream", Syntax: localStreamSyntax, Description: "manage local streams", Module: "mod_local_stream",
		Run: func(_ context.Context, _ *call.Switch, in *call.Invocation) error { return localStream(d, in) }}}
}

// localStream steers hold music (spec/api-commands.md §7). Its confirmations have no
// line end.
func localStream(d Deps, in *call.Invocation) error {
	f := expand.SplitSeparate(in.Args, ' ', 4)
	verb, name := strings.ToLower(word(f, 0)), word(f, 1)
	if verb == "show" {
		return showLocalStream(d.Streams, in, name, strings.HasSuffix(strings.ToLower(in.Args), "xml"))
	}
	if name == "" {
		return usage(in, localStreamSyntax)
	}
	switch verb {
	case "start":
		conf, ok := d.LocalStream(name)
		if !ok {
			return usage(in, localStreamSyntax)
		}
		d.Streams.StartStream(name, conf)
		return reply(in, "+OK stream: "+name)
	case "stop":
		return found(in, name, d.Streams.StopStream(name), "+OK")
	case "reload":
		conf, ok := d.LocalStream(name)
		return found(in, name, ok && d.Streams.ReloadStream(name, conf), "+OK")
	case "hup":
		return found(in, name, d.Streams.SkipStream(name), "+OK hup stream: "+name)
	case "vol":
		return volumeOfStream(d.Streams, in, name, word(f, 2))
	}
	return usage(in, localStreamSyntax)
}

func found(in *call.Invocation, name string, ok bool, text string) error {
	if !ok {
		text = fmt.Sprintf("-ERR Cannot locate local_stream %s!\n", name)
	}
	return reply(in, text)
}

// volumeOfStream sets the volume, in dB or as auto:SCORE[:LOW], and tells it.
func volumeOfStream(streams *stream.Opener, in *call.Invocation, name, value string) error {
	state := func() (stream.StreamState, bool) {
		list := streams.Streams()
		i := slices.IndexFunc(list, func(s stream.StreamState) bool { return s.Name == name })
		if i < 0 {
			return stream.StreamState{}, false
		}
		return list[i], true
	}
	if _, ok := state(); !ok {
		return found(in, name, false, "")
	}
	if score, ok := strings.CutPrefix(strings.ToLower(value), "auto:"); ok {
		score, low, _ := strings.Cut(score, ":")
		n, err := strconv.Atoi(score)
		if err != nil || n < 0 || n > stream.MaxAutoVolume {
			return reply(in, fmt.Sprintf("-ERR invalid auto-volume level for stream: %s\n", name))
		}
		least := 0
		if low != "" {
			if least, err = strconv.Atoi(low); err != nil || least < 0 || least > stream.MaxAutoVolume {
				return reply(in, fmt.Sprintf("-ERR invalid auto-volume low-energy level for stream: %s\n", name))
			}
		}
		streams.SetStreamAutoVolume(name, n, least)
	} else if value != "" {
		n, err := strconv.Atoi(value)
		if err != nil {
			return usage(in, localStreamSyntax)
		}
		streams.SetStreamVolume(name, n)
	}
	s, ok := state()
	text := fmt.Sprintf("+OK vol stream: %s is %d", name, s.Volume)
	if s.AutoVolume > 0 {
		text = fmt.Sprintf("+OK Auto-Volume stream: %s is %d/%d", name, s.AutoVolume, s.AutoLow)
	}
	return found(in, name, ok, text)
}

// showLocalStream lists the streams, or tells about one.
func showLocalStream(streams *stream.Opener, in *call.Invocation, name string, asXML bool) error {
	for _, s := range streams.Streams() {
		switch {
		case name == "" || asXML && strings.EqualFold(name, "as"):
			fmt.Fprintf(in.Out, "%s,%s\n", s.Name, s.Path)
			continue
		case s.Name != name:
			continue
		case asXML:
			in.Out.WriteString("<?xml version=\"1.0\"?>\n<local_stream name=\"")
			escapeXML(in, s.Name)
			in.Out.WriteString("\">\n")
			for _, r := range streamFacts(s) {
				fmt.Fprintf(in.Out, "  <%s>", r[0])
				escapeXML(in, r[1])
				fmt.Fprintf(in.Out, "</%s>\n", r[0])
			}
			in.Out.WriteString("</local_stream>\n")
		default:
			in.Out.WriteString(s.Name + "\n")
			for _, r := range streamFacts(s) {
				fmt.Fprintf(in.Out, "  %-9s %s\n", r[0]+":", r[1])
			}
		}
		return reply(in, "+OK")
	}
	return found(in, name, name == "" || asXML && strings.EqualFold(name, "as"), "+OK")
}

func escapeXML(in *call.Invocation, text string) { _ = xml.EscapeText(in.Out, []byte(text)) }

// streamFacts are the lines of a stream. Sound is decoded at the rate of each call, so
// that channels and rate are those of every stream.
func streamFacts(s stream.StreamState) [][2]string {
	rows := [][2]string{
		{"location", s.Path}, {"channels", "1"}, {"volume", strconv.Itoa(s.Volume)}, {"chimes", strconv.Itoa(len(s.Chimes))},
		{"shuffle", strconv.FormatBool(s.Shuffle)}, {"ready", strconv.FormatBool(s.Playing)}, {"stopped", strconv.FormatBool(s.Stopped)},
	}
	return rows
}
