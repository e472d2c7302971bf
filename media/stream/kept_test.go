package stream

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestKept_DropsTheLeastRecentlyUsed(t *testing.T) {
	k := &kept{}
	if err := k.load(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	names := []string{"http://a/1.wav", "http://a/2.wav", "http://a/3.wav"}
	for i, name := range names {
		if _, err := k.keep(name, download{body: []byte("sound"), name: "x.wav"}); err != nil {
			t.Fatal(err)
		}
		k.files[name].Used = time.Unix(int64(i), 0)
	}
	k.find(names[0], time.Now())
	k.size += maxKept - 10 // as if they were large
	k.mu.Lock()
	k.shrink(k.files[names[2]])
	k.mu.Unlock()
	if f, _ := k.find(names[1], time.Now()); f != nil {
		t.Error("the least recently used is still there")
	}
	if f, _ := k.find(names[0], time.Now()); f == nil {
		t.Error("one that was used is gone")
	}
	left, err := os.ReadDir(k.dir)
	if err != nil || len(left) != 4 {
		t.Errorf("%d files are left, %v", len(left), err)
	}
}

func TestLifetime(t *testing.T) {
	for header, want := range map[string]time.Duration{
		"": defaultLifetime, "public, max-age=60": time.Minute, "no-cache": 0, "No-Store, max-age=5": 0,
		"max-age=-3": 0, "max-age=99999999999999999999": 0, "max-age=999999999999": maxLifetime, "private": defaultLifetime,
	} {
		if got := lifetime(http.Header{"Cache-Control": {header}}); got != want {
			t.Errorf("%q: %v, want %v", header, got, want)
		}
	}
}

func FuzzReadFacts(f *testing.F) {
	f.Add([]byte(`{"address":"http://a/x.wav","file":"` + keyOf("http://a/x.wav") + `.wav","size":5}`))
	f.Add([]byte(`{"address":"x","file":"../../etc/passwd"}`))
	dir := f.TempDir()
	if err := os.WriteFile(filepath.Join(dir, keyOf("http://a/x.wav")+".wav"), []byte("sound"), 0o600); err != nil {
		f.Fatal(err)
	}
	name := filepath.Join(dir, "facts.json")
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
		k, ok := readFacts(dir, name)
		if ok && (!strings.HasPrefix(k.path, dir+string(filepath.Separator)) || strings.ContainsAny(k.File, `/\`) || k.Size < 0) {
			t.Errorf("%q is trusted: %+v", b, k)
		}
	})
}
