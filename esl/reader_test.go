package esl

import (
	"errors"
	"io"
	"strings"
	"testing"
)

func TestReadCommand(t *testing.T) {
	for _, c := range []struct {
		name, in, line, headers, body string
	}{
		{"a line and a blank line", "api status\n\n", "api status", "", ""},
		{"CR LF", "auth x\r\n\r\n", "auth x", "", ""},
		{"LF CR LF", "auth x\n\r\n", "auth x", "", ""},
		{"blank lines in front", "\n\r\n\nexit\n\n", "exit", "", ""},
		{"headers keep what they are", "sendevent X\nA:  b c \nno colon\nEmpty:\nE: %20\n\n", "sendevent X", "A=b c |E=%20|", ""},
		{"body", "sendmsg\nContent-Length: 3\n\nabcexit\n\n", "sendmsg", "Content-Length=3|", "abc"},
		{"body up to a NUL", "sendmsg\ncontent-length: 3\n\na\x00c", "sendmsg", "content-length=3|", "a"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := NewReader(strings.NewReader(c.in), FullLimits).ReadCommand()
			if err != nil {
				t.Fatal(err)
			}
			var h strings.Builder
			for _, x := range got.Headers {
				h.WriteString(x.Name + "=" + x.Value + "|")
			}
			if got.Line != c.line || h.String() != c.headers || got.Body != c.body {
				t.Errorf("got %q %q %q, want %q %q %q", got.Line, h.String(), got.Body, c.line, c.headers, c.body)
			}
		})
	}
}

func TestReadCommand_Refuses(t *testing.T) {
	small := Limits{Head: 100, Body: 10}
	for _, c := range []struct {
		name, in string
		want     error
	}{
		{"nothing", "", io.EOF},
		{"blank lines only", "\n\n", io.EOF},
		{"half a head", "api x\n", io.ErrUnexpectedEOF},
		{"half a body", "api x\nContent-Length: 5\n\nabc", io.ErrUnexpectedEOF},
		{"a long line", strings.Repeat("x", 5000), ErrHead},
		{"many lines", strings.Repeat("a: b\n", 30), ErrHead},
		{"a long body", "x\nContent-Length: 11\n\n", ErrLength},
		{"a negative body", "x\nContent-Length: -1\n\n", ErrLength},
		{"an absurd body", "x\nContent-Length: 99999999999999999999\n\n", ErrLength},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := NewReader(strings.NewReader(c.in), small).ReadCommand(); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestReadMessage_DecodesValues(t *testing.T) {
	in := "Content-Length: 2\nContent-Type: api/response\nX: a%20b%2\n\nhiReply-Text: %2BOK%0A\n\n"
	r := NewReader(strings.NewReader(in), FullLimits)
	m, err := r.ReadMessage()
	if err != nil || m.Get("x") != "a b%2" || string(m.Body) != "hi" {
		t.Fatalf("got %+v, %v", m, err)
	}
	if m, err = r.ReadMessage(); err != nil || m.Get("Reply-Text") != "+OK\n" {
		t.Fatalf("got %+v, %v", m, err)
	}
}

func TestParseEvent_Formats(t *testing.T) {
	for _, c := range []struct {
		name  string
		parse func([]byte) (*Event, error)
		in    string
	}{
		{"plain", ParsePlain, "Event-Name: CUSTOM\nX: a%20b\nL: ARRAY%3A%3Aa%7C%3Ab\nContent-Length: 3\n\nu\nv"},
		{"json", ParseJSON, `{"Event-Name":"CUSTOM","X":"a b","L":["a","b"],"Content-Length":"3","_body":"u\nv"}`},
		{"xml", ParseXML, "<event>\n  <headers>\n    <Event-Name>CUSTOM</Event-Name>\n    <X>a%20b</X>\n    <L>ARRAY%3A%3Aa%7C%3Ab</L>\n  </headers>\n  <Content-Length>3</Content-Length>\n  <body>u\nv</body>\n</event>\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, err := c.parse([]byte(c.in))
			if err != nil {
				t.Fatal(err)
			}
			if l := e.Values("l"); e.Name() != "CUSTOM" || e.Get("X") != "a b" || e.Body != "u\nv" || len(l) != 2 || l[1] != "b" {
				t.Errorf("got %+v", e)
			}
		})
	}
}

func FuzzReadCommand(f *testing.F) {
	f.Add("api x\nContent-Length: 3\n\nabc\r\n\r\nexit\n\n")
	f.Add("sendmsg\r\nA:b\r\n\r\n")
	f.Fuzz(func(t *testing.T, in string) {
		r := NewReader(strings.NewReader(in), Limits{Head: 1 << 12, Body: 1 << 12})
		for {
			c, err := r.ReadCommand()
			if err != nil {
				return
			}
			if len(c.Line)+len(c.Body) > 1<<13 || strings.Contains(c.Line, "\n") {
				t.Fatalf("command out of bounds: %q", c.Line)
			}
		}
	})
}

func FuzzReadMessage(f *testing.F) {
	f.Add("Content-Length: 3\nContent-Type: text/event-plain\n\nA: ")
	f.Fuzz(func(t *testing.T, in string) {
		r := NewReader(strings.NewReader(in), Limits{Head: 1 << 12, Body: 1 << 12})
		for {
			m, err := r.ReadMessage()
			if err != nil {
				return
			}
			parseEvent(m)
		}
	})
}

func FuzzParseEvent(f *testing.F) {
	f.Add([]byte("A: b\nContent-Length: 1\n\nx"))
	f.Add([]byte(`{"A":["b"],"_body":"x"}`))
	f.Add([]byte("<event><headers><A>b</A></headers></event>"))
	f.Fuzz(func(t *testing.T, in []byte) {
		ParsePlain(in)
		ParseJSON(in)
		ParseXML(in)
	})
}
