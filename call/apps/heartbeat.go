package apps

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
)

// Heartbeat fires SESSION_HEARTBEAT for the channel every so often until the call
// ends; 0 stops it.
func Heartbeat(ch *call.Channel, every time.Duration) {
	s := ch.Switch().Scheduler
	old, known := ch.Private("heartbeat").(int64)
	if old > 0 {
		s.Delete(old)
	}
	var id int64
	if every > 0 && ch.Up() {
		id = s.Add(time.Now().Add(every), every, "switch_core_session_sched_heartbeat", ch.UUID(), func(context.Context) {
			if ch.Up() {
				ch.Fire(event.SessionHeartbeat, nil, nil)
			}
		})
	}
	ch.SetPrivate("heartbeat", id)
	if !known {
		ch.OnHangup(func(c *call.Channel) { Heartbeat(c, 0) })
	}
}

// heartbeat is the application: seconds, 0 to stop.
func heartbeat(_ context.Context, ch *call.Channel, args string) error {
	seconds, err := strconv.Atoi(strings.TrimSpace(args))
	if err != nil || seconds < 0 {
		return usage("[0|<seconds>]")
	}
	Heartbeat(ch, time.Duration(seconds)*time.Second)
	return nil
}
