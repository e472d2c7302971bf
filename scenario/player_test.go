package scenario

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// shared is a report that two goroutines write.
type shared struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *shared) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *shared) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func parsed(t *testing.T, text string) *File {
	t.Helper()
	f, err := Parse("x.scenario", text)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestPlayer_WhatNoTimeHelps_IsGivenUp(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var out shared
	stuck := make(chan string, 1)
	p := Player{Out: &out, Limit: 10 * time.Millisecond, grace: 10 * time.Millisecond,
		Open: func(*Cast) (*Stage, error) {
			// Waiting for the world outside keeps the clock of the bubble from moving.
			if _, err := r.Read(make([]byte, 1)); err == nil {
				return nil, errors.New("somebody wrote")
			}
			return nil, errors.New("the pipe is closed")
		},
		Stuck: func() { stuck <- out.String(); w.Close() }}
	if p.File(parsed(t, "scenario s\nwaits 1s\n")) {
		t.Error("it passed")
	}
	select {
	case got := <-stuck:
		for _, want := range []string{"--- FAIL: s", "x.scenario:2: waits 1s", "something that no virtual time helps is waited for", "\nFAIL\n"} {
			if !strings.Contains(got, want) {
				t.Errorf("the report has no %q:\n%s", want, got)
			}
		}
	default:
		t.Error("nobody was told that it hangs")
	}
}

func TestPlayer_NoStage_IsAFailure(t *testing.T) {
	var out bytes.Buffer
	p := Player{Out: &out, Open: func(*Cast) (*Stage, error) { return nil, errors.New("a broken configuration") }}
	if p.File(parsed(t, "scenario s\ncall 1\n")) || !strings.Contains(out.String(), "failed:   a broken configuration") {
		t.Error(out.String())
	}
}
