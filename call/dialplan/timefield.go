package dialplan

import (
	"strconv"
	"strings"
	"time"

	"github.com/switchlet/switchlet/conf"
)

// clock is the moment that time fields are compared with.
type clock struct {
	system time.Time // in the system's zone
	local  time.Time // in the zone of the call
}

// timeFields are the attributes in the order of their evaluation.
var timeFields = []struct {
	name string
	test func(value string, c clock) bool
}{
	{"tz-offset", testOffset},
	{"dst", func(v string, c clock) bool { return v == "" || isTrue(v) && c.system.IsDST() }},
	{"date-time", func(v string, c clock) bool { return inDates(v, c.system) }},
	{"year", number(func(t time.Time) int { return t.Year() })},
	{"yday", number(time.Time.YearDay)},
	{"mon", number(func(t time.Time) int { return int(t.Month()) })},
	{"mday", number(time.Time.Day)},
	{"week", number(func(t time.Time) int { return (t.YearDay()-1)/7 + 1 })},
	{"mweek", number(weekOfMonth)},
	{"wday", func(v string, c clock) bool { return inDays(v, int(c.local.Weekday())+1) }},
	{"hour", number(time.Time.Hour)},
	{"minute", number(time.Time.Minute)},
	{"minute-of-day", number(func(t time.Time) int { return t.Hour()*60 + t.Minute() + 1 })},
	{"time-of-day", func(v string, c clock) bool {
		return inTimes(v, (c.local.Hour()*60+c.local.Minute())*60+c.local.Second())
	}},
}

// inTime tells whether the element has time fields and whether all of them
// hold.
func (h *hunter) inTime(node *conf.Node) (timed, holds bool) {
	c := clock{system: h.Now, local: h.Now.In(h.Zone)}
	holds = true
	for _, f := range timeFields {
		value, ok := node.LookupAttr(f.name)
		if !ok || f.name == "dst" && value == "" {
			continue
		}
		timed = true
		if holds && !f.test(value, c) {
			holds = false
		}
	}
	return timed, holds
}

// timeText writes the time fields of an element as they stand there.
func timeText(node *conf.Node) string {
	var parts []string
	for _, f := range timeFields {
		if v, ok := node.LookupAttr(f.name); ok {
			parts = append(parts, f.name+`="`+v+`"`)
		}
	}
	return strings.Join(parts, " ")
}

// testOffset compares whole hours; what is no number holds.
func testOffset(value string, c clock) bool {
	want, err := strconv.ParseFloat(value, 64)
	_, seconds := c.local.Zone()
	return err != nil || int(want) == seconds/3600
}

// weekOfMonth counts from 1; weeks start on Sunday.
func weekOfMonth(t time.Time) int {
	first := (7 - (t.Day()-(int(t.Weekday())+1))%7) % 7
	return (t.Day() + first + 6) / 7
}

// number makes a test of a comparison of numbers.
func number(of func(time.Time) int) func(string, clock) bool {
	return func(value string, c clock) bool { return inNumbers(value, of(c.local)) }
}

// inNumbers reads a list of numbers and ranges; a range that runs backwards
// goes round.
func inNumbers(list string, n int) bool {
	for {
		var a int
		a, list = scanInt(list)
		if strings.HasPrefix(list, "-") {
			var b int
			b, list = scanInt(list[1:])
			if between(n, a, b) {
				return true
			}
		} else if a == n {
			return true
		}
		if !strings.HasPrefix(list, ",") {
			return false
		}
		list = list[1:]
	}
}

func between(n, from, to int) bool {
	if from <= to {
		return n >= from && n <= to
	}
	return n >= from || n <= to
}

