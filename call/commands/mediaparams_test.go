package commands

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/switchlet/switchlet/call"
)

// screen is an endpoint whose far ends have screens.
type screen struct{ shown chan string }

func (s screen) Dial(_ context.Context, sw *call.Switch, r *call.DialRequest) (*call.Channel, error) {
	return sw.NewChannel(screenLeg{s}, call.NewChannelOptions{UUID: r.UUID, Name: "screen/" + r.Data, Profile: r.Caller, Outbound: true})
}

type screenLeg struct{ screen }

func (screenLeg) Init(_ context.Context, ch *call.Channel) error {
	ch.AfterInit(ch.MarkAnswered)
	return nil
}
func (screenLeg) Ring(context.Context) error     { return nil }
func (screenLeg) Progress(context.Context) error { return nil }
func (screenLeg) Answer(context.Context) error   { return nil }
func (screenLeg) Hangup(call.Cause)              {}

func (l screenLeg) Prompt(_ context.Context, kind, text, pattern string) error {
	if kind == "bad" {
		return errors.New("bad")
	}
	l.shown <- strings.Join([]string{kind, text, pattern}, "|")
	return nil
}

func (l screenLeg) MediaParams(_ context.Context, params json.RawMessage) error {
	l.shown <- string(params)
	return nil
}

func TestScreens(t *testing.T) {
	b := newBox(t, nil)
	phone := b.call()
	s := screen{make(chan string, 1)}
	b.sw.AddEndpoint("screen", s)
	page := strings.TrimSpace(strings.TrimPrefix(b.run("originate screen/x &park()"), "+OK "))
	if b.sw.Find(page) == nil {
		t.Fatalf("originate: %q", page)
	}
	const paramsUsage, promptUsage = "-USAGE: <uuid> <json>\n", "-USAGE: <uuid> dtmf|message <text> [<regex>]\n"
	for _, c := range []struct{ line, want, shown string }{
		{"uuid_media_params", paramsUsage, ""}, {"uuid_media_params U", paramsUsage, ""}, {"uuid_media_params U  ", paramsUsage, ""},
		{`uuid_media_params nobody {}`, failed, ""}, {`uuid_media_params P {}`, failed, ""},
		{`uuid_media_params U {"audio": {"echoCancellation": false}}`, success, `{"audio":{"echoCancellation":false}}`},
		{`uuid_media_params U '{"audio":{"deviceId":"a=b <c>"}}'`, success, `{"audio":{"deviceId":"a=b <c>"}}`},
		{`uuid_media_params U fps=15 width=320:640:1280 height=240::480 aspect=1.5 x=y`, success, `{"video":{"frameRate":15,"width":{"min":320,"ideal":640,"max":1280},"height":{"min":240,"max":480},"aspectRatio":1.5}}`},
		{`uuid_media_params U false`, failed, ""}, {`uuid_media_params U {"audio":`, failed, ""}, {`uuid_media_params U {} {}`, failed, ""},
		{`uuid_media_params U [1]`, failed, ""}, {`uuid_media_params U x=y`, failed, ""},
		{`uuid_media_params U {"audio":"` + strings.Repeat("x", maxMediaParams) + `"}`, failed, ""},
		{"uuid_send_prompt", promptUsage, ""}, {"uuid_send_prompt U dtmf", promptUsage, ""}, {"uuid_send_prompt U dtmf ''", promptUsage, ""},
		{`uuid_send_prompt U dtmf 'What is your PIN?' ^\d{4}$`, success, `dtmf|What is your PIN?|^\d{4}$`},
		{"uuid_send_prompt U message Name", success, "message|Name|"}, {"uuid_send_prompt U bad Name", failed, ""},
		{"uuid_send_prompt nobody dtmf Name", failed, ""}, {"uuid_send_prompt P dtmf Name", failed, ""},
		{"uuid_send_prompt U dtmf " + strings.Repeat("x", maxPrompt), failed, ""},
	} {
		line := strings.Replace(strings.Replace(c.line+" ", " U ", " "+page+" ", 1), " P ", " "+phone.UUID()+" ", 1)
		if got := b.run(strings.TrimSuffix(line, " ")); got != c.want {
			t.Errorf("%.80s: %q, want %q", c.line, got, c.want)
		}
		shown := ""
		select {
		case shown = <-s.shown:
		default:
		}
		if shown != c.shown {
			t.Errorf("%.80s: shows %s, want %s", c.line, shown, c.shown)
		}
	}
}

func FuzzMediaParams(f *testing.F) {
	for _, s := range []string{`{"audio":{"x":1}}`, `'{}'`, "fps=1:2:3 aspect=NaN", "width=1e999", "width=-Inf:0x1p4", "{", "="} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		out := mediaParams(text)
		if out != nil && (out[0] != '{' || !json.Valid(out)) {
			t.Errorf("%q became %s", text, out)
		}
	})
}
