package dialplan

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/switchlet/switchlet/conf"
)

// saturday is 2026-11-21, a Saturday, day 325 of the year.
var saturday = time.Date(2026, 11, 21, 14, 30, 5, 0, time.UTC)

func request(number string) Request {
	return Request{
		Number: number, Channel: "null/x", Now: saturday,
		Field: func(name string) string {
			return map[string]string{"destination_number": number, "caller_id_name": "Jane", "caller_id_number": "4711"}[name]
		},
	}
}

func section(t testing.TB, extensions string) *conf.Node {
	return parseXML(t, `<section name="dialplan"><context name="Default">`+extensions+`</context></section>`)
}

func apps(actions []Action) string {
	var parts []string
	for _, a := range actions {
		parts = append(parts, a.App+"("+a.Data+")")
	}
	return strings.Join(parts, " ")
}

func TestTimeFields(t *testing.T) {
	tests := []struct {
		attributes string
		want       bool
	}{
		{`year="2026"`, true},
		{`year="2020-2025"`, false},
		{`yday="325"`, true},
		{`mon="11" mday="21"`, true},
		{`mon="11" mday="20"`, false},
		{`week="47"`, true},
		{`mweek="3"`, true},
		{`wday="7"`, true},
		{`wday="mon-fri"`, false},
		{`wday="fri-mon"`, true},
		{`wday="sun,sat"`, true},
		{`wday="2-6"`, false},
		{`wday="Sat"`, true},
		{`hour="9-17"`, true},
		{`hour="18-8"`, false},
		{`hour="22-14"`, true},
		{`hour="1,3,14"`, true},
		{`minute="30"`, true},
		{`minute-of-day="871"`, true},
		{`time-of-day="14:30-14:31"`, true},
		{`time-of-day="14:30:06-14:31"`, false},
		{`time-of-day="23:00-14:30:05"`, true},
		{`time-of-day="01:00-02:00,14:00-15:00"`, true},
		{`date-time="2026-11-21 14:30:05~2026-11-21 14:30:06"`, true},
		{`date-time="2026-11-21 14:00:00~2026-11-21 14:30:05"`, false},
		{`date-time="2001-01-01~2002-01-01,2026-01-01~2027-01-01"`, true},
		{`date-time="nonsense~2027-01-01"`, false},
		{`tz-offset="0"`, true},
		{`tz-offset="-5"`, false},
		{`dst="true"`, false},
		{`dst="false"`, false},
		{`dst=""`, true},
	}
	for _, tt := range tests {
		s := section(t, `<extension name="x"><condition `+tt.attributes+`><action application="a"/></condition></extension>`)
		_, found, err := Hunt(context.Background(), s, request("1"))
		if err != nil || found != tt.want {
			t.Errorf("%s: got %v, %v; want %v", tt.attributes, found, err, tt.want)
		}
	}
}

func TestTimeFields_ZoneOfTheCall(t *testing.T) {
	s := section(t, `<extension name="x"><condition hour="9" tz-offset="-5"><action application="a"/></condition></extension>`)
	r := request("1")
	r.Zone = time.FixedZone("", -5*3600)
	if _, found, _ := Hunt(context.Background(), s, r); !found {
		t.Error("9:30 in the call's zone did not match hour=9")
	}
}

