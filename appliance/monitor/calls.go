package monitor

import (
	"net/http"
	"sort"
	"strings"
	"time"

	"github.com/switchlet/switchlet/call"
)

// Leg is one live leg. Times are milliseconds since 1970, 0 where the call did
// not get so far.
type Leg struct {
	UUID        string `json:"uuid"`
	Name        string `json:"name"`
	Direction   string `json:"direction"`
	CallerName  string `json:"callerName"`
	Caller      string `json:"caller"`
	Destination string `json:"destination"`
	Context     string `json:"context"`
	State       string `json:"state"`
	CallState   string `json:"callState"`
	Application string `json:"application"`
	Data        string `json:"data"`
	Partner     string `json:"partner,omitempty"` // UUID of the leg that it is bridged with
	Read        string `json:"read"`
	Write       string `json:"write"`
	Created     int64  `json:"created"`
	Answered    int64  `json:"answered"`

	// Chain is what uuid_media_chain prints, Troubles its problems alone.
	Chain    string   `json:"chain"`
	Troubles []string `json:"troubles"`
	MOS      float64  `json:"mos"`    // 1 to 4.5; 0: no sound came in
	Loss     float64  `json:"loss"`   // percent
	Jitter   float64  `json:"jitter"` // ms
}

// calls answers with the live legs, the newest first.
func (m *Monitor) calls(w http.ResponseWriter, _ *http.Request) {
	all := m.o.Switch.Channels()
	sort.SliceStable(all, func(i, j int) bool {
		return all[i].Profile().Times.Created.After(all[j].Profile().Times.Created)
	})
	legs := []Leg{}
	for _, c := range all[:min(len(all), maxCalls)] {
		legs = append(legs, leg(c))
	}
	answer(w, map[string]any{"total": len(all), "legs": legs})
}

func leg(c *call.Channel) Leg {
	p := c.Profile()
	read, write := c.Formats()
	l := Leg{UUID: c.UUID(), Name: c.Name(), Direction: "inbound", CallerName: p.CallerName, Caller: p.CallerNumber,
		Destination: p.Destination, Context: p.Context, State: c.State().String(), CallState: c.CallState().String(),
		Read: read.String(), Write: write.String(), Created: millis(p.Times.Created), Answered: millis(p.Times.Answered), Troubles: []string{}}
	if c.Outbound() {
		l.Direction = "outbound"
	}
	l.Application, l.Data = c.LastApplication()
	if partner := c.Partner(); partner != nil {
		l.Partner = partner.UUID()
	}
	l.Chain = c.Port().Chain()
	for line := range strings.Lines(l.Chain) {
		if text, ok := strings.CutPrefix(strings.TrimSpace(line), "problem: "); ok {
			l.Troubles = append(l.Troubles, text)
		}
	}
	if s := c.Port().Stats(); s.InMediaPackets > 0 {
		l.MOS, l.Loss, l.Jitter = s.MOS, s.LossRate, s.Jitter
	}
	return l
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}
