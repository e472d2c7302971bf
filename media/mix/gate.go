package mix

import "math"

// Figures of the talk detection (spec/conference.md §9).
const (
	hangover  = 40  // frames below the gate that end talking: 800 ms
	hangunder = 5   // frames above the gate that begin it
	loud      = 400 // so far above the gate, one frame is enough
	topScore  = 25000
	levelStep = 100 // by which a raised gate sinks
	topLevel  = 1800

	// autoAfter is how long someone must have talked for the gate to learn from
	// it, in frames: two seconds.
	autoAfter = 100
)

// gate finds out from a member's frames whether he talks.
type gate struct {
	level   int // energy level; 0: always open
	auto    int // upper bound of the automatic level; 0: off
	last    int // mean magnitude of the last frame
	average float64
	talking bool
	over    int // frames below in a row, less those above
	under   int // frames above, less those below
	open    bool

	// Of the talk in progress.
	frames int
	above  int
	energy float64 // sum of the scores above the gate
	change float64 // sum of the differences between them and the scores before

	past Talk // the last one that ended by itself
}

// Talk is what was counted from the moment when a member began to talk until he
// ended.
type Talk struct {
	Frames, Above  int     // in all, the 800 ms of silence that ended it among them, and above the gate
	Energy, Change float64 // of those above the gate: mean magnitude, and its mean change from one frame to the next
}

// hear takes the score of a frame and reports whether talking began or ended.
func (g *gate) hear(score int) (changed bool) {
	before := g.last
	g.last = score
	g.average = min(0.2*float64(score)+0.8*g.average, topScore)
	g.open = score > g.level
	if g.talking {
		g.frames++
	}
	if !g.open {
		g.under = max(g.under-1, 0)
		if !g.talking {
			return false
		}
		g.over++
		if g.over < hangover {
			return false
		}
		g.end()
		return true
	}
	g.over = max(g.over-1, 0)
	if g.talking {
		g.above++
		g.energy += float64(score)
		g.change += math.Abs(float64(score - before))
		return false
	}
	g.under++
	if score-g.level < loud && g.under < hangunder {
		return false
	}
	g.talking, g.over, g.under = true, 0, 0
	g.frames, g.above, g.energy, g.change = 1, 1, float64(score), 0
	return true
}

// end ends talking, and learns the level from it.
func (g *gate) end() {
	g.talking, g.over, g.under = false, 0, 0
	n := float64(max(g.above, 1))
	g.past = Talk{Frames: g.frames, Above: g.above, Energy: g.energy / n, Change: g.change / n}
	if g.auto > 0 && g.frames > autoAfter && g.above > 0 && (g.frames-g.above)*100 > g.frames {
		g.level = min(int(0.75*g.energy/float64(g.above)), g.auto)
	}
}

// reset forgets the talk without learning from it, and reports whether there was
// one.
func (g *gate) reset() (changed bool) {
	changed = g.talking
	g.past = Talk{}
	g.talking, g.over, g.under, g.average, g.open = false, 0, 0, 0, false
	return changed
}

// sink lets a gate that was raised automatically come down towards base.
func (g *gate) sink(base int) {
	if g.auto > 0 && !g.talking && g.level > base {
		g.level = max(g.level-levelStep, base)
	}
}
