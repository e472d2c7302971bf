package media_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/switchlet/switchlet/media"
	"github.com/switchlet/switchlet/media/file"
)

// full returns the name of a file on a disk that has no room.
func full(t *testing.T, extension string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "full."+extension)
	if err := os.Symlink("/dev/full", name); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestRecord_DiskFull_TheCallGoesOnAndTheErrorSaysSo(t *testing.T) {
	if w, err := file.Create(full(t, "wav"), 8000, 1); err == nil || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a WAVE file on a full disk: %v, %v", w, err)
	}
	name := full(t, "raw")
	synctest.Test(t, func(t *testing.T) {
		e := newEngine(t)
		defer e.Close()
		a, b := newPhone(t, e, "a", format(t, e, "PCMU", 0), noDTMF), newPhone(t, e, "b", format(t, e, "PCMA", 8), noDTMF)
		defer a.close()
		defer b.close()
		if err := media.Join(a.port, b.port); err != nil {
			t.Fatal(err)
		}
		w, err := file.Create(name, 8000, 1)
		if err != nil {
			t.Fatal(err)
		}
		r := a.port.Record(w, media.RecordOptions{})
		a.say(440)
		<-r.Done()
		if r.Cause() != media.CauseError || !errors.Is(r.Err(), syscall.ENOSPC) || !strings.Contains(r.Err().Error(), name) {
			t.Errorf("%q, %v", r.Cause(), r.Err())
		}
		b.packets()
		time.Sleep(time.Second)
		wantTone(t, b.decode(b.packets()), 8000, 440)
	})
}
