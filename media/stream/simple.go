package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"

	"github.com/switchlet/switchlet/media"
	"github.com/switchlet/switchlet/media/tone"
)

// openTone plays a tone description, or with "path=" those in a file.
func (o *Opener) openTone(spec string, params map[string]string, rate int) (media.Source, error) {
	program, err := o.parseTone(spec)
	if program == nil {
		return nil, err
	}
	if err != nil {
		if errors.Is(err, tone.ErrEmpty) {
			return nil, fmt.Errorf("tone_stream://%s: %w", spec, err)
		}
		o.warn("tone_stream://%s: %v", spec, err) // what came before the mistake is played
	}
	if loops, ok := params["loops"]; ok {
		program.SetLoops(number(loops))
	}
	return program.Source(rate)
}

func (o *Opener) parseTone(spec string) (*tone.Program, error) {
	if len(spec) < 5 || !strings.EqualFold(spec[:5], "path=") {
		return tone.Parse(spec)
	}
	name, loops, hasLoops := strings.Cut(spec[5:], ";loops=")
	p, err := o.resolve(name, o.SoundDir)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(p)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, tone.MaxSpec+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p, err)
	}
	program, err := tone.ParseLines(string(b))
	if program != nil && hasLoops {
		program.SetLoops(number(loops))
	}
	return program, err
}

// silence is "ms[,noise]": zero ms is for ever, noise divides full-scale noise.
type silence struct {
	rate    int
	left    int64 // samples; -1 for ever
	divisor int   // 0 is true silence
	random  rand.PCG
}

func openSilence(spec string, rate int) media.Source {
	ms, noise, _ := strings.Cut(spec, ",")
	s := &silence{rate: rate, left: -1, divisor: max(number(noise), 0)}
	if n := number(ms); n > 0 {
		s.left = int64(n) * int64(rate) / 1000
	}
	s.random = *rand.NewPCG(uint64(rate), 0x5E11)
	return s
}

func (s *silence) Rate() int    { return s.rate }
func (s *silence) Close() error { return nil }

func (s *silence) Read(pcm []int16) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	if s.left > 0 {
		pcm = pcm[:min(int64(len(pcm)), s.left)]
		s.left -= int64(len(pcm))
	}
	if s.divisor == 0 {
		clear(pcm)
		return len(pcm), nil
	}
	for i := range pcm {
		pcm[i] = int16(int(int16(s.random.Uint64())) / s.divisor)
	}
	return len(pcm), nil
}

// maxList is how many entries a list may have.
const maxList = 256

// list plays one name after the other, without a gap.
type list struct {
	opener  *Opener
	rate    int
	names   []string
	opened  []media.Source // what had to be fetched beforehand, by index; may be nil
	next    int
	current media.Source
}

// OpenList plays names one after the other (playback_delimiter, file_string://).
// Names that cannot be opened are reported to Warn and skipped; if the first to be
// had is none at all, the error is theirs.
func (o *Opener) OpenList(ctx context.Context, names []string, rate int) (media.Source, error) {
	l := &list{opener: o, rate: rate}
	for _, n := range names {
		if n = strings.TrimSpace(n); n != "" {
			l.names = append(l.names, n)
		}
	}
	if len(l.names) == 0 {
		return nil, errors.New("stream: an empty list")
	}
	if len(l.names) > maxList {
		return nil, fmt.Errorf("stream: a list of %d names; at most %d", len(l.names), maxList)
	}
	l.opened = make([]media.Source, len(l.names))
	var errs []error
	for i, n := range l.names {
		_, bare := splitParams(n)
		if !strings.HasPrefix(bare, "http://") && !strings.HasPrefix(bare, "https://") {
			continue
		}
		src, err := o.Open(ctx, n, rate)
		if err != nil {
			o.warn("Can't open file %s: %v", n, err)
			errs = append(errs, err)
			l.names[i] = ""
			continue
		}
		l.opened[i] = src
	}
	if err := l.advance(); err != nil {
		_ = l.Close()
		return nil, errors.Join(append(errs, err)...)
	}
	return l, nil
}

var errListEnd = errors.New("stream: nothing left to play")

// advance opens the next name that can be; the error is of those that cannot.
func (l *list) advance() error {
	var errs []error
	for l.next < len(l.names) {
		i := l.next
		l.next++
		if l.opened[i] != nil {
			l.current, l.opened[i] = l.opened[i], nil
			return nil
		}
		if l.names[i] == "" {
			continue
		}
		if strings.HasPrefix(l.names[i], "file_string://") {
			errs = append(errs, fmt.Errorf("%s: a list in a list", l.names[i]))
			continue
		}
		src, err := l.opener.Open(context.Background(), l.names[i], l.rate)
		if err == nil {
			l.current = src
			return nil
		}
		l.opener.warn("Can't open file %s: %v", l.names[i], err)
		errs = append(errs, err)
	}
	if len(errs) == 0 {
		return errListEnd
	}
	return errors.Join(errs...)
}

func (l *list) Rate() int { return l.rate }

func (l *list) Read(pcm []int16) (int, error) {
	n := 0
	for n < len(pcm) {
		if l.current == nil {
			if l.advance() != nil {
				break
			}
		}
		m, err := l.current.Read(pcm[n:])
		n += m
		if err == nil && m > 0 {
			continue
		}
		if err != nil && !errors.Is(err, io.EOF) {
			l.opener.warn("%s: %v", l.names[l.next-1], err)
		}
		_ = l.current.Close()
		l.current = nil
	}
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

func (l *list) Close() error {
	for i, s := range l.opened {
		if s != nil {
			_ = s.Close()
			l.opened[i] = nil
		}
	}
	l.next = len(l.names)
	if l.current == nil {
		return nil
	}
	err := l.current.Close()
	l.current = nil
	return err
}
