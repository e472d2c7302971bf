//go:build !386 && !s390x

package udp

import (
	"testing"
	"time"
)

// A sleep lasts as long as was asked, and ends when somebody rings: meanwhile or before.
func TestAlarm_WakesInTimeAndByRinging(t *testing.T) {
	a, err := newAlarm()
	if err != nil {
		t.Fatal(err)
	}
	defer a.close()
	for _, d := range []time.Duration{-1, 0, 1, 100 * time.Microsecond, time.Millisecond, 20 * time.Millisecond} {
		for range 20 {
			start := time.Now()
			a.sleep(d)
			if slept := time.Since(start); slept < d {
				t.Fatalf("slept %v instead of %v", slept, d)
			}
		}
	}
	const long = time.Hour // longer than any test
	a.ring()
	a.ring()
	a.sleep(long)
	for range 200 {
		awake := make(chan bool)
		go func() {
			a.sleep(long)
			close(awake)
		}()
		a.ring() // as the sleep begins, or just before
		<-awake
	}
	for range 5 {
		awake := make(chan bool)
		go func() {
			a.sleep(long)
			close(awake)
		}()
		eventually(t, "the sleep began", func() bool {
			a.mu.Lock()
			defer a.mu.Unlock()
			return a.set
		})
		a.ring()
		<-awake
	}
	// Nothing of it is left for the next sleep.
	start := time.Now()
	a.sleep(10 * time.Millisecond)
	if slept := time.Since(start); slept < 10*time.Millisecond {
		t.Errorf("slept %v", slept)
	}
}

func BenchmarkAlarm(b *testing.B) {
	a, err := newAlarm()
	if err != nil {
		b.Fatal(err)
	}
	defer a.close()
	b.ReportAllocs()
	for b.Loop() {
		a.sleep(time.Millisecond)
	}
}
