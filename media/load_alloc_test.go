//go:build !race

package media_test

import "testing"

// The race detector makes pools forget on purpose: what is counted here would be its
// allocations.

func TestScenes_DoNotAllocate(t *testing.T) {
	for name, scene := range scenes() {
		t.Run(name, func(t *testing.T) {
			c := scene(t)
			defer c.close()
			for range 150 {
				c.tick()
			}
			for i, w := range c.wires {
				if w.sent < 100 {
					t.Errorf("port %d sent %d packets in 150 ticks", i, w.sent)
				}
			}
			if n := testing.AllocsPerRun(100, c.tick); n > 0 {
				t.Errorf("%v allocations a tick", n)
			}
		})
	}
}
