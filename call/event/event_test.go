package event

import (
	"encoding/json"
	"encoding/xml"
	"strings"
	"testing"
	"time"
)

func fixedBus() *Bus {
	origin := Origin{CoreUUID: "6e8e9a4c-0000-4000-8000-000000000001", Hostname: "box", Switchname: "box", IPv4: "192.0.2.1", IPv6: "::1"}
	at := time.Date(2026, 11, 21, 14, 30, 5, 123456000, time.UTC)
	return NewBus(func() Origin { return origin }, func() time.Time { return at })
}

func TestPlain_Golden(t *testing.T) {
	b := fixedBus()
	e := New(Custom, "calltest1::calltest1_sub")
	e.Add("callee_uuid", "86896a7a")
	e.Add("failed_reason", "exten not available & more")
	e.Push("list", "a")
	e.Push("list", "b")
	e.Add("empty", "")
	e.SetBody("Hello & bye\n")
	b.Publish(e, "mod_lua.cpp", "fire", 42)
	want := `Event-Subclass: calltest1%3A%3Acalltest1_sub
Event-Name: CUSTOM
Core-UUID: 6e8e9a4c-0000-4000-8000-000000000001
FreeSWITCH-Hostname: box
FreeSWITCH-Switchname: box
FreeSWITCH-IPv4: 192.0.2.1
FreeSWITCH-IPv6: %3A%3A1
Event-Date-Local: 2026-11-21%2014%3A30%3A05
Event-Date-GMT: Sat,%2021%20Nov%202026%2014%3A30%3A05%20GMT
Event-Date-Timestamp: 1795271405123456
Event-Calling-File: mod_lua.cpp
Event-Calling-Function: fire
Event-Calling-Line-Number: 42
Event-Sequence: 1
callee_uuid: 86896a7a
failed_reason: exten%20not%20available%20%26%20more
list: ARRAY%3A%3Aa%7C%3Ab
Content-Length: 12

Hello & bye
`
	if got := string(e.Plain()); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestJSON_Golden(t *testing.T) {
	e := New(Heartbeat, "")
	e.Add("Event-Name", "HEARTBEAT")
	e.Add("text", "a \"b\" \\ /\t\x01é")
	e.Add("twice", "1")
	e.Add("twice", "2")
	e.Add("list", "ARRAY::a|:|:c")
	e.SetBody("")
	want := `{"Event-Name":"HEARTBEAT","text":"a \"b\" \\ /\t\u0001é","twice":"1","twice":"2","list":["a","","c"],"Content-Length":"0","_body":""}`
	if got := string(e.JSON()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if !json.Valid(e.JSON()) {
		t.Error("not valid JSON")
	}
}

func TestXML_Golden(t *testing.T) {
	e := New(Heartbeat, "")
	e.Add("Event-Name", "HEARTBEAT")
	e.Add("list", "ARRAY::a b|:<")
	e.SetBody("Hello & bye é\r\n")
	want := `<event>
  <headers>
    <Event-Name>HEARTBEAT</Event-Name>
    <list>a%20b</list>
    <list>%3C</list>
  </headers>
  <Content-Length>16</Content-Length>
  <body>Hello &amp; bye &#xE9;&#xD;
  </body>
</event>
`
	if got := string(e.XML()); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if err := xml.Unmarshal(e.XML(), new(struct{ XMLName xml.Name })); err != nil {
		t.Error(err)
	}
}

func TestEncode(t *testing.T) {
	tests := []struct{ in, want string }{
		{"50%20", "50%20"},
		{"100%", "100%25"},
		{"%2f", "%252f"},
		{"a b/c?d=é&x+y", "a%20b/c%3Fd%3D%C3%A9%26x%2By"},
		{"-_.~/,!$'()*", "-_.~/,!$'()*"},
		{"\"#%&+:;<=>?@[\\]^`{|}", "%22%23%25%26%2B%3A%3B%3C%3D%3E%3F%40%5B%5C%5D%5E%60%7B%7C%7D"},
		{"\r\n\x7f", "%0D%0A%7F"},
		{"", ""},
	}
	for _, tt := range tests {
		if got := Encode(tt.in); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.in, got, tt.want)
		}
	}
	if got := Decode("a%20b%2fc+d%zz%4"); got != "a b/c+d%zz%4" {
		t.Errorf("decode: got %q", got)
	}
}

