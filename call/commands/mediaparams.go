package commands

import (
	"context"
	"encoding/json"
	"math"
	"strconv"
	"strings"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/expand"
)

// Bounds of what is sent to show or to apply at a far end, in bytes.
const (
	maxMediaParams = 16 << 10
	maxPrompt      = 4 << 10
)

// uuidMediaParams has the far end of a call capture in another way.
func uuidMediaParams(ctx context.Context, sw *call.Switch, in *call.Invocation) error {
	uuid, text, _ := strings.Cut(in.Args, " ")
	if text = strings.TrimSpace(text); uuid == "" || text == "" {
		return usage(in, "<uuid> <json>")
	}
	params := mediaParams(text)
	ch := sw.Find(uuid)
	if params == nil || ch == nil {
		return reply(in, failed)
	}
	if c, ok := ch.Leg().(call.Constrainer); !ok || c.MediaParams(ctx, params) != nil {
		return reply(in, failed)
	}
	return reply(in, success)
}

// mediaParams reads constraints: a JSON object, which may stand in single quotes, or
// words for those of video (fps=, width=, height=, each value[:ideal[:max]], and aspect=).
// It returns nil for anything else.
func mediaParams(text string) json.RawMessage {
	if len(text) > maxMediaParams {
		return nil
	}
	if inner, ok := strings.CutPrefix(text, "'"); ok {
		text, _ = strings.CutSuffix(inner, "'")
	}
	if strings.HasPrefix(text, "{") {
		if o, err := jsonRequest(text); err == nil {
			if out, err := marshal(o); err == nil {
				return out
			}
		}
		return nil
	}
	values := map[string]string{}
	for word := range strings.FieldsSeq(text) {
		name, value, ok := strings.Cut(word, "=")
		if !ok {
			return nil
		}
		values[name] = value
	}
	var video object
	for _, c := range [...]struct{ word, member string }{{"fps", "frameRate"}, {"width", "width"}, {"height", "height"}} {
		if v, ok := values[c.word]; ok {
			video = video.with(c.member, constraint(v))
		}
	}
	if v, ok := values["aspect"]; ok {
		video = video.with("aspectRatio", decimal(v))
	}
	if video == nil {
		return nil
	}
	out, err := marshal(object{}.with("video", video))
	if err != nil {
		return nil
	}
	return out
}

// constraint is a number, or with more than one in text (min:ideal:max) an object.
func constraint(text string) any {
	f := strings.SplitN(text, ":", 3)
	ideal, most := decimal(word(f, 1)), decimal(word(f, 2))
	if ideal == 0 && most == 0 {
		return decimal(f[0])
	}
	o := object{}.with("min", decimal(f[0]))
	if ideal != 0 {
		o = o.with("ideal", ideal)
	}
	if most != 0 {
		o = o.with("max", most)
	}
	return o
}

// decimal reads a number; what is none is 0.
func decimal(text string) float64 {
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
		return 0
	}
	return n
}

// uuidSendPrompt asks who sits at the far end of a call to enter something.
func uuidSendPrompt(ctx context.Context, sw *call.Switch, in *call.Invocation) error {
	f := expand.SplitSeparate(in.Args, ' ', 4)
	if word(f, 0) == "" || word(f, 1) == "" || word(f, 2) == "" {
		return usage(in, promptSyntax)
	}
	ch := sw.Find(f[0])
	if ch == nil || len(in.Args) > maxPrompt {
		return reply(in, failed)
	}
	if p, ok := ch.Leg().(call.Prompter); !ok || p.Prompt(ctx, f[1], f[2], word(f, 3)) != nil {
		return reply(in, failed)
	}
	return reply(in, success)
}
