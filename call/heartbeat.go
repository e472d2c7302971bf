package call

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/switchlet/switchlet/call/event"
)

// Version is what the switch says it is where clients look for FreeSWITCH's
// version.
const Version = "1.11.3-switchlet"

func (sw *Switch) startHeartbeat() {
	sw.Scheduler.Add(time.Now().Add(sw.HeartbeatInterval), sw.HeartbeatInterval, "heartbeat", "core",
		func(context.Context) { sw.heartbeat() })
}

// UptimeText is how long d is, in words: "0 years, 0 days, 0 hours, 1 minute, …".
func UptimeText(d time.Duration) string {
	us := d.Microseconds()
	part := func(unit int64, name string, last bool) string {
		n := us / unit
		us %= unit
		if n != 1 {
			name += "s"
		}
		if last {
			return fmt.Sprintf("%d %s", n, name)
		}
		return fmt.Sprintf("%d %s, ", n, name)
	}
	const second, minute, hour, day = 1e6, 60e6, 3600e6, 86400e6
	return part(365*day, "year", false) + part(day, "day", false) + part(hour, "hour", false) +
		part(minute, "minute", false) + part(second, "second", false) +
		part(1000, "millisecond", false) + part(1, "microsecond", true)
}

func (sw *Switch) heartbeat() {
	if !sw.Bus.Wanted(event.Heartbeat, "") {
		return
	}
	u := sw.Limits.Usage()
	up := time.Since(sw.started)
	e := event.New(event.Heartbeat, "")
	e.Add("Event-Info", "System Ready")
	e.Add("Up-Time", UptimeText(up))
	e.Add("FreeSWITCH-Version", Version)
	for _, v := range []struct {
		name string
		n    int64
	}{
		{"Uptime-msec", up.Milliseconds()}, {"Session-Count", int64(u.Active)}, {"Max-Sessions", int64(u.Max)},
		{"Session-Per-Sec", int64(u.RateMax)}, {"Session-Per-Sec-Last", int64(u.LastRate)},
		{"Session-Per-Sec-Max", int64(u.RatePeak)}, {"Session-Per-Sec-FiveMin", int64(u.RateFiveMinutes)},
		{"Session-Since-Startup", u.Total}, {"Session-Peak-Max", int64(u.Peak)},
		{"Session-Peak-FiveMin", int64(u.PeakFiveMinutes)},
	} {
		e.Add(v.name, strconv.FormatInt(v.n, 10))
	}
	e.Add("Idle-CPU", "100.000000")
	sw.Bus.Publish(e, "switch_core.c", "send_heartbeat", 95)
}
