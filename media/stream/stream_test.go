package stream_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/switchlet/switchlet/media/file"
	"github.com/switchlet/switchlet/media/stream"
)

func level(pcm []int16, rate int, freq float64) float64 {
	var re, im float64
	for i, s := range pcm {
		w := 0.5 - 0.5*math.Cos(2*math.Pi*float64(i)/float64(len(pcm)))
		a := 2 * math.Pi * freq * float64(i) / float64(rate)
		re += w * float64(s) * math.Cos(a)
		im += w * float64(s) * math.Sin(a)
	}
	return 4 * math.Hypot(re, im) / float64(len(pcm))
}

// makeTone writes a file of ms milliseconds of freq at rate Hz and peak 10000.
func makeTone(t *testing.T, path string, rate, ms int, freq float64) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	w, err := file.Create(path, rate, 1)
	if err != nil {
		t.Fatal(err)
	}
	pcm := make([]int16, rate*ms/1000)
	for i := range pcm {
		pcm[i] = int16(10000 * math.Sin(2*math.Pi*freq*float64(i)/float64(rate)))
	}
	if err := w.Write(pcm); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// play opens uri and reads at most limit samples.
func play(t *testing.T, o *stream.Opener, uri string, rate, limit int) []int16 {
	t.Helper()
	s, err := o.Open(t.Context(), uri, rate)
	if err != nil {
		t.Fatalf("%s: %v", uri, err)
	}
	defer s.Close()
	if s.Rate() != rate {
		t.Errorf("%s: rate %d", uri, s.Rate())
	}
	var all []int16
	buf := make([]int16, rate/50)
	for len(all) < limit {
		n, err := s.Read(buf)
		all = append(all, buf[:n]...)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// hears reports whether freq is what sounds in pcm.
func hears(pcm []int16, rate int, freq float64) bool {
	return level(pcm, rate, freq) > 5000
}

func TestOpen_FilesComeAtTheRateAskedFor(t *testing.T) {
	dir := t.TempDir()
	makeTone(t, filepath.Join(dir, "a.wav"), 44100, 500, 700)
	o := &stream.Opener{SoundDir: dir}
	for _, rate := range []int{8000, 16000, 48000} {
		for _, uri := range []string{"a.wav", "a", filepath.Join(dir, "a.wav"), "{volume=1}a.wav", "file://" + dir + "/a.wav"} {
			pcm := play(t, o, uri, rate, rate)
			if len(pcm) < rate/2 || len(pcm) > rate/2+rate/100 || !hears(pcm, rate, 700) {
				t.Errorf("%s at %d Hz: %d samples", uri, rate, len(pcm))
			}
		}
	}
}

func TestOpen_TheDirectoryOfTheRateIsPreferred(t *testing.T) {
	dir := t.TempDir()
	makeTone(t, filepath.Join(dir, "ivr", "8000", "a.wav"), 8000, 200, 500)
	makeTone(t, filepath.Join(dir, "ivr", "16000", "a.wav"), 16000, 200, 900)
	o := &stream.Opener{SoundDir: dir}
	for rate, freq := range map[int]float64{8000: 500, 16000: 900, 48000: 900} {
		if pcm := play(t, o, "ivr/a.wav", rate, rate); !hears(pcm, rate, freq) {
			t.Errorf("at %d Hz %v Hz is not heard", rate, freq)
		}
	}
}

func TestOpen_OffsetSkipsSamples(t *testing.T) {
	dir := t.TempDir()
	makeTone(t, filepath.Join(dir, "a.wav"), 8000, 1000, 500)
	o := &stream.Opener{SoundDir: dir}
	if n := len(play(t, o, "a.wav@@6000", 8000, 1<<20)); n != 2000 {
		t.Errorf("%d samples are left", n)
	}
}

func TestOpen_PromptsLieUnderTheSoundDirectory(t *testing.T) {
	dir := t.TempDir()
	makeTone(t, filepath.Join(dir, "x.wav"), 8000, 200, 600)
	b, err := os.ReadFile(filepath.Join(dir, "x.wav"))
	if err != nil {
		t.Fatal(err)
	}
	o := &stream.Opener{SoundDir: "/nowhere/sounds", Prompts: fstest.MapFS{"ivr/8000/x.wav": {Data: b}}}
	for _, uri := range []string{"ivr/x.wav", "/nowhere/sounds/ivr/x.wav"} {
		if pcm := play(t, o, uri, 16000, 16000); !hears(pcm, 16000, 600) {
			t.Errorf("%s: the prompt is not heard", uri)
		}
	}
	if _, err := o.Open(t.Context(), "/etc/ivr/x.wav", 8000); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("outside of the sound directory: %v", err)
	}
}

func TestOpen_Tones(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "ring.ttml"), []byte("d=100;w=0\n%(100,0,440)\n%(100,0,440)\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := &stream.Opener{SoundDir: dir}
	for uri, ms := range map[string]int{
		"tone_stream://%(100,100,440)":                           200,
		"tone_stream://%(100,100,440);loops=2":                   400,
		"{loops=3}tone_stream://%(100,100,440)":                  600,
		"tone_stream://path=" + dir + "/ring.ttml":               200,
		"tone_stream://path=" + dir + "/ring.ttml;loops=2":       400,
		"silence_stream://250":                                   250,
		"silence_stream://250,1400":                              250,
		"file_string://silence_stream://100!silence_stream://50": 150,
	} {
		if n := len(play(t, o, uri, 8000, 1<<20)); n != ms*8 {
			t.Errorf("%s lasts %d samples, want %d ms", uri, n, ms)
		}
	}
	if n := len(play(t, o, "silence_stream://0", 8000, 50000)); n < 50000 {
		t.Errorf("endless silence ended after %d", n)
	}
	noise := play(t, o, "silence_stream://1000,400", 8000, 8000)
	var peak int16
	for _, s := range noise {
		peak = max(peak, s, -s)
	}
	if peak < 60 || peak > 82 {
		t.Errorf("the noise has a peak of %d", peak)
	}
}

func TestOpen_ListsSkipWhatIsMissing(t *testing.T) {
	dir := t.TempDir()
	makeTone(t, filepath.Join(dir, "a.wav"), 8000, 100, 500)
	makeTone(t, filepath.Join(dir, "b.wav"), 8000, 100, 900)
	var warnings []string
	o := &stream.Opener{SoundDir: dir, Warn: func(f string, _ ...any) { warnings = append(warnings, f) }}
	pcm := play(t, o, "file_string://missing.wav!a.wav!none!b.wav", 8000, 1<<20)
	if len(pcm) != 1600 || !hears(pcm[:800], 8000, 500) || !hears(pcm[800:], 8000, 900) || len(warnings) != 2 {
		t.Errorf("%d samples, %v", len(pcm), warnings)
	}
	if _, err := o.Open(t.Context(), "file_string://no!none", 8000); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a list of missing files: %v", err)
	}
}

