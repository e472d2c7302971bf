package conference

import (
	"slices"
	"strconv"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/media"
	"github.com/switchlet/switchlet/media/mix"
)

// talkReport is how often the flag talk-data-events tells of a member's talking.
const talkReport = 10 * time.Second

// talkReports counts how often a member began to talk since the last report.
type talkReports struct {
	first time.Time // zero: not at all
	times int
}

// began counts that a member begins to talk.
func (t *talkReports) began() {
	if t.first.IsZero() {
		t.first = time.Now()
	}
	t.times++
}

// watchTalk reports of a member every ten seconds, as long as he is here.
func (r *Room) watchTalk(m *member) {
	if m.flags&flagTalkData == 0 {
		return
	}
	r.after(talkReport, func() {
		if !slices.Contains(r.members, m) {
			return
		}
		if !m.seat.Muted() && !m.held {
			r.reportTalk(m)
		}
		r.watchTalk(m)
	})
}

func (r *Room) reportTalk(m *member) {
	t := m.reports
	about := []call.Var{{Name: "talk-detects", Value: strconv.Itoa(t.times)}}
	if t.times > 0 {
		d := time.Since(t.first).Milliseconds()
		about = append(about, call.Var{Name: "talk-detect-duration", Value: strconv.FormatInt(d, 10)},
			call.Var{Name: "talk-detect-avg", Value: decimal(float64(d) / float64(t.times))})
	}
	r.fireWith("talk-report", "", m, about, nil)
	m.reports = talkReports{}
	if m.talking {
		m.reports.began()
	}
}

// talkHeaders are what stop-talking says of the talk; nil if nothing was counted.
func talkHeaders(t mix.Talk) []call.Var {
	if t.Above == 0 || t.Change == 0 {
		return nil
	}
	above, below := float64(t.Above), float64(max(t.Frames-t.Above, 1))
	on, off := above/float64(t.Frames)*100, below/float64(t.Frames)*100
	return []call.Var{{Name: "talking-gate-hits", Value: strconv.Itoa(t.Above)}, {Name: "talking-total-packets", Value: strconv.Itoa(t.Frames)},
		{Name: "talking-duration-ms", Value: strconv.FormatInt((time.Duration(t.Frames) * media.FrameTime).Milliseconds(), 10)},
		{Name: "talking-average-energy", Value: decimal(t.Energy)}, {Name: "talking-delta-average", Value: decimal(t.Change)},
		{Name: "talking-hit-on-percent", Value: decimal(on)}, {Name: "talking-non-hit-ratio", Value: decimal(below / above * 100)},
		{Name: "talking-hit-off-percent", Value: decimal(off)}, {Name: "talking-hit-off-differential", Value: decimal(on - off)}}
}

func decimal(f float64) string { return strconv.FormatFloat(f, 'f', 6, 64) }