// inDays reads days by number (1 is Sunday) or name, ranges and lists of them.
func inDays(list string, day int) bool {
	const none = 0
	previous, start := none, none
	for list != "" {
		switch {
		case list[0] == ',':
			previous, list = none, list[1:]
			continue
		case list[0] == '-':
			start, list = previous, list[1:]
			continue
		}
		current, size := dayAt(list)
		if size == 0 {
			return false
		}
		list = list[size:]
		if start != none {
			if between(day, start, current) {
				return true
			}
			start = none
		} else if current == day {
			return true
		}
		previous = current
	}
	return false
}

// dayAt reads one day at the start of s and returns how many bytes it has.
func dayAt(s string) (day, size int) {
	if s[0] >= '1' && s[0] <= '7' {
		return int(s[0] - '0'), 1
	}
	const names = "sunmontuewedthufrisat"
	if len(s) >= 3 {
		if at := strings.Index(names, strings.ToLower(s[:3])); at >= 0 && at%3 == 0 {
			return at/3 + 1, 3
		}
	}
	return 0, 0
}

// inTimes reads hh:mm[:ss]-hh:mm[:ss] and lists of them; both ends belong to
// the range.
func inTimes(list string, second int) bool {
	for item := range strings.SplitSeq(list, ",") {
		from, to, ok := strings.Cut(item, "-")
		if !ok || !strings.Contains(from, ":") || !strings.Contains(to, ":") {
			continue
		}
		if between(second, secondOfDay(from), secondOfDay(to)) {
			return true
		}
	}
	return false
}

func secondOfDay(s string) int {
	h, rest, _ := strings.Cut(s, ":")
	m, sec, _ := strings.Cut(rest, ":")
	return leadingInt(h)*3600 + leadingInt(m)*60 + leadingInt(sec)
}

// inDates reads start~end and lists of them; the start belongs to the range, the
// end does not. A date that cannot be read ends the list.
func inDates(list string, now time.Time) bool {
	for item := range strings.SplitSeq(list, ",") {
		from, to, ok := strings.Cut(item, "~")
		if !ok {
			continue
		}
		start, okStart := parseDate(from, now.Location())
		end, okEnd := parseDate(to, now.Location())
		if !okStart || !okEnd {
			return false
		}
		if !now.Before(start) && now.Before(end) {
			return true
		}
	}
	return false
}

// parseDate reads YYYY-MM-DD with as much of hh:mm:ss as there is.
func parseDate(s string, zone *time.Location) (time.Time, bool) {
	var part [6]int
	s = strings.TrimSpace(s)
	for i := range part {
		digits := 0
		for digits < len(s) && digits < 9 && s[digits] >= '0' && s[digits] <= '9' {
			digits++
		}
		if digits == 0 && i < 3 {
			return time.Time{}, false
		}
		part[i], _ = strconv.Atoi("0" + s[:digits])
		s = s[digits:]
		separator := "-"
		switch {
		case i == 2:
			s = strings.TrimLeft(s, " \t")
			continue
		case i > 2:
			separator = ":"
		}
		if i < 2 && !strings.HasPrefix(s, separator) {
			return time.Time{}, false
		}
		s = strings.TrimPrefix(s, separator)
	}
	return time.Date(part[0], time.Month(part[1]), part[2], part[3], part[4], part[5], 0, zone), true
}

// leadingInt reads a number as C's atoi does.
func leadingInt(s string) int {
	n, _ := scanInt(s)
	return n
}

// scanInt reads a number as C's strtol does, 0 without one, and returns what is
// behind it.
func scanInt(s string) (int, string) {
	s = strings.TrimLeft(s, " \t\n\v\f\r")
	end := 0
	if end < len(s) && (s[0] == '-' || s[0] == '+') {
		end++
	}
	signed := end
	for end < len(s) && s[end] >= '0' && s[end] <= '9' {
		end++
	}
	if end == signed {
		return 0, s
	}
	const bound = 1 << 30
	n, err := strconv.Atoi(s[:end])
	if err != nil {
		n = bound
		if s[0] == '-' {
			n = -bound
		}
	}
	return max(-bound, min(n, bound)), s[end:]
}
