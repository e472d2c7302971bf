package say

import (
	"strconv"
	"strings"
	"time"
)

// duration says hours, minutes and seconds: of "H:M:S", "M:S", or a number of
// seconds. As in the reference all three are always said, and seconds that are
// not above zero stand for the current time since the epoch.
func (e *english) duration(text string) error {
	const minute, hour = 60, 3600
	var parts [3]int
	if strings.Contains(text, ":") {
		fields := strings.Split(text, ":")
		if len(fields) > len(parts) {
			return ErrParse
		}
		for i, f := range fields {
			n, err := strconv.Atoi(strings.TrimSpace(f))
			if err != nil || n < 0 {
				return ErrParse
			}
			parts[len(parts)-len(fields)+i] = n
		}
	} else {
		n := leading(text)
		if n <= 0 {
			n = e.clock.Now.Unix()
		}
		parts = [3]int{int(n / hour), int(n % hour / minute), int(n % minute)}
	}
	for i, unit := range []string{"time/hour", "time/minute", "time/second"} {
		if err := e.amount(strconv.Itoa(parts[i]), Pronounced, unit); err != nil {
			return err
		}
	}
	return nil
}

// leading reads the integer that a text begins with, 0 if there is none.
func leading(text string) int64 {
	text = strings.TrimSpace(text)
	end := 0
	for end < len(text) && (text[end] >= '0' && text[end] <= '9' || end == 0 && (text[0] == '-' || text[0] == '+')) {
		end++
	}
	n, err := strconv.ParseInt(text[:end], 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// parseMoment reads seconds since the epoch or a local date and time; what is
// neither is now.
func (e *english) parseMoment(text string) time.Time {
	if strings.Contains(text, ":") {
		if t, err := time.ParseInLocation(time.DateTime, strings.TrimSpace(text), time.Local); err == nil && t.Unix() > 0 {
			return t
		}
		return e.clock.Now
	}
	if n := leading(text); n > 0 {
		return time.Unix(n, 0)
	}
	return e.clock.Now
}

// moment says a date, a time, or both.
func (e *english) moment(r Request) error {
	zone := e.clock.Zone
	if zone == nil {
		zone = time.Local
	}
	t, now := e.parseMoment(r.Text).In(zone), e.clock.Now.In(zone)
	switch r.Type {
	case CurrentDate:
		e.date(t)
		return nil
	case CurrentTime:
	case CurrentDateTime:
		e.date(t)
		e.add("time/at")
	case ShortDateTime:
		e.day(t, now)
		e.add("time/at")
	}
	e.time(t, r.Method)
	return nil
}

// date says "Saturday November twenty-first two thousand twenty-six".
func (e *english) date(t time.Time) {
	e.weekday(t)
	e.month(t)
	e.year(t.Year())
}

func (e *english) weekday(t time.Time) { e.add("time/day-" + strconv.Itoa(int(t.Weekday()))) }

func (e *english) month(t time.Time) {
	e.add("time/mon-" + strconv.Itoa(int(t.Month())-1))
	e.cardinal(t.Day(), true)
}

// day says a date in the fewest words that tell it from today.
func (e *english) day(t, now time.Time) {
	const lastDays = 5
	ago := now.YearDay() - t.YearDay()
	switch {
	case t.Year() != now.Year() || ago < 0:
		e.date(t)
	case ago == 0:
		e.add("time/today")
	case ago == 1:
		e.add("time/yesterday")
	case ago <= lastDays:
		e.weekday(t)
	default:
		e.weekday(t)
		e.month(t)
	}
}

// time says a time of day: with twelve hours, or with twenty-four when the method
// is Iterated.
func (e *english) time(t time.Time, method Method) {
	hour, minute := t.Hour(), t.Minute()
	if method == Iterated {
		e.military(hour, minute)
		return
	}
	const noon, half = 12, "time/p-m"
	switch shown := hour % noon; shown {
	case 0:
		e.cardinal(noon, false)
	default:
		e.cardinal(shown, false)
	}
	switch {
	case minute > 9:
		e.cardinal(minute, false)
	case minute > 0:
		e.add("time/oh")
		e.digit(minute)
	default:
		e.add("time/oclock")
	}
	if hour >= noon {
		e.add(half)
		return
	}
	e.add("time/a-m")
}

// military says a time with twenty-four hours; midnight is twenty-four hundred.
func (e *english) military(hour, minute int) {
	const midnight, twoDigits = 24, 10
	if hour == 0 && minute == 0 {
		hour = midnight
	}
	if hour < twoDigits {
		e.digit(0)
	}
	if hour == 0 {
		e.digit(0)
	} else {
		e.cardinal(hour, false)
	}
	switch {
	case minute >= twoDigits:
		e.cardinal(minute, false)
	case minute > 0:
		e.digit(0)
		e.digit(minute)
	default:
		e.add("digits/hundred")
	}
	e.add("time/hours")
}