func TestOpen_ErrorsNameThePath(t *testing.T) {
	o := &stream.Opener{SoundDir: t.TempDir()}
	for uri, want := range map[string]string{
		"missing.wav":                     "missing.wav",
		"a\x00b.wav":                      "NUL",
		"ftp://x":                         "ftp",
		"https://x/a.wav":                 "https://x/a.wav",
		"tone_stream://":                  "tone_stream",
		"":                                "no file name",
		"file_string://":                  "empty list",
		"tone_stream://path=nowhere.ttml": "nowhere.ttml",
	} {
		if _, err := o.Open(t.Context(), uri, 8000); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", uri, err)
		}
	}
	if _, err := o.Open(t.Context(), "a.wav", 1); err == nil {
		t.Error("1 Hz accepted")
	}
}

func TestCreate_MakesDirectories(t *testing.T) {
	dir := t.TempDir()
	o := &stream.Opener{RecordDir: dir}
	w, err := o.Create("2024/01/call", 8000, 2)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "2024/01/call.wav")); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"", "a\x00.wav", "a.xyz", "tone_stream://x", "2024/01/call.wav/x.wav"} {
		if _, err := o.Create(bad, 8000, 1); err == nil {
			t.Errorf("%q accepted", bad)
		}
	}
}

func TestLocalStream_AllListenersHearTheSamePosition(t *testing.T) {
	o := &stream.Opener{}
	defer o.Close()
	a, _ := o.Open(t.Context(), "local_stream://moh", 8000)
	buf, other := make([]int16, 160), make([]int16, 160)
	for range 50 {
		_, _ = a.Read(buf)
	}
	b, _ := o.Open(t.Context(), "local_stream://moh", 8000)
	_, _ = b.Read(other)
	for range 20 {
		if string(toBytes(buf)) != string(toBytes(other)) {
			t.Fatal("the listeners hear different sound")
		}
		_, _ = a.Read(buf)
		_, _ = b.Read(other)
	}
}

func toBytes(pcm []int16) []byte {
	var b bytes.Buffer
	for _, s := range pcm {
		b.WriteByte(byte(s))
		b.WriteByte(byte(s >> 8))
	}
	return b.Bytes()
}

