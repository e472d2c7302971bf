package scenario

import (
	"strings"
	"testing"
	"time"
)

func TestBubble_FiveMinutesPassAtOnce(t *testing.T) {
	begin := time.Now()
	var virtual time.Duration
	err := bubble(func() {
		start := time.Now()
		ticks := 0
		done := make(chan struct{})
		go func() {
			defer close(done)
			tick := time.NewTicker(20 * time.Millisecond)
			defer tick.Stop()
			for range 15000 {
				<-tick.C
				ticks++
			}
		}()
		<-done
		settled()
		virtual = time.Since(start)
		if ticks != 15000 {
			t.Errorf("%d ticks", ticks)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if virtual != 5*time.Minute {
		t.Errorf("%v of virtual time", virtual)
	}
	if real := time.Since(begin); real > time.Minute {
		t.Errorf("%v of real time", real)
	}
}

func TestBubble_PanicIsAnError(t *testing.T) {
	if err := bubble(func() { panic("oh") }); err == nil || !strings.Contains(err.Error(), "panic: oh") {
		t.Errorf("%v", err)
	}
	if err := bubble(func() {}); err != nil {
		t.Errorf("the next bubble: %v", err)
	}
}

func TestBubble_LeftGoroutineIsAnError(t *testing.T) {
	if err := bubble(func() { go func() { select {} }() }); err == nil || !strings.Contains(err.Error(), "blocked goroutines remain") {
		t.Errorf("%v", err)
	}
}
