package stream_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/switchlet/switchlet/media/stream"
)

// prompts is a server of one tone that counts what it is asked.
type prompts struct {
	*httptest.Server
	asked, sent atomic.Int64
	control     string
	down        atomic.Bool
}

func newPrompts(t *testing.T, control string) *prompts {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a.wav")
	makeTone(t, path, 8000, 200, 500)
	body, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	p := &prompts{control: control}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.asked.Add(1)
		if p.down.Load() {
			http.Error(w, "down", http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("ETag", `"one"`)
		w.Header().Set("Cache-Control", p.control)
		if r.Header.Get("If-None-Match") == `"one"` {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		p.sent.Add(1)
		_, _ = w.Write(body)
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *prompts) hear(t *testing.T, o *stream.Opener) {
	t.Helper()
	p.hearAs(t, o, p.URL+"/a.wav?x=1")
}

func (p *prompts) hearAs(t *testing.T, o *stream.Opener, name string) {
	t.Helper()
	if pcm := play(t, o, name, 16000, 16000); !hears(pcm, 16000, 500) {
		t.Errorf("%s is not heard", name)
	}
}

func TestHTTP_WhatIsFreshIsNotAskedForAgain(t *testing.T) {
	p := newPrompts(t, "public, max-age=60")
	dir := t.TempDir()
	for range 2 { // the second opener finds what the first one kept
		o := &stream.Opener{HTTP: p.Client(), CacheDir: dir}
		p.hear(t, o)
		p.hearAs(t, o, "http_cache://{a=b}"+p.URL+"/a.wav?x=1")
	}
	if n := p.asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

func TestHTTP_WhatIsStaleIsAskedForByItsTag(t *testing.T) {
	p := newPrompts(t, "no-cache")
	o := &stream.Opener{HTTP: p.Client(), CacheDir: t.TempDir()}
	p.hear(t, o)
	p.hear(t, o)
	if p.asked.Load() != 2 || p.sent.Load() != 1 {
		t.Errorf("asked %d times, sent %d times", p.asked.Load(), p.sent.Load())
	}
}

func TestHTTP_AServerThatFailsIsReplacedByTheCache(t *testing.T) {
	p := newPrompts(t, "no-cache")
	warned := ""
	o := &stream.Opener{HTTP: p.Client(), CacheDir: t.TempDir(),
		Warn: func(f string, args ...any) { warned += fmt.Sprintf(f, args...) }}
	p.hear(t, o)
	p.down.Store(true)
	p.hear(t, o)
	if !strings.Contains(warned, "503") {
		t.Errorf("warned %q", warned)
	}
}

func TestHTTP_WhatMayNotBeKeptIsNot(t *testing.T) {
	p := newPrompts(t, "no-store")
	dir := t.TempDir()
	o := &stream.Opener{HTTP: p.Client(), CacheDir: dir}
	p.hear(t, o)
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("%d files, %v", len(entries), err)
	}
}

func TestHTTP_ACacheThatCannotBeWrittenOrIsEmptiedDoesNotMatter(t *testing.T) {
	p := newPrompts(t, "max-age=60")
	blocked := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	p.hear(t, &stream.Opener{HTTP: p.Client(), CacheDir: filepath.Join(blocked, "below")})
	dir := t.TempDir()
	o := &stream.Opener{HTTP: p.Client(), CacheDir: dir}
	p.hear(t, o)
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(names) != 2 {
		t.Fatalf("%v, %v", names, err)
	}
	for _, n := range names {
		if err := os.Remove(n); err != nil {
			t.Fatal(err)
		}
	}
	p.hear(t, o)
	for _, n := range names { // facts that lie
		if err := os.WriteFile(n, []byte(`{"address":"x","file":"../../x"}`), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p.hear(t, &stream.Opener{HTTP: p.Client(), CacheDir: dir})
}

func TestOpen_ShortFilesAreKeptDecoded(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.wav")
	makeTone(t, path, 8000, 400, 500)
	past := time.Now().Add(-time.Minute)
	if err := os.Chtimes(path, past, past); err != nil {
		t.Fatal(err)
	}
	o := &stream.Opener{SoundDir: dir}
	for range 2 {
		if pcm := play(t, o, "a.wav", 16000, 6400); !hears(pcm, 16000, 500) {
			t.Error("not heard")
		}
	}
	makeTone(t, path, 8000, 400, 900)
	if pcm := play(t, o, "a.wav", 16000, 6400); !hears(pcm, 16000, 900) {
		t.Error("a file that was written anew sounds as before")
	}
	n := testing.AllocsPerRun(50, func() {
		s, err := o.Open(t.Context(), "a.wav", 8000)
		if err != nil {
			t.Fatal(err)
		}
		_ = s.Close()
	})
	if n > 60 {
		t.Errorf("%v allocations to open it", n)
	}
}
