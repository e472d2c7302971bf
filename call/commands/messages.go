package commands

import (
	"context"
	"fmt"
	"strings"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
)

// messageTo delivers an event to the channel's far end by its endpoint.
func messageTo(ctx context.Context, ch *call.Channel, kind event.Type, contentType, body string) bool {
	m, ok := ch.Leg().(call.Messenger)
	if !ok {
		return false
	}
	e := event.New(kind, "")
	e.Add("content-type", contentType)
	e.SetBody(body)
	return m.Message(ctx, e) == nil
}

func sendInfo(ctx context.Context, sw *call.Switch, in *call.Invocation) error {
	f := strings.SplitN(in.Args, " ", 4)
	if len(f) < 2 {
		usage(in, "<uuid> [<mime_type> <mime_subtype>] <message>")
		return reply(in, failedUpper)
	}
	kind, text := "text/plain", strings.Join(f[1:], " ")
	if len(f) == 4 {
		kind, text = f[1]+"/"+f[2], f[3]
	}
	if ch := sw.Find(f[0]); ch == nil || !messageTo(ctx, ch, event.SendInfo, kind, text) {
		return reply(in, failedUpper)
	}
	return reply(in, success)
}

func sendMessage(ctx context.Context, sw *call.Switch, in *call.Invocation) error {
	uuid, text, ok := strings.Cut(in.Args, " ")
	if !ok {
		return usage(in, "<uuid> <message>")
	}
	ch := sw.Find(uuid)
	switch {
	case ch == nil:
		return reply(in, "-ERR Unable to find session for UUID\n")
	case !messageTo(ctx, ch, event.SendMessage, "text/plain", text):
		return reply(in, failedUpper)
	}
	return reply(in, success)
}

func phoneEvent(ctx context.Context, sw *call.Switch, in *call.Invocation) error {
	uuid, text, _ := strings.Cut(in.Args, " ")
	if uuid == "" {
		usage(in, "<uuid>")
		return reply(in, failed)
	}
	ch := sw.Find(uuid)
	if ch == nil {
		return reply(in, failed)
	}
	if text == "" {
		text = "talk"
	}
	if !messageTo(ctx, ch, event.PhoneFeature, "", text) {
		return reply(in, failed)
	}
	return reply(in, success)
}

func uuidChat(ctx context.Context, sw *call.Switch, in *call.Invocation) error {
	uuid, text, ok := strings.Cut(in.Args, " ")
	if !ok {
		return usage(in, "<uuid> <text>")
	}
	ch := sw.Find(uuid)
	switch {
	case ch == nil:
		fmt.Fprintf(in.Out, "-ERR No such channel %s!\n", uuid)
	case !messageTo(ctx, ch, event.Message, "text/plain", text):
		in.Out.WriteString("-ERR Send failed\n")
	default:
		in.Out.WriteString("+OK\n")
	}
	return nil
}
