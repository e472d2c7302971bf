package stream

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/switchlet/switchlet/media"
	"github.com/switchlet/switchlet/media/file"
)

// LocalStream is one <directory> of local_stream.conf.
type LocalStream struct {
	// Path is a directory of sound files, or a file that lists some, a line each.
	Path    string
	Shuffle bool
	Volume  int // dB, -50 to 50
	// AutoVolume is the score (media.Energy) to which louder and softer files are brought
	// by and by; Volume has no effect then. Below AutoLow that begins at once. 0 is off;
	// both are at most MaxAutoVolume.
	AutoVolume, AutoLow int
	// Chimes are files that are played in turn between the music, every so often, each
	// for at most ChimeMax (0: to its end).
	Chimes     []string
	ChimeEvery time.Duration
	ChimeMax   time.Duration
}

// MaxAutoVolume is the highest score that AutoVolume and AutoLow can be.
const MaxAutoVolume = 20000

// openLocal joins the stream called name. It tries name/RATE, name, default/RATE and
// default; where nothing is configured, or nothing can be read, it plays music
// that the box makes itself.
func (o *Opener) openLocal(name string, rate int) (media.Source, error) {
	name, _, _ = strings.Cut(name, "?")
	o.mu.Lock()
	defer o.mu.Unlock()
	key, conf, found := o.findLocal(name, rate)
	if !found && name != "" && len(o.LocalStreams) > 0 {
		o.warn("Unknown source %s, trying 'default'", name)
		key, conf, found = o.findLocal("default", rate)
	}
	k := hubKey{key, rate}
	h := o.hubs[k]
	if h == nil {
		h = &hub{rate: rate, warn: o.warn}
		h.configure(o, conf, found)
		if o.hubs == nil {
			o.hubs = map[hubKey]*hub{}
		}
		o.hubs[k] = h
	}
	return h.join(), nil
}

// findLocal returns the stream that name means at a rate, if it runs. Caller holds
// o.mu.
func (o *Opener) findLocal(name string, rate int) (string, LocalStream, bool) {
	for _, n := range []string{name + "/" + strconv.Itoa(rate), name} {
		if c, ok := o.LocalStreams[n]; ok && !o.stopped[n] {
			return n, c, true
		}
	}
	return "", LocalStream{}, false
}

// openMusic is endless. What goes wrong is told to note.
func openMusic(conf LocalStream, found bool, rate int, note func(string)) media.Source {
	if !found {
		return newMusic(rate)
	}
	p := &playlist{note: note, conf: conf, rate: rate}
	if err := p.advance(); err != nil {
		note(fmt.Sprintf("local stream %s: %v; playing generated music", conf.Path, err))
		return newMusic(rate)
	}
	return p
}

// playlist plays the files of a LocalStream for ever, without gaps.
type playlist struct {
	note    func(string)
	conf    LocalStream
	rate    int
	files   []string
	next    int
	current media.Source
}

// maxFiles bounds a directory or list.
const maxFiles = 10000

// load reads the names anew, so that each round has what is there now.
func (p *playlist) load() error {
	p.files, p.next = nil, 0
	info, err := os.Stat(p.conf.Path)
	if err != nil {
		return err
	}
	if info.IsDir() {
		entries, err := os.ReadDir(p.conf.Path)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if !e.IsDir() && file.Known(e.Name()) && len(p.files) < maxFiles {
				p.files = append(p.files, filepath.Join(p.conf.Path, e.Name()))
			}
		}
		slices.Sort(p.files)
	} else if err := p.loadList(); err != nil {
		return err
	}
	if len(p.files) == 0 {
		return fmt.Errorf("%s: no sound files", p.conf.Path)
	}
	if p.conf.Shuffle {
		rand.Shuffle(len(p.files), func(i, j int) { p.files[i], p.files[j] = p.files[j], p.files[i] })
	}
	return nil
}

func (p *playlist) loadList() error {
	f, err := os.Open(p.conf.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 1<<20))
	if err != nil {
		return fmt.Errorf("%s: %w", p.conf.Path, err)
	}
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") || len(p.files) == maxFiles {
			continue
		}
		if !filepath.IsAbs(line) {
			line = filepath.Join(filepath.Dir(p.conf.Path), line)
		}
		p.files = append(p.files, line)
	}
	return nil
}

// skip ends the file that is playing.
func (p *playlist) skip() {
	if p.current != nil {
		_ = p.current.Close()
		p.current = nil
	}
}

// advance opens the next file that can be, for at most one round.
func (p *playlist) advance() error {
	if p.next >= len(p.files) {
		if err := p.load(); err != nil {
			return err
		}
	}
	var last error
	for tries := len(p.files); tries > 0; tries-- {
		if p.next >= len(p.files) {
			p.next = 0
		}
		name := p.files[p.next]
		p.next++
		a, err := file.Open(name, p.rate)
		if err == nil && a.Len() == 0 {
			_ = a.Close()
			err = fmt.Errorf("%s: no sound", name)
		}
		if err == nil {
			p.current, err = at(a, p.rate)
		}
		if err == nil {
			return nil
		}
		p.note(fmt.Sprintf("local stream: can't open %v", err))
		last = err
	}
	return last
}

func (p *playlist) Rate() int { return p.rate }

func (p *playlist) Read(pcm []int16) (int, error) {
	n := 0
	for n < len(pcm) {
		if p.current == nil {
			if err := p.advance(); err != nil {
				return n, err
			}
		}
		m, err := p.current.Read(pcm[n:])
		n += m
		if err != nil || m == 0 {
			if err != nil && !errors.Is(err, io.EOF) {
				p.note(fmt.Sprintf("local stream: %v", err))
			}
			_ = p.current.Close()
			p.current = nil
		}
	}
	return n, nil
}

func (p *playlist) Close() error {
	if p.current == nil {
		return nil
	}
	return p.current.Close()
}
