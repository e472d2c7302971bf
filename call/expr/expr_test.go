package expr

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestEval(t *testing.T) {
	tests := []struct{ text, want string }{
		{"1+1", "2"},
		{"10/4", "2.5"},
		{"1/3", "0.3333333333"},
		{"2^10", "1024"},
		{"2^3^2", "64"},
		{"-2^2", "4"},
		{"2^-1", "0.5"},
		{"2--3", "5"},
		{"2*(3+4)-1", "13"},
		{"100000000*100000000", "10000000000000000"},
		{"sqrt(16)", "4"},
		{"abs(-5)", "5"},
		{"max(1,5,3)", "5"},
		{"min(4,2,9)", "2"},
		{"floor(2.7)", "2"},
		{"ceil(2.1)", "3"},
		{"mod(10,3)", "1"},
		{"a=5;b=6;a*b;", "30"},
		{"a=5|a*2", "10"},
		{"a=b=3;a+b", "6"},
		{"pi", "0"},
		{"M_PI", "3.1415926536"},
		{".5+.", "0.5"},
		{"100", "100"},
		{"0", "0"},
		{"if(1,2,3)", "2"},
		{"if(0,1/0,3)", "3"},
		{"select(-1,2,3)", "2"},
		{"select(1,2,3,4)", "4"},
		{"avg(1,2,3)", "2"},
		{"poly(2,1,0,1)", "5"},
		{"for(i=0,below(i,5),i=i+1,s=s+i)", "10"},
		{"many(1,2,3)", "3"},
		{"land(6,3)", "2"},
		{"lor(6,3)", "7"},
		{"clamp(370,0,360)", "10"},
		{"pntchange(0,10,0,100,5)", "50"},
		{"s=1;rand(&s)*0", "0"},
		{"1 # comment\n", "1"},
		{"logn(8,2)", "3"},
		{"deg(M_PI)", "180"},
	}
	for _, tt := range tests {
		if got, err := Eval(tt.text); err != nil || got != tt.want {
			t.Errorf("%s: got %q, %v; want %q", tt.text, got, err, tt.want)
		}
	}
}

func TestEval_Errors(t *testing.T) {
	for _, text := range []string{
		"", "1+", "nosuch(1)", "5%2", "1>0", "1e3", "1/0", "1&&1", "2**3", "1 2", "(1", "1)", "()", ";1", "1;;2",
		"abs()", "abs(1,2)", "M_PI=3", "1=2", "sqrt(-1)", "ln(0)", "exp(1000)", "mod(1,0)", "rand()", "a+b=3", "1 # x",
		"for(i=0,1,i=i+1,1)", strings.Repeat("(", 500) + "1" + strings.Repeat(")", 500), strings.Repeat("1", 300),
	} {
		if got, err := Eval(text); err == nil {
			t.Errorf("%.40s: got %q, want an error", text, got)
		}
	}
	if _, err := Eval("for(i=0,1,i=i+1,1)"); !errors.Is(err, ErrTooMuch) {
		t.Errorf("endless loop: %v", err)
	}
}

func TestCond(t *testing.T) {
	tests := []struct{ text, want string }{
		{"abc == abc ? same : other", "same"},
		{"abc == abd ? same : other", "other"},
		{"'a b' == 'a b' ? same : other", "same"},
		{"abc != abd ? differ : same", "differ"},
		{"abc < abcd ? yes : no", "yes"},
		{"abc > ab ? yes : no", "yes"},
		{"abc >= xyz ? yes : no", "yes"},
		{"1 == 2 ? yes :", ""},
		{"1 == 1 ? yes :", "yes"},
		{"1 == 2 ? yes", ""},
		{"5 == 5.0 ? yes : no", "yes"},
		{"5 == '5' ? yes : no", "no"},
		{"10 > 9 ? yes : no", "yes"},
		{"-1 < 0 ? yes : no", "yes"},
		{"1 == 1 ? 'a:b' : c", "a:b"},
		{"1 == 1 ? a:b : c", "a"},
	}
	for _, tt := range tests {
		if got, err := Cond(tt.text); err != nil || got != tt.want {
			t.Errorf("%s: got %q, %v; want %q", tt.text, got, err, tt.want)
		}
	}
	for _, text := range []string{"", "1 == 1", "true ? yes : no", "0 ? yes : no", "1==1 ? a : b", "1 == 1 ?", "'a == b ? c : d", "1 = 1 ? a : b", "1 =="} {
		if got, err := Cond(text); !errors.Is(err, ErrCond) {
			t.Errorf("%s: got %q, %v", text, got, err)
		}
	}
}

