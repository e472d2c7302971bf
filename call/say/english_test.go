package say

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"
)

// saturday is Saturday 2026-11-21 14:05 in UTC.
func saturday() time.Time { return time.Date(2026, 11, 21, 14, 5, 0, 0, time.UTC) }

// said is what English says, names joined by spaces; "!" stands for an error.
func said(kind, method, text string, now time.Time) string {
	names, err := English{}.Say(Request{Type: ParseType(kind), Method: ParseMethod(method), Text: text}, Clock{Now: now, Zone: time.UTC})
	if err != nil {
		return "! " + err.Error()
	}
	return strings.Join(names, " ")
}

func TestEnglish_SaysWhatTheReferenceSays(t *testing.T) {
	day := func(year int, month time.Month, d, hour, minute int) string {
		return time.Date(year, month, d, hour, minute, 0, 0, time.Local).Format(time.DateTime)
	}
	epoch := func(hour, minute int) string { // of that Saturday in UTC
		at := saturday().Truncate(24 * time.Hour).Add(time.Duration(hour*60+minute) * time.Minute).Unix()
		return strconv.FormatInt(at, 10)
	}
	date := "time/day-6 time/mon-10 digits/20 digits/h-1 digits/2 digits/thousand digits/20 digits/6"
	for _, c := range []struct{ kind, method, text, want string }{
		{"number", "pronounced", "123", "digits/1 digits/hundred digits/20 digits/3"},
		{"items", "pronounced", "1,234,567", "digits/1 digits/million digits/2 digits/hundred digits/30 digits/4 digits/thousand digits/5 digits/hundred digits/60 digits/7"},
		{"number", "pronounced", "1000000", "digits/1 digits/million"},
		{"persons", "pronounced", "15", "digits/15"},
		{"messages", "pronounced", "0", "digits/0"},
		{"number", "pronounced", "110", "digits/1 digits/hundred digits/10"},
		{"NUMBER", "Pronounced", "10000", "digits/10 digits/thousand"},
		{"number", "pronounced", "", "digits/0"},
		{"number", "iterated", "12345", "digits/1 digits/2 digits/3 digits/4 digits/5"},
		{"number", "iterated", "007", "digits/0 digits/0 digits/7"},
		{"number", "counted", "21", "digits/20 digits/h-1"},
		{"number", "counted", "20", "digits/h-20"},
		{"number", "counted", "15", "digits/15"},
		{"number", "counted", "100", "digits/1 digits/hundred"},
		{"number", "counted", "3", "digits/h-3"},
		{"number", "counted", "21000", "digits/20 digits/1 digits/thousand"},
		{"number", "pronounced_year", "1905", "digits/19 digits/5"},
		{"number", "n/a", "5", ""},
		{"number", "sung", "5", ""},
		{"number", "sung", "0", "digits/0"},
		{"number", "pronounced", "12a", "! Parse Error!"},
		{"number", "pronounced", "-5", "! Parse Error!"},
		{"number", "pronounced", "1234567890", "! Parse Error!"},
		{"number", "iterated", strings.Repeat("1", 128), "! Parse Error!"},
		{"currency", "pronounced", "12.50", "digits/12 currency/dollars currency/and digits/50 currency/cents"},
		{"currency", "pronounced", "-1.01", "currency/negative digits/1 currency/dollar currency/and digits/1 currency/cent"},
		{"currency", "pronounced", "$1,000", "digits/1 digits/thousand currency/dollars"},
		{"currency", "pronounced", "3.999", "digits/3 currency/dollars currency/and digits/90 digits/9 currency/cents"},
		{"currency", "pronounced", "1234567890.12345", "! Parse Error!"},
		{"time_measurement", "pronounced", "3661", "digits/1 time/hour digits/1 time/minute digits/1 time/second"},
		{"time_measurement", "pronounced", "0:59", "digits/0 time/hours digits/0 time/minutes digits/50 digits/9 time/seconds"},
		{"time_measurement", "iterated", "1:02:03", "digits/1 time/hour digits/2 time/minutes digits/3 time/seconds"},
		{"time_measurement", "pronounced", "1:2:3:4", "! Parse Error!"},
		{"current_date", "pronounced", epoch(14, 5), date},
		{"current_time", "pronounced", epoch(14, 5), "digits/2 time/oh digits/5 time/p-m"},
		{"current_time", "pronounced", epoch(0, 0), "digits/12 time/oclock time/a-m"},
		{"current_time", "pronounced", epoch(12, 30), "digits/12 digits/30 time/p-m"},
		{"current_time", "iterated", epoch(14, 5), "digits/14 digits/0 digits/5 time/hours"},
		{"current_time", "iterated", epoch(9, 0), "digits/0 digits/9 digits/hundred time/hours"},
		{"current_time", "iterated", epoch(0, 0), "digits/20 digits/4 digits/hundred time/hours"},
		{"current_date_time", "pronounced", epoch(14, 5), date + " time/at digits/2 time/oh digits/5 time/p-m"},
		{"current_time", "pronounced", "nonsense", "digits/2 time/oh digits/5 time/p-m"},
		{"short_date_time", "pronounced", epoch(9, 10), "time/today time/at digits/9 digits/10 time/a-m"},
		{"short_date_time", "pronounced", epoch(9-24, 0), "time/yesterday time/at digits/9 time/oclock time/a-m"},
		{"short_date_time", "pronounced", epoch(9-4*24, 0), "time/day-2 time/at digits/9 time/oclock time/a-m"},
		{"short_date_time", "pronounced", epoch(9-20*24, 0), "time/day-0 time/mon-10 digits/h-1 time/at digits/9 time/oclock time/a-m"},
		{"short_date_time", "pronounced", epoch(9+24, 0), "time/day-0 time/mon-10 digits/20 digits/h-2 digits/2 digits/thousand digits/20 digits/6 time/at digits/9 time/oclock time/a-m"},
		{"ip_address", "pronounced", "192.168.0.1", "digits/1 digits/hundred digits/90 digits/2 digits/dot digits/1 digits/hundred digits/60 digits/8 digits/dot digits/0 digits/dot digits/1"},
		{"ip_address", "iterated", "10.0.0.1", "digits/1 digits/0 digits/dot digits/0 digits/dot digits/0 digits/dot digits/1"},
		{"ip_address", "pronounced", "10.0.1", "! Parse Error!"},
		{"telephone_number", "pronounced", "+1 (555) 12a", "ascii/43 digits/1 silence_stream://100 digits/5 digits/5 digits/5 silence_stream://100 digits/1 digits/2 ascii/97"},
		{"name_spelled", "pronounced", "Ab1 .@", "ascii/97 ascii/98 digits/1 ascii/32 ascii/46 ascii/64"},
		{"name_phonetic", "pronounced", "ab", "phonetic-ascii/97 phonetic-ascii/98"},
		{"url", "pronounced", "x", "! Unknown Say type=[11]"},
		{"nonsense", "pronounced", "x", "! Unknown Say type=[19]"},
	} {
		if got := said(c.kind, c.method, c.text, saturday()); got != c.want {
			t.Errorf("%s %s %q:\n got  %s\n want %s", c.kind, c.method, c.text, got, c.want)
		}
	}
	if got := said("current_date", "pronounced", day(1999, 3, 5, 12, 30), saturday()); !strings.Contains(got, "time/mon-2 digits/h-5 digits/19 digits/90 digits/9") {
		t.Errorf("a written date: %s", got)
	}
}

