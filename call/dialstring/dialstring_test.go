package dialstring

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

func one(legs ...Leg) []Group { return []Group{{Alternatives: [][]Leg{legs}}} }

func TestParse(t *testing.T) {
	tests := []struct {
		text string
		want Dial
	}{
		{"null/x", Dial{Groups: one(Leg{Endpoint: "null", Data: "x"})}},
		{"  user/1000@a.example ", Dial{Groups: one(Leg{Endpoint: "user", Data: "1000@a.example"})}},
		{"sofia/gateway/gw/5551234", Dial{Groups: one(Leg{Endpoint: "sofia", Data: "gateway/gw/5551234"})}},
		{"{a=1,b=two words}null/x", Dial{Groups: []Group{{
			Vars:         []Var{{"a", "1"}, {"b", "two words"}},
			Alternatives: [][]Leg{{{Endpoint: "null", Data: "x"}}}}}}},
		{"{^^;foo=a,b;bar=x}null/x", Dial{Groups: []Group{{
			Vars:         []Var{{"foo", "a,b"}, {"bar", "x"}},
			Alternatives: [][]Leg{{{Endpoint: "null", Data: "x"}}}}}}},
		{`{foo=a\,b}null/x`, Dial{Groups: []Group{{
			Vars:         []Var{{"foo", "a,b"}},
			Alternatives: [][]Leg{{{Endpoint: "null", Data: "x"}}}}}}},
		{`{foo='a,b'}null/x`, Dial{Groups: []Group{{
			Vars:         []Var{{"foo", "a,b"}},
			Alternatives: [][]Leg{{{Endpoint: "null", Data: "x"}}}}}}},
		{`{foo=a} {^^|foo=b|bar}null/x`, Dial{Groups: []Group{{
			Vars:         []Var{{"foo", "b"}},
			Alternatives: [][]Leg{{{Endpoint: "null", Data: "x"}}}}}}},
		{"error/USER_BUSY|null/x", Dial{Groups: []Group{{Alternatives: [][]Leg{
			{{Endpoint: "error", Data: "USER_BUSY"}}, {{Endpoint: "null", Data: "x"}}}}}}},
		{"error/USER_BUSY,null/x", Dial{Groups: one(
			Leg{Endpoint: "error", Data: "USER_BUSY"}, Leg{Endpoint: "null", Data: "x"})}},
		{"<g=1>{a=1}null/x:_:{b=2}null/y", Dial{
			Global: []Var{{"g", "1"}},
			Groups: []Group{
				{Vars: []Var{{"a", "1"}}, Alternatives: [][]Leg{{{Endpoint: "null", Data: "x"}}}},
				{Vars: []Var{{"b", "2"}}, Alternatives: [][]Leg{{{Endpoint: "null", Data: "y"}}}}}}},
		{"[a=1,b=2]null/x,[c=3]null/y", Dial{Groups: one(
			Leg{Vars: []Var{{"a", "1"}, {"b", "2"}}, Endpoint: "null", Data: "x"},
			Leg{Vars: []Var{{"c", "3"}}, Endpoint: "null", Data: "y"})}},
		{`[a=1\,2][^^:b=x,y:c=z]null/x`, Dial{Groups: one(
			Leg{Vars: []Var{{"a", "1,2"}, {"b", "x,y"}, {"c", "z"}}, Endpoint: "null", Data: "x"})}},
		{"[presence_id=alice@conformance.test]loopback/cf_park/conformance,null/cause-USER_BUSY", Dial{Groups: one(
			Leg{Vars: []Var{{"presence_id", "alice@conformance.test"}}, Endpoint: "loopback", Data: "cf_park/conformance"},
			Leg{Endpoint: "null", Data: "cause-USER_BUSY"})}},
		{"sofia/internal/1@[2001:db8::1]:5060", Dial{Groups: one(Leg{Endpoint: "sofia", Data: "internal/1@[2001:db8::1]:5060"})}},
		{"{sip_h_X-Q=${f({a})}}null/x", Dial{Groups: []Group{{
			Vars:         []Var{{"sip_h_X-Q", "${f({a})}"}},
			Alternatives: [][]Leg{{{Endpoint: "null", Data: "x"}}}}}}},
		{"{api_on_answer='lua a.lua x=y'}null/x", Dial{Groups: []Group{{
			Vars:         []Var{{"api_on_answer", "lua a.lua x=y"}},
			Alternatives: [][]Leg{{{Endpoint: "null", Data: "x"}}}}}}},
		{"{empty=,noequals,a=1}null/x", Dial{Groups: []Group{{
			Vars:         []Var{{"a", "1"}},
			Alternatives: [][]Leg{{{Endpoint: "null", Data: "x"}}}}}}},
		{"null/o'brien,null/x", Dial{Groups: one(Leg{Endpoint: "null", Data: "o'brien"}, Leg{Endpoint: "null", Data: "x"})}},
		{`loopback/app=log:INFO a\,b`, Dial{Groups: one(Leg{Endpoint: "loopback", Data: "app=log:INFO a,b"})}},
		{"park", Dial{Groups: one(Leg{Endpoint: "park"})}},
		{"null/x,,null/y", Dial{Groups: one(Leg{Endpoint: "null", Data: "x"}, Leg{Endpoint: "null", Data: "y"})}},
	}
	for _, tt := range tests {
		d, err := Parse(tt.text)
		if err != nil {
			t.Errorf("%s: %v", tt.text, err)
			continue
		}
		if !reflect.DeepEqual(*d, tt.want) {
			t.Errorf("%s:\n got %+v\nwant %+v", tt.text, *d, tt.want)
		}
		again, err := Parse(d.String())
		if err != nil || !reflect.DeepEqual(again, d) {
			t.Errorf("%s: written as %s, which reads as %+v (%v)", tt.text, d, again, err)
		}
	}
}

func TestParse_ErrorsNameThePlace(t *testing.T) {
	tests := []struct {
		text   string
		offset int
		text2  string
	}{
		{"{a=1null/x", 0, "no } for this {"},
		{"null/y,[a=1null/x", 7, "no ] for this ["},
		{"<a=1null/x", 0, "no > for this <"},
		{"", 0, "no endpoint"},
		{"{a=1}  ", 7, "no endpoint"},
		{"null/x:_:", 9, "no endpoint"},
		{strings.Repeat("a,", 129), 256, "more than 128 legs"},
		{strings.Repeat("a|", 129), 256, "more than 128 alternatives"},
		{"{" + strings.Repeat("a,", 1025) + "}x", 0, "more than 1024 variables in one set"},
		{strings.Repeat("a", MaxLength+1), MaxLength, "string is too long"},
	}
	for _, tt := range tests {
		_, err := Parse(tt.text)
		var e *Error
		if !errors.As(err, &e) || e.Offset != tt.offset || e.Message != tt.text2 {
			t.Errorf("%.40s: got %v, want %q at %d", tt.text, err, tt.text2, tt.offset)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"<a=b>{^^;c=d;e='f'}[g=h\\,i]null/x,user/y|a/b:_:c/d", "{a=1null", "[a=[b]]x/y", "'a,b'/c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := Parse(s)
		if err != nil {
			return
		}
		text := d.String()
		again, err := Parse(text)
		// Brackets in values and group signs in data have no escape.
		if strings.ContainsAny(strings.NewReplacer("\\", "").Replace(s), "<>{}[]:^") {
			return
		}
		if err != nil || !reflect.DeepEqual(again, d) {
			t.Fatalf("%q reads as %+v, written as %q reads as %+v (%v)", s, d, text, again, err)
		}
	})
}
