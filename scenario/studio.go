package scenario

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/media"
)

// earRate is the rate in Hz at which sounds are compared: that of the
// telephones' codec.
const earRate = 8000

// frame is how many samples of earRate a packet has.
const frame = earRate / 50

// kept is how much of a sound is remembered for comparison, in samples: more
// than any delay on the way to an ear.
const kept = earRate * 3 / 2

// maxTakes bounds the sounds that are watched at once; the oldest are forgotten.
const maxTakes = 256

// take is one sound that the switch or a telephone opened, and what was read of
// it lately.
type take struct {
	uri string // as it was opened, relative to the directory of sounds where it lies there

	mu     sync.Mutex
	past   [kept]int16 // ring at earRate
	total  int64       // samples at earRate that were read
	at     time.Time   // of the last read
	over   bool        // the end was read
	closed bool
	rate   int
	phase  int // position between samples of earRate, in 1/earRate of a source's sample
	sum    int64
	count  int64
}

// read takes note of samples.
func (t *take) read(pcm []int16, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.at = now
	for _, v := range pcm {
		// A box filter is good enough to be recognized by.
		t.sum += int64(v)
		t.count++
		for t.phase += earRate; t.phase >= t.rate; t.phase -= t.rate {
			if t.count > 0 {
				v = int16(t.sum / t.count)
				t.sum, t.count = 0, 0
			}
			t.past[t.total%kept] = v
			t.total++
		}
	}
}

// window copies the n samples that ended lag samples ago as seen at now; false
// if they were not read, or too long ago.
func (t *take) window(now time.Time, lag int64, out []int16) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	end := t.total + int64(now.Sub(t.at))*earRate/int64(time.Second) - lag
	begin := end - int64(len(out))
	if begin < 0 || end > t.total || begin < t.total-kept {
		return false
	}
	for i := range out {
		out[i] = t.past[(begin+int64(i))%kept]
	}
	return true
}

// alive reports whether something of the take may still be on its way at now.
func (t *take) alive(now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.total > 0 && now.Sub(t.at) < time.Second/2
}

// ended reports whether no more will be read, and whether its end was reached.
func (t *take) ended() (closed, complete bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.closed, t.over
}

// Studio opens the sounds of a switch and knows of each what was read of it when,
// so that an ear can tell what it hears. It also keeps what is recorded from
// being written outside of the stage's directory.
type Studio struct {
	call.Sounds
	// dirs are the directories that sounds lie in, taken off their names; the first is
	// that of relative names.
	dirs []string
	// beside is where the file of the scenario lies.
	beside string
	// place says where a recording is really written.
	place func(path string) string

	mu     sync.Mutex
	takes  []*take
	stands map[string]time.Duration // sounds that are made up, by name
}

func newStudio(s call.Sounds) *Studio {
	return &Studio{Sounds: s, stands: map[string]time.Duration{}}
}

// speechScheme begins the names of sounds that stand for speech.
const speechScheme = "speech://"

// letterTime is how long a spoken letter takes.
const letterTime = 60 * time.Millisecond

// Speech is the name of the sound that stands for a spoken text.
func Speech(text string) string { return speechScheme + url.PathEscape(text) }

// Open implements call.Sounds.
func (s *Studio) Open(ctx context.Context, uri string, rate int) (media.Source, error) {
	if long, ok := s.madeUp(uri); ok {
		return s.watch(uri, newMurmur(uri, rate, long)), nil
	}
	if text, ok := strings.CutPrefix(uri, speechScheme); ok {
		text, err := url.PathUnescape(text)
		if err != nil {
			return nil, err
		}
		return s.watch("speech "+strconv.Quote(text), newMurmur(uri, rate, max(time.Duration(len(text)), 5)*letterTime)), nil
	}
	name := uri
	if elsewhere := s.place(uri); elsewhere != uri {
		if _, err := os.Stat(elsewhere); err == nil {
			name = elsewhere
		}
	}
	src, err := s.Sounds.Open(ctx, name, rate)
	if err != nil {
		return nil, err
	}
	return s.watch(uri, src), nil
}

// Create implements call.Sounds.
func (s *Studio) Create(path string, rate, channels int, extend bool) (media.Sink, error) {
	return s.Sounds.Create(s.place(path), rate, channels, extend)
}

// madeUp finds the stand-in for a sound.
func (s *Studio) madeUp(uri string) (time.Duration, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, long := range s.stands {
		if sameSound(name, s.short(uri)) {
			return long, true
		}
	}
	return 0, false
}

// short is a sound's name below the directories of sounds.
func (s *Studio) short(uri string) string {
	if list, ok := strings.CutPrefix(uri, "file_string://"); ok {
		parts := strings.Split(list, "!")
		for i := range parts {
			parts[i] = s.short(parts[i])
		}
		return strings.Join(parts, "!")
	}
	for _, dir := range s.dirs {
		if rest, ok := strings.CutPrefix(uri, dir+string(filepath.Separator)); ok && dir != "" {
			return rest
		}
	}
	return uri
}

