// Package file opens and makes sound files, choosing the format by the file's
// extension as FreeSWITCH does: ".wav"; ".r8", ".r16", ".r24", ".r32" (16-bit PCM at
// that rate); ".raw" (16-bit PCM at the rate asked for); ".ul", ".ulaw", ".PCMU" and
// ".al", ".alaw", ".PCMA" (G.711); ".opus", ".ogg" and ".oga" (Ogg/Opus); ".mp3", which
// is read only. An Ogg/Opus file that is called ".wav" is known by its first bytes.
//
// Sources are mono, at the file's own rate: media/resample brings them to another,
// media/stream does so for paths and URIs. Sinks are made for one rate and a number of
// channels. Nothing here knows of calls or of where files may be.
package file

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/switchlet/switchlet/media"
	"github.com/switchlet/switchlet/media/file/mp3"
	"github.com/switchlet/switchlet/media/file/ogg"
	"github.com/switchlet/switchlet/media/file/raw"
	"github.com/switchlet/switchlet/media/file/wav"
)

// ErrFormat is returned for an extension that no format has.
var ErrFormat = errors.New("unknown file format")

// Audio is an opened sound file.
type Audio interface {
	media.Source
	media.Seeker
	// Len is the length in samples at Rate.
	Len() int64
}

// format is one row of the table of formats.
type format struct {
	extension string
	encoding  raw.Encoding
	rate      int  // Hz; 0 is the rate asked for
	header    bool // a WAVE file
	mp3       bool
	ogg       bool
}

func formats() []format {
	return []format{
		{extension: "wav", header: true}, {extension: "wave", header: true},
		{extension: "raw"}, {extension: "l16"}, {extension: "sln"},
		{extension: "r8", rate: 8000}, {extension: "r16", rate: 16000},
		{extension: "r24", rate: 24000}, {extension: "r32", rate: 32000},
		{extension: "ul", encoding: raw.ULaw, rate: 8000}, {extension: "ulaw", encoding: raw.ULaw, rate: 8000},
		{extension: "pcmu", encoding: raw.ULaw, rate: 8000},
		{extension: "al", encoding: raw.ALaw, rate: 8000}, {extension: "alaw", encoding: raw.ALaw, rate: 8000},
		{extension: "pcma", encoding: raw.ALaw, rate: 8000},
		{extension: "mp3", mp3: true},
		{extension: "opus", ogg: true}, {extension: "ogg", ogg: true}, {extension: "oga", ogg: true},
	}
}

func formatOf(path string) (format, error) {
	extension := strings.ToLower(strings.TrimPrefix(filepath.Ext(path), "."))
	all := formats()
	i := slices.IndexFunc(all, func(f format) bool { return f.extension == extension })
	if i < 0 {
		return format{}, fmt.Errorf("%s: %w %q; known are %s", path, ErrFormat, extension, strings.Join(Extensions(), ", "))
	}
	return all[i], nil
}

// Extensions lists the known extensions, without dots, in lower case.
func Extensions() []string {
	var names []string
	for _, f := range formats() {
		names = append(names, f.extension)
	}
	return names
}

// Known reports whether path has an extension that Open and Create understand.
func Known(path string) bool {
	_, err := formatOf(path)
	return err == nil
}

// Open opens the sound file at path. Files that do not state a rate are taken to
// have rate Hz.
func Open(path string, rate int) (Audio, error) {
	if err := checkPath(path); err != nil {
		return nil, err
	}
	if _, err := formatOf(path); err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err == nil && !info.Mode().IsRegular() {
		_ = f.Close()
		return nil, fmt.Errorf("%s: not a regular file", path)
	}
	a, err := OpenReader(f, path, rate)
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return a, nil
}

// OpenReader is Open for a file that is open already; name gives the extension.
// Closing the result closes r if it is an io.Closer; a failure leaves r open.
func OpenReader(r io.ReadSeeker, name string, rate int) (Audio, error) {
	f, err := formatOf(name)
	if err != nil {
		return nil, err
	}
	if f.ogg || f.header && isOgg(r) {
		a, err := ogg.NewReader(r, name, rate)
		if err != nil {
			return nil, err
		}
		return a, nil
	}
	if f.header {
		a, err := wav.NewReader(r, name)
		if err != nil {
			return nil, err
		}
		return a, nil
	}
	if f.mp3 {
		a, err := mp3.NewReader(r, name)
		if err != nil {
			return nil, err
		}
		return a, nil
	}
	if f.rate != 0 {
		rate = f.rate
	}
	size, err := r.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	a, err := raw.NewReader(r, name, raw.Layout{Encoding: f.encoding, Rate: rate, Channels: 1}, 0, size)
	if err != nil {
		return nil, err
	}
	return a, nil
}

// isOgg reports whether a file begins as an Ogg page does.
func isOgg(r io.ReadSeeker) bool {
	var b [4]byte
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return false
	}
	_, err := io.ReadFull(r, b[:])
	return err == nil && string(b[:]) == "OggS"
}

// Create makes or truncates the file at path for sound of rate Hz and channels.
// A format that has one rate only refuses another.
func Create(path string, rate, channels int) (media.Sink, error) {
	return create(path, rate, channels, false)
}

// Append is Create, but what the file has already stays in it.
func Append(path string, rate, channels int) (media.Sink, error) {
	return create(path, rate, channels, true)
}

func create(path string, rate, channels int, keep bool) (media.Sink, error) {
	if err := checkPath(path); err != nil {
		return nil, err
	}
	f, err := formatOf(path)
	if err != nil {
		return nil, err
	}
	if f.mp3 {
		return nil, fmt.Errorf("%s: MP3 files are read only", path)
	}
	if f.ogg {
		begin := ogg.Create
		if keep {
			begin = ogg.Append
		}
		w, err := begin(path, rate, channels)
		if err != nil {
			return nil, err
		}
		return w, nil
	}
	if f.header {
		begin := wav.Create
		if keep {
			begin = wav.Append
		}
		w, err := begin(path, rate, channels)
		if err != nil {
			return nil, err
		}
		return w, nil
	}
	if f.rate != 0 && f.rate != rate {
		return nil, fmt.Errorf("%s: this format has %d Hz, not %d", path, f.rate, rate)
	}
	flags := os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	if keep {
		flags = os.O_WRONLY | os.O_CREATE | os.O_APPEND
	}
	out, err := os.OpenFile(path, flags, 0o640)
	if err != nil {
		return nil, err
	}
	w, err := raw.NewWriter(out, path, raw.Layout{Encoding: f.encoding, Rate: rate, Channels: channels})
	if err != nil {
		_ = out.Close()
		return nil, err
	}
	return w, nil
}

// checkPath refuses what the operating system would misread.
func checkPath(path string) error {
	if path == "" {
		return errors.New("no file name")
	}
	if strings.IndexByte(path, 0) >= 0 {
		return fmt.Errorf("%q: file name with a NUL byte", path)
	}
	return nil
}
