package file_test

import (
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/switchlet/switchlet/media/file"
)

// TestOpen_AFileThatShrinksWhileItIsPlayed_EndsThere cuts files off, empties them and
// fills them with something else behind the reader's back: the sound ends, by io.EOF or
// by an error, never later than its length and never with a panic, and can be closed.
func TestOpen_AFileThatShrinksWhileItIsPlayed_EndsThere(t *testing.T) {
	const rate, seconds = 8000, 30
	for _, name := range []string{"a.wav", "a.raw", "a.r8", "a.ul", "a.pcma", "a.opus"} {
		for what, harm := range map[string]func(t *testing.T, path string, size int64){
			"cut off": func(t *testing.T, path string, size int64) { truncate(t, path, size/2) },
			"emptied": func(t *testing.T, path string, _ int64) { truncate(t, path, 0) },
			"written anew": func(t *testing.T, path string, size int64) {
				if err := os.WriteFile(path, make([]byte, size/2+7), 0o600); err != nil {
					t.Fatal(err)
				}
			},
			"gone": func(t *testing.T, path string, _ int64) {
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
			},
		} {
			t.Run(name+" "+what, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), name)
				w, err := file.Create(path, rate, 1)
				if err != nil {
					t.Fatal(err)
				}
				pcm := make([]int16, rate/50)
				for i := range seconds * 50 {
					for k := range pcm {
						pcm[k] = int16(8000 * math.Sin(float64(i*len(pcm)+k)))
					}
					if err := w.Write(pcm); err != nil {
						t.Fatal(err)
					}
				}
				if err := w.Close(); err != nil {
					t.Fatal(err)
				}
				a, err := file.Open(path, rate)
				if err != nil {
					t.Fatal(err)
				}
				info, err := os.Stat(path)
				if err != nil {
					t.Fatal(err)
				}
				heard := 0
				buf := make([]int16, a.Rate()/50)
				if heard, err = a.Read(buf); err != nil || heard == 0 {
					t.Fatalf("%d samples, %v", heard, err)
				}
				harm(t, path, info.Size())
				whole := seconds * a.Rate()
				for reads := 0; err == nil; reads++ {
					var n int
					n, err = a.Read(buf)
					heard += n
					if heard > whole+a.Rate() || reads > 100*seconds {
						t.Fatalf("%d samples of %d are read in %d reads, and no end", heard, whole, reads)
					}
				}
				if what == "gone" && (!errors.Is(err, io.EOF) || heard < whole*9/10) {
					t.Errorf("a file that was removed gives %d of %d samples, %v", heard, whole, err)
				}
				if what == "emptied" && name != "a.opus" && heard > whole*9/10 { // of Opus so much is in one buffer
					t.Errorf("%d of %d samples are read from an empty file", heard, whole)
				}
				for _, at := range []int64{int64(whole) / 4, int64(whole) - 1, 0} {
					if a.SeekTo(at) == nil {
						_, _ = a.Read(buf) // whatever there is; it must return
					}
				}
				if err := a.Close(); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func truncate(t *testing.T, path string, size int64) {
	t.Helper()
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
}