// sameSound reports whether a sound is meant by a name of a scenario, which may
// leave out directories in front and the extension, and have * in it. Of a list
// of sounds any may be meant.
func sameSound(name, uri string) bool {
	if name == uri {
		return true
	}
	if strings.Contains(uri, "://") {
		return strings.Contains(name, "*") && wild(name, uri)
	}
	if strings.Contains(uri, "!") {
		for _, one := range strings.Split(uri, "!") {
			if sameSound(name, one) {
				return true
			}
		}
		return false
	}
	for _, candidate := range []string{uri, strings.TrimSuffix(uri, filepath.Ext(uri))} {
		if wild(name, candidate) || strings.HasSuffix(candidate, "/"+name) || strings.Contains(name, "*") && wild("*/"+name, candidate) {
			return true
		}
	}
	return false
}

// wild compares s with a pattern in which * stands for anything.
func wild(pattern, s string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == s
	}
	s, ok := strings.CutPrefix(s, parts[0])
	if !ok {
		return false
	}
	for _, p := range parts[1 : len(parts)-1] {
		i := strings.Index(s, p)
		if i < 0 {
			return false
		}
		s = s[i+len(p):]
	}
	return strings.HasSuffix(s, parts[len(parts)-1])
}

// watch has every Read of a source noted.
func (s *Studio) watch(uri string, src media.Source) media.Source {
	t := &take{uri: s.short(uri), rate: src.Rate()}
	s.mu.Lock()
	if len(s.takes) >= maxTakes {
		s.takes = append(s.takes[:0], s.takes[len(s.takes)-maxTakes/2:]...)
	}
	s.takes = append(s.takes, t)
	s.mu.Unlock()
	w := watched{src: src, take: t}
	seeker, seeks := src.(media.Seeker)
	sized, hasLen := src.(media.Sized)
	switch {
	case seeks && hasLen:
		return struct {
			*watched
			media.Seeker
			media.Sized
		}{&w, seeker, sized}
	case seeks:
		return struct {
			*watched
			media.Seeker
		}{&w, seeker}
	case hasLen:
		return struct {
			*watched
			media.Sized
		}{&w, sized}
	}
	return &w
}

// sounding are the takes that may be heard now, the newest first.
func (s *Studio) sounding(now time.Time, out []*take) []*take {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := len(s.takes) - 1; i >= 0; i-- {
		if s.takes[i].alive(now) {
			out = append(out, s.takes[i])
		}
	}
	return out
}

// watched is a Source whose samples are noted.
type watched struct {
	src  media.Source
	take *take
}

func (w *watched) Rate() int { return w.src.Rate() }

func (w *watched) Read(pcm []int16) (int, error) {
	n, err := w.src.Read(pcm)
	if n > 0 {
		w.take.read(pcm[:n], time.Now())
	}
	if err != nil {
		w.take.mu.Lock()
		w.take.over = true
		w.take.mu.Unlock()
	}
	return n, err
}

func (w *watched) Close() error {
	w.take.mu.Lock()
	w.take.closed = true
	w.take.mu.Unlock()
	return w.src.Close()
}

// murmur is sound that resembles nothing else: noise that swells and falls as
// speech does, another one for each name.
type murmur struct {
	rate  int
	left  int64
	at    int64
	noise *rand.Rand
	last  float64
}

func newMurmur(name string, rate int, long time.Duration) *murmur {
	seed := uint64(14695981039346656037)
	for i := range len(name) {
		seed = (seed ^ uint64(name[i])) * 1099511628211
	}
	return &murmur{rate: rate, left: int64(long) * int64(rate) / int64(time.Second), noise: rand.New(rand.NewPCG(seed, 1))}
}

func (m *murmur) Rate() int    { return m.rate }
func (m *murmur) Close() error { return nil }

// Len implements media.Sized.
func (m *murmur) Len() int64 { return m.left + m.at }

func (m *murmur) Read(pcm []int16) (int, error) {
	if m.left == 0 {
		return 0, errEnd
	}
	n := min(int64(len(pcm)), m.left)
	for i := range n {
		// 4 syllables a second; each sample stays for about 3 kHz of bandwidth.
		syllable := (m.at + i) * 8 / int64(m.rate) % 2
		m.last = 0.6*m.last + 0.4*(m.noise.Float64()-0.5)*24000*(1-0.8*float64(syllable))
		pcm[i] = int16(m.last)
	}
	m.at += n
	m.left -= n
	return int(n), nil
}

// open opens a sound that a telephone makes: a file beside the scenario, else one
// of the switch.
func (s *Studio) open(ctx context.Context, sound Sound, long time.Duration) (media.Source, error) {
	uri := sound.Name
	if sound.Kind == SoundFile && !strings.Contains(uri, "://") && !filepath.IsAbs(uri) {
		if own, err := filepath.Abs(filepath.Join(s.beside, uri)); err == nil {
			if _, err := os.Stat(own); err == nil {
				return s.Open(ctx, own, earRate)
			}
		}
		if len(s.dirs) > 0 {
			uri = filepath.Join(s.dirs[0], uri)
		}
	}
	if sound.Kind == SoundTone {
		if long == 0 {
			long = time.Second
		}
		uri = fmt.Sprintf("tone_stream://%%(%d,0,%s)", long.Milliseconds(), strings.ReplaceAll(sound.Name, "+", ","))
	}
	return s.Open(ctx, uri, earRate)
}
