package call

import (
	"sync"
	"time"
)

// Sessions counts and limits channels: how many at once, how many new ones a
// second, and whether new ones are let in at all (fsctl pause).
type Sessions struct {
	mu          sync.Mutex
	max         int
	perSecond   int
	active      int
	total       int64
	peak        int
	ratePeak    int
	second      int64 // the current second
	inSecond    int
	lastSecond  int
	window      [300]sample // the last five minutes
	pauseIn     bool
	pauseOut    bool
	rateRefused uint64
}

type sample struct {
	second int64
	peak   int
	rate   int
}

// Usage is a snapshot of Sessions.
type Usage struct {
	Total              int64
	Active, Peak       int
	PeakFiveMinutes    int
	Max                int
	Rate, RateMax      int // new sessions in this second, and the limit
	LastRate, RatePeak int
	RateFiveMinutes    int
}

func newSessions(limit, perSecond int) *Sessions { return &Sessions{max: limit, perSecond: perSecond} }

// enter counts a new channel, or refuses it.
func (s *Sessions) enter(inbound bool, now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.roll(now)
	if (inbound && s.pauseIn) || (!inbound && s.pauseOut) || s.active >= s.max || s.inSecond >= s.perSecond {
		s.rateRefused++
		return CauseSwitchCongestion
	}
	s.inSecond++
	s.active++
	s.total++
	s.peak = max(s.peak, s.active)
	s.ratePeak = max(s.ratePeak, s.inSecond)
	w := &s.window[s.second%int64(len(s.window))]
	if w.second != s.second {
		*w = sample{second: s.second}
	}
	w.peak, w.rate = max(w.peak, s.active), max(w.rate, s.inSecond)
	return nil
}

func (s *Sessions) leave() {
	s.mu.Lock()
	s.active--
	s.mu.Unlock()
}

func (s *Sessions) roll(now time.Time) {
	if sec := now.Unix(); sec != s.second {
		if sec == s.second+1 {
			s.lastSecond = s.inSecond
		} else {
			s.lastSecond = 0
		}
		s.second, s.inSecond = sec, 0
	}
}

// Usage returns the counts.
func (s *Sessions) Usage() Usage {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.roll(time.Now())
	u := Usage{Total: s.total, Active: s.active, Peak: s.peak, Max: s.max, Rate: s.inSecond,
		RateMax: s.perSecond, LastRate: s.lastSecond, RatePeak: s.ratePeak, PeakFiveMinutes: s.active}
	for _, w := range s.window {
		if w.second > s.second-300 {
			u.PeakFiveMinutes = max(u.PeakFiveMinutes, w.peak)
			u.RateFiveMinutes = max(u.RateFiveMinutes, w.rate)
		}
	}
	return u
}

// SetMax changes how many channels may be up at once.
func (s *Sessions) SetMax(n int) { s.mu.Lock(); s.max = n; s.mu.Unlock() }

// SetRate changes how many channels may begin in a second.
func (s *Sessions) SetRate(n int) { s.mu.Lock(); s.perSecond = n; s.mu.Unlock() }

// ResetRatePeak forgets the highest rate seen.
func (s *Sessions) ResetRatePeak() { s.mu.Lock(); s.ratePeak = 0; s.mu.Unlock() }

// Pause sets for both directions whether new channels are refused.
func (s *Sessions) Pause(in, out bool) { s.mu.Lock(); s.pauseIn, s.pauseOut = in, out; s.mu.Unlock() }

// Paused returns what Pause set.
func (s *Sessions) Paused() (in, out bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pauseIn, s.pauseOut
}

// Full reports whether a new channel of that direction would be refused.
func (s *Sessions) Full(inbound bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.roll(time.Now())
	return (inbound && s.pauseIn) || (!inbound && s.pauseOut) || s.active >= s.max
}