func TestStrftime(t *testing.T) {
	at := time.Unix(1600000000, 0).UTC() // Sunday 2020-09-13 12:26:40
	tests := []struct{ format, want string }{
		{"%a %A %b %B %j %y %m %d", "Sun Sunday Sep September 257 20 09 13"},
		{"%H %I %M %S %p %w %U", "12 12 26 40 PM 0 37"},
		{"%s", "1600000000"},
		{"%Y-%m-%d %T", "2020-09-13 12:26:40"},
		{"%F %R %D %c", "2020-09-13 12:26 09/13/20 Sun Sep 13 12:26:40 2020"},
		{"%C %e %g %G %k %l %u %V %W %P %h", "20 13 20 2020 12 12 7 37 36 pm Sep"},
		{"%z %Z %% %n%t", "+0000 UTC % \n\t"},
		{"%-d %_H %^a %Ey", "13 12 SUN 20"},
		{"%Q %", "%Q %"},
		{"P", "P"},
	}
	for _, tt := range tests {
		if got := Strftime(tt.format, at); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.format, got, tt.want)
		}
	}
	if got := len(Strftime(strings.Repeat("%c", 10000), at)); got > maxDate+64 {
		t.Errorf("%d bytes", got)
	}
}

func TestParseTZ(t *testing.T) {
	summer, winter := time.Unix(1600000000, 0), time.Unix(1579000000, 0)
	tests := []struct{ zone, summer, winter string }{
		{"GMT0", "12:26 +0000 GMT", "11:06 +0000 GMT"},
		{"CET-1CEST,M3.5.0,M10.5.0/3", "14:26 +0200 CEST", "12:06 +0100 CET"},
		{"EST5EDT,M3.2.0,M11.1.0", "08:26 -0400 EDT", "06:06 -0500 EST"},
		{"AEST-10AEDT,M10.1.0,M4.1.0/3", "22:26 +1000 AEST", "22:06 +1100 AEDT"},
		{"IST-5:30", "17:56 +0530 IST", "16:36 +0530 IST"},
		{"IST-1GMT0,M10.5.0,M3.5.0/1", "13:26 +0100 IST", "11:06 +0000 GMT"},
		{"STD-12:45DST,M9.5.0/2:45,M4.1.0/3:45", "01:11 +1245 STD", "00:51 +1345 DST"},
		{"<+03>-3", "15:26 +0300 +03", "14:06 +0300 +03"},
	}
	for _, tt := range tests {
		loc, err := ParseTZ(tt.zone)
		if err != nil {
			t.Errorf("%s: %v", tt.zone, err)
			continue
		}
		const format = "%H:%M %z %Z"
		if s, w := Strftime(format, summer.In(loc)), Strftime(format, winter.In(loc)); s != tt.summer || w != tt.winter {
			t.Errorf("%s: got %q and %q, want %q and %q", tt.zone, s, w, tt.summer, tt.winter)
		}
	}
	for _, bad := range []string{"", "CET", "X-1", "CET-1CEST,M3.5.0", "CET-1CEST,M13.5.0,M10.5.0", "CET-99", "Europe/Paris", "CET-1 ", "GMT0\nX", strings.Repeat("A", 200) + "0"} {
		if _, err := ParseTZ(bad); err == nil {
			t.Errorf("%.40q was taken", bad)
		}
	}
}

func FuzzEval(f *testing.F) {
	for _, s := range []string{"1+2*3^4", "a=5;b=a|b", "for(i=0,below(i,3),i=i+1,random(1,2,&s))", "clip(1,2,3)#x\n", "-(-.5)"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := Eval(text)
		if (got == "") != (err != nil) {
			t.Fatalf("%q: %q, %v", text, got, err)
		}
		_, _ = Cond(text)
	})
}

func FuzzStrftime(f *testing.F) {
	f.Add("%Y-%m-%d %_^a%", "CET-1CEST,M3.5.0,M10.5.0/3", int64(1600000000))
	f.Fuzz(func(t *testing.T, format, zone string, at int64) {
		when := time.Unix(at%(1<<40), 0).UTC()
		if loc, err := ParseTZ(zone); err == nil {
			when = when.In(loc)
		}
		Strftime(format, when)
	})
}