func TestHeaders(t *testing.T) {
	e := New(Custom, "x")
	e.Add("A", "1")
	e.Add("a", "2")
	e.Add("B", "3")
	check := func(what, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s: got %q, want %q", what, got, want)
		}
	}
	check("first of a name, any case", e.Get("a"), "1")
	e.Set("A", "4")
	check("set replaces all", string(e.AppendPlain(nil)), "B: 3\nA: 4\n\n")
	e.Add("a", "")
	check("an empty value deletes", string(e.AppendPlain(nil)), "B: 3\n\n")
	e.Push("list", "x")
	check("one element", e.Get("list")+e.Get("list[0]"), "xx")
	e.Unshift("list", "w")
	check("unshift", e.Get("list"), "ARRAY::w|:x")
	e.Add("list[3]", "z")
	check("set an element", e.Get("list")+e.Get("list[3]"), "ARRAY::w|:x|:|:zz")
	check("beyond the end", e.Get("list[4]"), "")
	e.Add("list[4001]", "z")
	check("out of range", e.Get("list"), "ARRAY::w|:x|:|:z")
	e.Add("_body", "text")
	check("body", e.Get("_body"), "text")
	if e.Delete("nosuch") || !e.Delete("LIST") || e.Has("list") {
		t.Error("delete")
	}
	c := e.Clone()
	c.Add("only", "copy")
	check("a clone is apart", e.Get("only"), "")
	c.Merge(e)

	u := New(Message, "")
	u.Add("from", "a")
	u.Add("to", "b")
	u.Add("From", "c")
	check("unique types: last wins, at the end", string(u.AppendPlain(nil)), "to: b\nFrom: c\n\n")
}

func TestParsePlain(t *testing.T) {
	e, err := ParsePlain([]byte("Event-Name: CUSTOM\r\nEvent-Subclass: a%3A%3Ab\r\nX: _undef_\r\nList: ARRAY%3A%3A1%7C%3A2\r\nContent-Length: 3\r\n\r\nabcdef"))
	if err != nil {
		t.Fatal(err)
	}
	if e.Type != Custom || e.Subclass != "a::b" || e.Get("X") != "" || e.Get("list[1]") != "2" || e.Body != "abc" {
		t.Errorf("got %+v", e)
	}
	for _, bad := range []string{"no colon\n\n", "Content-Length: 5\n\nabc", "Content-Length: x\n\n", "Event-Name: NOSUCH\n\n"} {
		if _, err := ParsePlain([]byte(bad)); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestParseJSON(t *testing.T) {
	e, err := ParseJSON([]byte(`{"Event-Name":"message","n":12,"b":true,"nil":null,"l":["a","b"],"Content-Length":"2","_body":"hi"}`))
	if err != nil {
		t.Fatal(err)
	}
	if e.Type != Message || e.Get("n") != "12" || e.Get("b") != "true" || e.Get("l") != "ARRAY::a|:b" || e.Body != "hi" || e.Has("Content-Length") {
		t.Errorf("got %+v", e)
	}
	for _, bad := range []string{``, `[]`, `{"a":{}}`, `{"a":1} x`, `{"a"`, `{"l":[[1]]}`} {
		if _, err := ParseJSON([]byte(bad)); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestTypes(t *testing.T) {
	if got := len(Types()); got != 94 || Types()[93] != All || Custom.Index() != 0 || All.Index() != 93 {
		t.Errorf("%d types", got)
	}
	for _, name := range []string{"channel_create", "SWITCH_EVENT_CHANNEL_CREATE"} {
		if got, ok := ParseType(name); !ok || got != ChannelCreate {
			t.Errorf("%s: got %v", name, got)
		}
	}
	if _, ok := ParseType(strings.Repeat("A", 1000)); ok || Type("x").Index() != -1 {
		t.Error("unknown names are taken")
	}
}

func FuzzParsePlain(f *testing.F) {
	f.Add([]byte("Event-Name: HEARTBEAT\nA: b%20c\nContent-Length: 2\n\nhi"))
	f.Add([]byte("A: ARRAY::x|:y\r\n\r\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		e, err := ParsePlain(text)
		if err != nil {
			return
		}
		again, err := ParsePlain(e.AppendPlain(nil))
		if err != nil {
			t.Fatalf("own text refused: %v\n%q", err, e.AppendPlain(nil))
		}
		if again.Body != e.Body || len(again.Headers) != len(e.Headers) {
			t.Fatalf("%q reads as %q", e.AppendPlain(nil), again.AppendPlain(nil))
		}
		e.AppendXML(nil)
		e.AppendJSON(nil)
	})
}

func FuzzParseJSON(f *testing.F) {
	f.Add([]byte(`{"Event-Name":"HEARTBEAT","a":["b","c"],"_body":"x"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		e, err := ParseJSON(text)
		if err != nil {
			return
		}
		again, err := ParseJSON(e.AppendJSON(nil))
		if err != nil {
			t.Fatalf("own text refused: %v\n%q", err, e.AppendJSON(nil))
		}
		if again.Body != e.Body || len(again.Headers) != len(e.Headers) {
			t.Fatalf("%q reads as %q", e.AppendJSON(nil), again.AppendJSON(nil))
		}
	})
}
