package cdr

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/conf"
)

// recording is a Recorder that writes CSV files only; end publishes n ended legs.
func recording(t *testing.T) (r *Recorder, dir string, end func(n int)) {
	t.Helper()
	dir = t.TempDir()
	bus, log := event.NewBus(nil, nil), call.NewLog()
	sw := call.NewSwitch(call.Options{Bus: bus, Log: log, Globals: conf.NewGlobals()})
	r = New(Options{Switch: sw, Conf: parse(t, fmt.Sprintf(tree, `<param name="history" value="false"/>`)), LogDir: dir})
	if err := r.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); bus.Close() })
	return r, dir, func(n int) {
		for range n {
			bus.Publish(ended("Caller-Caller-ID-Number", "1000", "Caller-Unique-ID", "u1"), "", "", 0)
		}
	}
}

func written(t *testing.T, dir string) int { return strings.Count(lines(t, dir)["Master.csv"], "\n") }

func TestRecorder_LegsWaitForOthersATimeAndNoLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, dir, end := recording(t)
		end(3)
		time.Sleep(gather - time.Millisecond)
		end(1)
		if n := written(t, dir); n != 0 {
			t.Errorf("%d were written before their time", n)
		}
		time.Sleep(2 * time.Millisecond)
		synctest.Wait()
		if n := written(t, dir); n != 4 {
			t.Errorf("%d were written in time, want 4", n)
		}
		end(2)
		if err := r.Flush(context.Background()); err != nil || written(t, dir) != 6 {
			t.Errorf("flushed: %v, %d written, want 6", err, written(t, dir))
		}
		end(1)
		r.Close()
		if n := written(t, dir); n != 7 {
			t.Errorf("closed: %d written, want 7", n)
		}
		if err := r.Flush(context.Background()); err != nil {
			t.Errorf("flushed after the end: %v", err)
		}
	})
}

func TestRecorder_ACrowdDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, dir, end := recording(t)
		for range 4 {
			end(queue / 2)
			synctest.Wait() // no time passes
		}
		end(1)
		r.Close()
		if dropped, _ := r.Lost(); dropped != 0 || written(t, dir) != 2*queue+1 {
			t.Errorf("%d were lost and %d written", dropped, written(t, dir))
		}
	})
}