func TestHunt_LogLines(t *testing.T) {
	s := section(t, `
<extension name="first" continue="true">
  <condition field="destination_number" expression="^9(\d)$" break="never"><action application="a" data="$1"/></condition>
  <condition hour="3"/>
</extension>
<extension name="second">
  <condition field="destination_number" expression="^1$">
    <condition regex="all"><regex field="destination_number" expression="1"/><regex/>
      <action application="set" data="x=1" inline="true"/>
      <anti-action application="b"/>
    </condition>
  </condition>
  <condition><action application="c" loop="2"/></condition>
</extension>`)
	r := request("1")
	var got []string
	r.Log = func(level, text string) { got = append(got, level+" "+text) }
	actions, found, err := Hunt(context.Background(), s, r)
	if err != nil || !found || apps(actions) != "c() c()" {
		t.Fatalf("got %s, %v, %v", apps(actions), found, err)
	}
	want := []string{
		"INFO Processing Jane <4711>->1 in context default",
		"DEBUG Dialplan: null/x parsing [default->first] continue=true",
		`DEBUG Dialplan: null/x Regex (FAIL) [first] destination_number(1) =~ /^9(\d)$/ break=never`,
		"DEBUG Dialplan: null/x Date/TimeMatch (FAIL) [first] break=on-false",
		"DEBUG Dialplan: null/x parsing [default->second] continue=false",
		"DEBUG Dialplan: null/x Regex (PASS) [second] destination_number(1) =~ /^1$/ break=on-false",
		"DEBUG |--- Dialplan: Processing recursive conditions level:1 [second_recur_1] require-nested=TRUE",
		"DEBUG |--- Dialplan: null/x Regex (PASS) [second_recur_1] destination_number(1) =~ /1/ match=all",
		"DEBUG |--- Dialplan: null/x Absolute Condition [second_recur_1] match=all",
		"DEBUG |--- Dialplan: null/x Action set(x=1) INLINE",
		"DEBUG Dialplan: null/x Absolute Condition [second]",
		"DEBUG Dialplan: null/x Action c() ",
		"DEBUG Dialplan: null/x Action c() ",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestHunt_Rules(t *testing.T) {
	tests := []struct{ name, xml, want string }{
		{"actions of an extension that fails later are kept",
			`<extension name="x"><condition><action application="a"/></condition><condition field="f" expression="^no$"/></extension>
			 <extension name="y"><condition><action application="b"/></condition></extension>`, "a() b()"},
		{"an anti-action makes the extension the right one",
			`<extension name="x"><condition field="f" expression="^no$"><anti-action application="a"/></condition></extension>
			 <extension name="y"><condition><action application="b"/></condition></extension>`, "a()"},
		{"break=always",
			`<extension name="x"><condition break="always"><action application="a"/></condition><condition><action application="b"/></condition></extension>`, "a()"},
		{"an unknown break is on-false",
			`<extension name="x"><condition break="sometimes"><action application="a"/></condition><condition><action application="b"/></condition></extension>`, "a() b()"},
		{"without parentheses a dollar stays",
			`<extension name="x"><condition field="destination_number" expression="^1$"><action application="a" data="$1 ${x}"/></condition></extension>`, "a($1 ${x})"},
		{"a set that fails runs its actions when its time holds",
			`<extension name="x"><condition hour="14" regex="all"><regex field="f" expression="^no$"/><action application="a"/></condition></extension>`, "a()"},
		{"captures of a set come from the last regex with parentheses",
			`<extension name="x"><condition regex="all"><regex field="destination_number" expression="^(.)"/><regex field="caller_id_number" expression="(..)$"/><regex field="destination_number" expression="1"/><action application="a" data="$1"/></condition></extension>`, "a(11)"},
		{"loop=0 runs nothing",
			`<extension name="x"><condition><action application="a" loop="0"/><action application="b"/></condition></extension>`, "b()"},
		{"a bad pattern is no match",
			`<extension name="x"><condition field="destination_number" expression="(1"><action application="a"/></condition></extension>
			 <extension name="y"><condition><action application="b"/></condition></extension>`, "b()"},
		{"nested conditions are not required with require-nested=false",
			`<extension name="x"><condition require-nested="false"><action application="a"/><condition field="f" expression="^no$"/></condition></extension>
			 <extension name="y"><condition><action application="b"/></condition></extension>`, "a()"},
	}
	for _, tt := range tests {
		actions, _, err := Hunt(context.Background(), section(t, tt.xml), request("1"))
		if err != nil || apps(actions) != tt.want {
			t.Errorf("%s: got %q, %v; want %q", tt.name, apps(actions), err, tt.want)
		}
	}
}

func TestHunt_Contexts(t *testing.T) {
	s := parseXML(t, `<section name="dialplan"><context name="global"><extension name="g"><condition><action application="g"/></condition></extension></context></section>`)
	r := request("1")
	r.Context = "nowhere"
	if actions, _, _ := Hunt(context.Background(), s, r); apps(actions) != "g()" {
		t.Errorf("an unknown context did not fall back to global: %s", apps(actions))
	}
	if _, _, err := Hunt(context.Background(), nil, r); !errors.Is(err, ErrNoDialplan) {
		t.Errorf("no section: got %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, _, err := Hunt(ctx, s, r); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %v", err)
	}
}

func TestHunt_AutoHuntStartsAtTheNumber(t *testing.T) {
	s := section(t, `<extension name="a"><condition><action application="a"/></condition></extension>
<extension name="1"><condition><action application="b"/></condition></extension>`)
	r := request("1")
	r.AutoHunt = true
	if actions, _, _ := Hunt(context.Background(), s, r); apps(actions) != "b()" {
		t.Errorf("got %s", apps(actions))
	}
}

func TestHunt_CapturesAreVariables(t *testing.T) {
	s := section(t, `<extension name="x"><condition field="destination_number" expression="^(1)(2)?$"/>
<condition regex="all"><regex field="destination_number" expression="^(.)"/></condition></extension>`)
	vars := map[string]string{}
	r := request("1")
	r.SetVar = func(name, value string) { vars[name] = value }
	cleared := ""
	r.ClearVars = func(prefix string) { cleared = prefix }
	if _, _, err := Hunt(context.Background(), s, r); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"DP_MATCH": "ARRAY::1|:1", "DP_REGEX_MATCH_1": "ARRAY::1|:1"}
	if !reflect.DeepEqual(vars, want) || cleared != "DP_REGEX_MATCH" {
		t.Errorf("got %v (cleared %q), want %v", vars, cleared, want)
	}
}

func TestHunt_TooManyActions(t *testing.T) {
	s := section(t, `<extension name="x"><condition><action application="a" loop="1000000000"/></condition></extension>`)
	actions, _, err := Hunt(context.Background(), s, request("1"))
	if err == nil || len(actions) != maxActions {
		t.Errorf("got %d actions, %v", len(actions), err)
	}
}

func TestTrace_NamesTheConditionThatFailed(t *testing.T) {
	s := section(t, "<extension name=\"x\">\n<condition field=\"destination_number\" expression=\"^2$\"/></extension>")
	report, err := Trace(context.Background(), s, request("1"))
	if err != nil || report.Found || len(report.Steps) != 1 {
		t.Fatalf("got %+v, %v", report, err)
	}
	if got, want := report.Steps[0].String(), "- [x] destination_number(1) =~ /^2$/ break=on-false cases.xml:2"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestInline(t *testing.T) {
	tests := []struct{ text, want string }{
		{"set:a=1,log:INFO x", "set(a=1) log(INFO x)"},
		{"'set:a=b,c',park", "set(a=b,c) park()"},
		{"m:^:playback:a.wav^park:", "playback(a.wav) park()"},
		{`event:a=1\,b=2, hangup:USER_BUSY`, "event(a=1,b=2) hangup(USER_BUSY)"},
		{"", ""},
	}
	for _, tt := range tests {
		if got := apps(Inline(tt.text)); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.text, got, tt.want)
		}
	}
}

func FuzzHunt(f *testing.F) {
	f.Add(`<extension name="x"><condition field="destination_number" expression="^(\d)$"><action application="a" data="$1"/></condition></extension>`, "1")
	f.Add(`<extension><condition regex="xor" wday="mon-2,7" time-of-day="1:2-3:4"><regex field="${x}" expression="/a/i"/><condition/></condition></extension>`, "2")
	f.Add(`<extension><condition date-time="1-1-1~9" year="1-" mweek="-,"><anti-action loop="3"/></condition></extension>`, "3")
	f.Fuzz(func(t *testing.T, extensions, number string) {
		n, err := conf.Parse(`<section><context name="default">`+extensions+`</context></section>`, "fuzz.xml")
		if err != nil {
			return
		}
		r := request(number)
		r.Log = func(string, string) {}
		first, found, err1 := Hunt(context.Background(), n, r)
		report, err2 := Trace(context.Background(), n, r)
		if (err1 == nil) != (err2 == nil) || found != report.Found || !reflect.DeepEqual(first, report.Actions) {
			t.Fatalf("hunt and trace differ: %v %v", first, report)
		}
		Inline(extensions)
	})
}
