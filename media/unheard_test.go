package media_test

import (
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/switchlet/switchlet/media"
)

// journal keeps what is logged.
type journal struct {
	mu   sync.Mutex
	text strings.Builder
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// network is a Wire that knows of its own troubles, as those with sockets do.
type network struct{ media.Wire }

func (network) Troubles() []string { return []string{"source differs from SDP"} }

func TestPort_HearsNothing_IsLoggedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log journal
		e := media.NewEngine(media.EngineOptions{Log: slog.New(slog.NewTextHandler(&log, nil))})
		f := format(t, newEngineFor(t), "PCMU", 0)
		inner, far := media.Pipe()
		defer inner.Close()
		defer far.Close()
		p := e.NewPort("leg")
		defer p.Close()
		p.Attach(network{inner}, f, noDTMF)
		time.Sleep(4 * time.Second)
		_ = far.Send(&media.Packet{PayloadType: 0, Payload: make([]byte, 160)})
		time.Sleep(4 * time.Second)
		synctest.Wait()
		if text := log.String(); text != "" {
			t.Errorf("logged too early: %s", text)
		}
		time.Sleep(20 * time.Second)
		synctest.Wait()
		text := log.String()
		if n := strings.Count(text, "nothing is heard"); n != 1 {
			t.Errorf("logged %d times", n)
		}
		for _, want := range []string{"port=leg", "nothing received from", "source differs from SDP", "PCMU"} {
			if !strings.Contains(text, want) {
				t.Errorf("%q is missing in %s", want, text)
			}
		}
	})
}