func TestFiles_AreOneListWithTheirExtension(t *testing.T) {
	got, err := Files("en", Request{Type: TelephoneNumber, Method: Pronounced, Text: "1 2"}, Clock{}, "wav")
	if want := "file_string://digits/1.wav!silence_stream://100!digits/2.wav"; got != want || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := Files("tlh", Request{}, Clock{}, "wav"); err == nil || err.Error() != "Invalid SAY Interface [tlh]!" {
		t.Errorf("an unknown module: %v", err)
	}
}

func FuzzEnglish(f *testing.F) {
	for _, s := range []string{"", "1,234", "-1.01", "1:2:3", "2026-11-21 14:05:00", "192.168.0.1", "+1 (555) 12a", "999999999", "9223372036854775807"} {
		f.Add(0, 1, s)
		f.Add(8, 2, s)
	}
	f.Fuzz(func(t *testing.T, kind, method int, text string) {
		names, err := English{}.Say(Request{Type: Type(kind), Method: Method(method), Text: text}, Clock{Now: saturday(), Zone: time.UTC})
		var unknown UnknownTypeError
		if err != nil && !errors.Is(err, ErrParse) && !errors.As(err, &unknown) {
			t.Fatal(err)
		}
		for _, n := range names {
			if strings.ContainsAny(n, "! \x00") {
				t.Fatalf("%q is no name of a prompt", n)
			}
		}
	})
}
