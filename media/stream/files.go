package stream

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/switchlet/switchlet/media"
	"github.com/switchlet/switchlet/media/file"
)

// maxEmbedded bounds a prompt whose file system cannot seek.
const maxEmbedded = 16 << 20

// openFile opens "name" or "name@@offset"; the offset is in samples at rate.
func (o *Opener) openFile(name string, rate int) (media.Source, error) {
	name, offset, hasOffset := strings.Cut(name, "@@")
	s, err := o.openAudio(name, rate)
	if err != nil {
		return nil, err
	}
	if hasOffset {
		if k, ok := s.(media.Seeker); ok {
			if err := k.SeekTo(int64(max(number(offset), 0))); err != nil {
				_ = s.Close()
				return nil, err
			}
		}
	}
	return s, nil
}

// openAudio opens the file that name means for a listener at rate Hz.
func (o *Opener) openAudio(name string, rate int) (media.Source, error) {
	path, err := o.resolve(name, o.SoundDir)
	if err != nil {
		return nil, err
	}
	if !file.Known(path) && filepath.Ext(path) == "" {
		path += ".wav"
	}
	for _, candidate := range byRate(path, rate) {
		info, err := os.Stat(candidate)
		if err != nil || info.IsDir() {
			continue
		}
		return o.clips.open(candidate, info, rate, func() (file.Audio, error) { return file.Open(candidate, rate) })
	}
	s, err := o.openPrompt(path, rate)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
	return s, err
}

// byRate lists where the sound may be, best first: in a sub-directory named by the
// rate asked for, by the other usual rates, and where it was said to be
// (spec: config.md §8).
func byRate(path string, rate int) []string {
	dir, base := filepath.Split(path)
	list := []string{filepath.Join(dir, strconv.Itoa(rate), base)}
	for _, r := range []int{48000, 32000, 16000, 8000} {
		if r != rate {
			list = append(list, filepath.Join(dir, strconv.Itoa(r), base))
		}
	}
	return append(list, path)
}

// openPrompt looks for path in Prompts, if it is below SoundDir.
func (o *Opener) openPrompt(path string, rate int) (media.Source, error) {
	if o.Prompts == nil {
		return nil, fs.ErrNotExist
	}
	relative := path
	if o.SoundDir != "" {
		r, err := filepath.Rel(o.SoundDir, path)
		if err != nil {
			return nil, fs.ErrNotExist
		}
		relative = r
	}
	for _, candidate := range byRate(relative, rate) {
		name := filepath.ToSlash(candidate)
		if !fs.ValidPath(name) {
			continue
		}
		info, err := fs.Stat(o.Prompts, name)
		if err != nil || info.IsDir() {
			continue
		}
		return o.clips.open("prompts:"+name, info, rate, func() (file.Audio, error) { return o.openPromptFile(name, rate) })
	}
	return nil, fs.ErrNotExist
}

func (o *Opener) openPromptFile(name string, rate int) (file.Audio, error) {
	f, err := o.Prompts.Open(name)
	if err != nil {
		return nil, err
	}
	if s, ok := f.(io.ReadSeeker); ok {
		a, err := file.OpenReader(s, name, rate)
		if err != nil {
			_ = f.Close()
		}
		return a, err
	}
	b, err := io.ReadAll(io.LimitReader(f, maxEmbedded))
	_ = f.Close()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return file.OpenReader(bytes.NewReader(b), name, rate)
}

// resolve makes name a clean path below dir, unless it is absolute.
func (o *Opener) resolve(name, dir string) (string, error) {
	if name == "" {
		return "", errors.New("stream: no file name")
	}
	if strings.IndexByte(name, 0) >= 0 {
		return "", fmt.Errorf("stream: %q: file name with a NUL byte", name)
	}
	if !filepath.IsAbs(name) {
		name = filepath.Join(dir, name)
	}
	return filepath.Clean(name), nil
}

// Create makes the recording called path, and the directories that it needs, for
// sound of rate Hz and channels. A name without extension becomes a ".wav".
func (o *Opener) Create(path string, rate, channels int) (media.Sink, error) {
	return o.record(path, rate, channels, file.Create)
}

// Append is Create, but continues a recording that exists (RECORD_APPEND).
func (o *Opener) Append(path string, rate, channels int) (media.Sink, error) {
	return o.record(path, rate, channels, file.Append)
}

func (o *Opener) record(name string, rate, channels int, create func(string, int, int) (media.Sink, error)) (media.Sink, error) {
	_, name = splitParams(name)
	if scheme, _, isURI := strings.Cut(name, "://"); isURI {
		return nil, fmt.Errorf("stream: %s://: %w for a recording", scheme, ErrScheme)
	}
	dir := o.RecordDir
	if dir == "" {
		dir = o.SoundDir
	}
	path, err := o.resolve(name, dir)
	if err != nil {
		return nil, err
	}
	if filepath.Ext(path) == "" {
		path += ".wav"
	}
	if !file.Known(path) {
		return nil, fmt.Errorf("%s: %w; known are %s", path, file.ErrFormat, strings.Join(file.Extensions(), ", "))
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, err
	}
	return create(path, rate, channels)
}
