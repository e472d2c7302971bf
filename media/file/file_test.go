package file_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/switchlet/switchlet/media"
	"github.com/switchlet/switchlet/media/file"
	"github.com/switchlet/switchlet/media/file/wav"
)

func ramp(n int) []int16 {
	pcm := make([]int16, n)
	for i := range pcm {
		pcm[i] = int16(i*7%20000 - 10000)
	}
	return pcm
}

func readAll(t *testing.T, s interface{ Read([]int16) (int, error) }) []int16 {
	t.Helper()
	var all []int16
	buf := make([]int16, 333)
	for {
		n, err := s.Read(buf)
		all = append(all, buf[:n]...)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestCreate_WhatIsWrittenIsRead(t *testing.T) {
	for _, c := range []struct {
		name      string
		rate      int
		tolerance float64
	}{
		{"a.wav", 8000, 0}, {"b.WAV", 48000, 0}, {"c.raw", 16000, 0}, {"d.r8", 8000, 0},
		{"e.PCMU", 8000, 600}, {"f.al", 8000, 600},
	} {
		path := filepath.Join(t.TempDir(), c.name)
		w, err := file.Create(path, c.rate, 1)
		if err != nil {
			t.Fatal(err)
		}
		want := ramp(20000)
		for i := 0; i < len(want); i += 160 {
			if err := w.Write(want[i : i+160]); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		a, err := file.Open(path, c.rate)
		if err != nil {
			t.Fatal(err)
		}
		got := readAll(t, a)
		if len(got) != len(want) || a.Len() != int64(len(want)) || a.Rate() != c.rate {
			t.Fatalf("%s: %d samples of %d at %d Hz", c.name, len(got), a.Len(), a.Rate())
		}
		for i := range got {
			if math.Abs(float64(got[i])-float64(want[i])) > c.tolerance {
				t.Fatalf("%s: sample %d is %d, want %d", c.name, i, got[i], want[i])
			}
		}
		if err := a.SeekTo(12345); err != nil || a.Position() != 12345 {
			t.Errorf("%s: position %d, %v", c.name, a.Position(), err)
		}
		var one [1]int16
		if _, err := a.Read(one[:]); err != nil || math.Abs(float64(one[0])-float64(want[12345])) > c.tolerance {
			t.Errorf("%s: after seeking %d, want %d (%v)", c.name, one[0], want[12345], err)
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestCreate_AFileOfACrashedWriterIsPlayable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.wav")
	w, err := file.Create(path, 8000, 2)
	if err != nil {
		t.Fatal(err)
	}
	for range 125 { // two and a half seconds in two channels
		if err := w.Write(ramp(320)); err != nil {
			t.Fatal(err)
		}
	}
	// The writer is not closed: the header must hold the first two seconds.
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if size := binary.LittleEndian.Uint32(b[40:]); size < 2*8000*4 {
		t.Errorf("the header says %d bytes", size)
	}
	a, err := file.Open(path, 8000)
	if err != nil || a.Len() < 16000 {
		t.Errorf("%v, %d samples", err, a.Len())
	}
	_ = a.Close()
	_ = w.Close()
}

// TestCreate_TagsStandBeforeTheSound reads a tagged file as if it had none, continues it,
// and finds the tags where their formats have them.
func TestCreate_TagsStandBeforeTheSound(t *testing.T) {
	tags := []media.Tag{{Name: media.TagTitle, Value: "Call of Ann"}, {Name: media.TagComment, Value: strings.Repeat("c", 300)}, {Name: media.TagDate, Value: "2026"}}
	for name, wanted := range map[string][]string{
		"a.wav":  {"INAM\x0c\x00\x00\x00Call of Ann\x00ICMT\x2d\x01\x00\x00ccc", "ICRD\x05\x00\x00\x002026\x00\x00data"},
		"a.opus": {"\x03\x00\x00\x00\x11\x00\x00\x00TITLE=Call of Ann\x34\x01\x00\x00COMMENT=ccc", "DATE=2026"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), name)
			for round := range 2 {
				create := file.Create
				if round > 0 {
					create = file.Append
				}
				w, err := create(path, 8000, 1)
				if err != nil {
					t.Fatal(err)
				}
				if err := w.(media.Tagger).SetTags(tags[:3-round]); err != nil {
					t.Fatal(err)
				}
				if err := w.Write(ramp(8000)); err != nil {
					t.Fatal(err)
				}
				if err := w.(media.Tagger).SetTags(nil); err != nil {
					t.Fatal(err)
				}
				if err := w.Close(); err != nil {
					t.Fatal(err)
				}
			}
			whole, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for _, text := range wanted {
				if !bytes.Contains(whole, []byte(text)) {
					t.Errorf("no %q in %q", text, whole[:600])
				}
			}
			if name == "a.wav" && binary.LittleEndian.Uint32(whole[4:]) != uint32(len(whole)-8) {
				t.Errorf("the header says %d bytes, the file has %d", binary.LittleEndian.Uint32(whole[4:])+8, len(whole))
			}
			a, err := file.Open(path, 8000)
			if err != nil {
				t.Fatal(err)
			}
			defer a.Close()
			if n := len(readAll(t, a)); n < 16000 || n > 16400 {
				t.Errorf("%d samples, want 16000", n)
			}
			w, err := file.Create(path, 8000, 1)
			if err != nil {
				t.Fatal(err)
			}
			if err := w.(media.Tagger).SetTags([]media.Tag{{Name: media.TagTitle, Value: strings.Repeat("x", 9000)}}); err == nil {
				t.Error("a title of 9000 bytes was taken")
			}
			if err := w.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAppend_ContinuesAFile(t *testing.T) {
	for _, name := range []string{"a.wav", "a.raw"} {
		path := filepath.Join(t.TempDir(), name)
		for range 2 {
			w, err := file.Append(path, 8000, 1)
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Write(ramp(4000)); err != nil {
				t.Fatal(err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
		}
		a, err := file.Open(path, 8000)
		if err != nil || a.Len() != 8000 {
			t.Errorf("%s: %v, %d samples", name, err, a.Len())
		}
		_ = a.Close()
	}
	path := filepath.Join(t.TempDir(), "a.wav")
	w, _ := file.Create(path, 8000, 1)
	_ = w.Write(ramp(10))
	_ = w.Close()
	if _, err := file.Append(path, 16000, 1); err == nil {
		t.Error("16000 Hz appended to a file of 8000 Hz")
	}
}

func TestOpen_ErrorsNameThePath(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"missing.wav", "a.xyz", "nul\x00.wav", "."} {
		_, err := file.Open(filepath.Join(dir, name), 8000)
		if err == nil || !strings.Contains(err.Error(), filepath.Base(dir)) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if _, err := file.Open(filepath.Join(dir, "a.xyz"), 8000); !errors.Is(err, file.ErrFormat) {
		t.Errorf("got %v", err)
	}
}

// wave builds a file with the given format, chunks and sound.
func wave(tag, channels, bits uint16, rate uint32, before, sound []byte, size uint32) []byte {
	var b bytes.Buffer
	b.WriteString("RIFF\x00\x00\x00\x00WAVE")
	b.Write(before)
	b.WriteString("fmt \x10\x00\x00\x00")
	for _, v := range []any{tag, channels, rate, rate * uint32(channels*bits/8), channels * bits / 8, bits} {
		_ = binary.Write(&b, binary.LittleEndian, v)
	}
	b.WriteString("data")
	_ = binary.Write(&b, binary.LittleEndian, size)
	b.Write(sound)
	return b.Bytes()
}

func TestWav_ReadsEveryEncodingAndWrongSizes(t *testing.T) {
	f32 := func(v float32) []byte { return binary.LittleEndian.AppendUint32(nil, math.Float32bits(v)) }
	for _, c := range []struct {
		name string
		file []byte
		want []int16
	}{
		{"8 bit", wave(1, 1, 8, 8000, nil, []byte{128, 255, 0}, 3), []int16{0, 127 << 8, -128 << 8}},
		{"16 bit", wave(1, 1, 16, 8000, nil, []byte{1, 2, 0xFF, 0xFF}, 4), []int16{0x201, -1}},
		{"24 bit", wave(1, 1, 24, 44100, nil, []byte{9, 1, 2}, 3), []int16{0x201}},
		{"32 bit", wave(1, 1, 32, 44100, nil, []byte{9, 9, 1, 2}, 4), []int16{0x201}},
		{"float", wave(3, 1, 32, 44100, nil, append(f32(0.5), f32(9)...), 8), []int16{16384, 32767}},
		{"µ-law", wave(7, 1, 8, 8000, nil, []byte{0x80, 0xFF}, 2), []int16{32124, 0}},
		{"A-law", wave(6, 1, 8, 8000, nil, []byte{0xAA}, 1), []int16{32256}},
		{"stereo", wave(1, 2, 16, 8000, nil, []byte{10, 0, 20, 0}, 4), []int16{15}},
		{"size zero", wave(1, 1, 16, 8000, nil, []byte{1, 0, 2, 0}, 0), []int16{1, 2}},
		{"size too large", wave(1, 1, 16, 8000, nil, []byte{1, 0, 2, 0}, 1<<31), []int16{1, 2}},
		{"half a sample", wave(1, 1, 16, 8000, nil, []byte{1, 0, 2}, 3), []int16{1}},
		{"other chunks, odd size", wave(1, 1, 16, 8000, []byte("LIST\x03\x00\x00\x00abc\x00"), []byte{1, 0}, 2), []int16{1}},
	} {
		r, err := wav.NewReader(bytes.NewReader(c.file), c.name)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		got := readAll(t, r)
		if len(got) != len(c.want) {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
			continue
		}
		for i := range got {
			if got[i] != c.want[i] {
				t.Errorf("%s: got %v, want %v", c.name, got, c.want)
			}
		}
	}
}

func TestWav_RefusesWhatItCannotRead(t *testing.T) {
	for name, b := range map[string][]byte{
		"empty":           nil,
		"no RIFF":         []byte("OggS00000000000000000000"),
		"no sound":        wave(1, 1, 16, 8000, nil, nil, 0)[:36],
		"ADPCM":           wave(2, 1, 4, 8000, nil, []byte{1}, 1),
		"no channels":     wave(1, 0, 16, 8000, nil, []byte{1, 0}, 2),
		"rate":            wave(1, 1, 16, 1<<31, nil, []byte{1, 0}, 2),
		"too many chunks": append([]byte("RIFF\x00\x00\x00\x00WAVE"), bytes.Repeat([]byte("LIST\x00\x00\x00\x00"), 1000)...),
	} {
		if _, err := wav.NewReader(bytes.NewReader(b), name); err == nil || !strings.HasPrefix(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestReadAndWrite_DoNotAllocate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.wav")
	w, err := file.Create(path, 8000, 1)
	if err != nil {
		t.Fatal(err)
	}
	frame := ramp(160)
	if a := testing.AllocsPerRun(200, func() { _ = w.Write(frame) }); a != 0 {
		t.Errorf("%v allocations a written frame", a)
	}
	_ = w.Close()
	r, err := file.Open(path, 8000)
	if err != nil {
		t.Fatal(err)
	}
	if a := testing.AllocsPerRun(150, func() { _, _ = r.Read(frame) }); a != 0 {
		t.Errorf("%v allocations a frame read", a)
	}
	_ = r.Close()
}

func FuzzOpenReader(f *testing.F) {
	f.Add(wave(1, 1, 16, 8000, nil, []byte{1, 0, 2, 0}, 4))
	f.Add(wave(1, 2, 24, 44100, []byte("LIST\x03\x00\x00\x00abc\x00"), []byte{1, 0}, 1<<31))
	f.Add(wave(0xFFFE, 1, 16, 8000, nil, []byte{1}, 0xFFFFFFFF))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := file.OpenReader(bytes.NewReader(b), "fuzz.wav", 8000)
		if err != nil {
			return
		}
		if a.Len() < 0 || a.Len() > int64(len(b)) {
			t.Fatalf("length %d of %d bytes", a.Len(), len(b))
		}
		if n := len(readAll(t, a)); int64(n) != a.Len() {
			t.Fatalf("%d samples, Len says %d", n, a.Len())
		}
		if err := a.SeekTo(a.Len() / 2); err != nil {
			t.Fatal(err)
		}
	})
}