func TestLocalStream_GeneratedMusicIsAudibleAndNeverClips(t *testing.T) {
	o := &stream.Opener{}
	for _, rate := range []int{8000, 16000, 48000} {
		pcm := play(t, o, "local_stream://default", rate, 40*rate)
		var peak, step int
		var sum float64
		for i, s := range pcm {
			peak = max(peak, int(s), -int(s))
			sum += float64(s) * float64(s)
			if i > 0 {
				step = max(step, int(s)-int(pcm[i-1]), int(pcm[i-1])-int(s))
			}
		}
		rms := math.Sqrt(sum / float64(len(pcm)))
		if peak > 20000 || rms < 1000 {
			t.Errorf("%d Hz: peak %d, rms %.0f", rate, peak, rms)
		}
		if limit := 12000 * 8000 / rate; step > limit {
			t.Errorf("%d Hz: a step of %d", rate, step)
		}
	}
}

func TestLocalStream_PlaysADirectoryWithoutGaps(t *testing.T) {
	dir := t.TempDir()
	makeTone(t, filepath.Join(dir, "1.wav"), 8000, 95, 500)
	makeTone(t, filepath.Join(dir, "2.wav"), 8000, 105, 900)
	if err := os.WriteFile(filepath.Join(dir, "3.wav"), []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	warned := 0
	o := &stream.Opener{
		LocalStreams: map[string]stream.LocalStream{"default": {Path: dir}},
		Warn:         func(string, ...any) { mu.Lock(); warned++; mu.Unlock() },
	}
	defer o.Close()
	pcm := play(t, o, "local_stream://unknown", 8000, 8000)
	for i := 0; i+1600 <= 8000; i += 1600 {
		if !hears(pcm[i:i+760], 8000, 500) || !hears(pcm[i+760:i+1600], 8000, 900) {
			t.Errorf("round at %d is not heard", i)
		}
	}
	if warned < 2 {
		t.Errorf("%d warnings; the unknown name and the broken file deserve one each", warned)
	}
}

func TestLocalStream_ManyListenersAtOnce(t *testing.T) {
	o := &stream.Opener{}
	defer o.Close()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			s, err := o.Open(context.Background(), "local_stream://moh", 8000)
			if err != nil {
				t.Error(err)
				return
			}
			buf := make([]int16, 160)
			for range 300 {
				if n, err := s.Read(buf); n != 160 || err != nil {
					t.Errorf("%d, %v", n, err)
				}
			}
			_ = s.Close()
		})
	}
	wg.Wait()
}

func TestOpen_DownloadsAreBoundedAndNamed(t *testing.T) {
	dir := t.TempDir()
	makeTone(t, filepath.Join(dir, "a.wav"), 8000, 200, 500)
	server := httptest.NewServer(http.FileServer(http.Dir(dir)))
	defer server.Close()
	o := &stream.Opener{HTTP: server.Client()}
	if pcm := play(t, o, server.URL+"/a.wav?x=1", 16000, 16000); !hears(pcm, 16000, 500) {
		t.Error("the download is not heard")
	}
	if _, err := o.Open(t.Context(), server.URL+"/none.wav", 8000); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("got %v", err)
	}
}

func TestSources_DoNotAllocatePerFrame(t *testing.T) {
	dir := t.TempDir()
	makeTone(t, filepath.Join(dir, "a.wav"), 44100, 20000, 500)
	o := &stream.Opener{SoundDir: dir}
	defer o.Close()
	for _, uri := range []string{"a.wav", "tone_stream://%(100,100,440);loops=-1", "silence_stream://0,1400", "local_stream://moh"} {
		s, err := o.Open(t.Context(), uri, 8000)
		if err != nil {
			t.Fatal(err)
		}
		buf := make([]int16, 160)
		for range 150 {
			_, _ = s.Read(buf)
		}
		if a := testing.AllocsPerRun(200, func() { _, _ = s.Read(buf) }); a != 0 {
			t.Errorf("%s: %v allocations a frame", uri, a)
		}
		_ = s.Close()
	}
}

func FuzzOpen(f *testing.F) {
	for _, s := range []string{"{a='b,c',d}tone_stream://%(1,2,3);loops=2", "file_string://a!b", "silence_stream://1,2", "a@@9", "{{}}x"} {
		f.Add(s)
	}
	dir := f.TempDir()
	o := &stream.Opener{SoundDir: dir}
	f.Fuzz(func(t *testing.T, uri string) {
		if strings.Contains(uri, "dev") || strings.Contains(uri, "proc") || strings.Contains(uri, "sys") {
			t.Skip("may lead to a file of the system that has no end")
		}
		s, err := o.Open(t.Context(), uri, 8000)
		if err != nil {
			return
		}
		buf := make([]int16, 160)
		for range 20 {
			if _, err := s.Read(buf); err != nil {
				break
			}
		}
		_ = s.Close()
	})
}
