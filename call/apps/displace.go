package apps

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/media"
)

func displacing(Deps) []call.Application {
	return []call.Application{
		{Name: "displace_session", Syntax: "<path> [<flags>] [+time_limit_ms]", Description: "Displace File", Run: displaceSession},
		{Name: "stop_displace_session", Syntax: "<path>", Description: "Stop Displace File", Run: stopDisplaceSession},
	}
}

// displacement is a file that is heard instead of, or with, the sound of a leg.
type displacement []*media.Playback

func (d displacement) over() bool {
	for _, pb := range d {
		if !pb.Over() {
			return false
		}
	}
	return true
}

//lint:ignore ST1005 the reference's words
var errDisplaced = errors.New("Only 1 of the same file per channel please!")

// Displace plays a file instead of what a leg hears, until its end, the limit
// (0: none) or StopDisplace. Flags: m mixes it with the sound, l loops, r lets
// the other side of the call hear it, rw both sides.
func Displace(ctx context.Context, ch *call.Channel, path string, limit time.Duration, flags string) error {
	if !ch.MediaReady() {
		return call.ErrNotReady
	}
	key := "displace " + path
	if old, ok := ch.Private(key).(displacement); ok && !old.over() {
		return errDisplaced
	}
	directions := []media.Direction{media.Write}
	if strings.Contains(flags, "r") {
		directions = []media.Direction{media.Read}
		if strings.Contains(flags, "w") {
			directions = append(directions, media.Write)
		}
	}
	var d displacement
	for _, direction := range directions {
		src, err := ch.OpenSound(ctx, path)
		if err != nil {
			for _, pb := range d {
				pb.Stop()
			}
			if ch.True("DISPLACE_HANGUP_ON_ERROR") {
				ch.Hangup(call.CauseDestinationOutOfOrder)
			}
			return err
		}
		d = append(d, ch.Port().Play(src, media.PlayOptions{Direction: direction, Limit: limit,
			Mix: strings.Contains(flags, "m"), Loop: strings.Contains(flags, "l")}))
	}
	ch.SetPrivate(key, d)
	return nil
}

// StopDisplace ends what Displace began; false when there was nothing.
func StopDisplace(ch *call.Channel, path string) bool {
	key := "displace " + path
	d, ok := ch.Private(key).(displacement)
	if !ok {
		return false
	}
	ch.SetPrivate(key, nil)
	for _, pb := range d {
		pb.Stop()
	}
	return true
}

func displaceSession(ctx context.Context, ch *call.Channel, args string) error {
	f := strings.Fields(args)
	if len(f) == 0 {
		return usage("displace_session <path> [<flags>] [+time_limit_ms]")
	}
	var limit time.Duration
	flags := ""
	for _, word := range f[1:] {
		if n, ok := strings.CutPrefix(word, "+"); ok {
			seconds, _ := strconv.Atoi(n)
			limit = time.Duration(max(seconds, 0)) * time.Second
		} else {
			flags = word
		}
	}
	return Displace(ctx, ch, f[0], limit, flags)
}

func stopDisplaceSession(_ context.Context, ch *call.Channel, args string) error {
	if !StopDisplace(ch, strings.TrimSpace(args)) {
		return errors.New("not displaced: " + args)
	}
	return nil
}
