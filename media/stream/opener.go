// Package stream opens whatever can be played by its name: files, tones, silence,
// shared music, lists, downloads; and makes the files that are recorded.
//
//	welcome.wav, /abs/x.wav, {loops=2}x.wav, x.wav@@8000
//	tone_stream://%(200,100,440);loops=-1   tone_stream://path=/etc/ring.ttml
//	silence_stream://1000,1400              local_stream://moh
//	file_string://one.wav!two.wav           https://host/prompt.wav
//
// An Opener belongs to one switch; it holds where sounds are and the shared
// position of the local streams. Every Source that it gives is mono and has the
// rate that was asked for. Phrases and speech ("phrase:", "say:") are words of
// call/say, which turns them into names of this package.
package stream

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/switchlet/switchlet/media"
	"github.com/switchlet/switchlet/media/resample"
)

// ErrScheme is returned for "x://…" that nothing here plays.
var ErrScheme = errors.New("unknown stream")

// maxURI bounds a name in bytes.
const maxURI = 64 << 10

// Opener opens sources and recordings. The zero value plays absolute paths, tones,
// silence and generated music. Its fields must not change after the first use; it
// is safe for concurrent use and must not be copied.
type Opener struct {
	// SoundDir is where relative names begin.
	SoundDir string
	// RecordDir is where relative names of recordings begin; "" is SoundDir.
	RecordDir string
	// Prompts is laid under SoundDir: what is missing there is looked for here
	// under the same relative name.
	Prompts fs.FS
	// LocalStreams are the directories of local_stream.conf by name, such as "moh",
	// "moh/16000" and "default". StartStream and ReloadStream change them.
	LocalStreams map[string]LocalStream
	// HTTP, if not nil, fetches http:// and https:// names, in at most 30 s and of at
	// most 32 MiB. What it may reach and how often it is sent elsewhere is its own.
	HTTP *http.Client
	// CacheDir, if not "", is where downloads are kept, at most 256 MiB, for as long
	// as their servers say (else five minutes); then the server is asked whether they
	// changed, and if it cannot be asked they are played as they are.
	CacheDir string
	// Warn, if not nil, is told what goes wrong without an error.
	Warn func(format string, args ...any)

	clips   clips
	store   kept
	mu      sync.Mutex // hubs, stopped and, once streams play, LocalStreams
	hubs    map[hubKey]*hub
	stopped map[string]bool
}

func (o *Opener) warn(format string, args ...any) {
	if o.Warn != nil {
		o.Warn(format, args...)
	}
}

// Open returns the sound called uri at rate Hz. The error names what could not be
// opened. ctx bounds downloads only.
func (o *Opener) Open(ctx context.Context, uri string, rate int) (media.Source, error) {
	if rate < 4000 || rate > media.MaxRate {
		return nil, fmt.Errorf("stream: rate %d Hz; must be 4000 to %d", rate, media.MaxRate)
	}
	if len(uri) > maxURI {
		return nil, fmt.Errorf("stream: name of %d bytes; at most %d", len(uri), maxURI)
	}
	params, name := splitParams(uri)
	scheme, rest, isURI := strings.Cut(name, "://")
	if !isURI {
		return o.openFile(name, rate)
	}
	switch strings.ToLower(scheme) {
	case "tone_stream":
		return o.openTone(rest, params, rate)
	case "silence_stream":
		return openSilence(rest, rate), nil
	case "local_stream":
		return o.openLocal(rest, rate)
	case "file_string":
		return o.OpenList(ctx, strings.Split(rest, "!"), rate)
	case "file":
		return o.openFile(rest, rate)
	case "http", "https":
		return o.openHTTP(ctx, name, rate)
	case "http_cache":
		_, address := splitParams(rest)
		return o.openHTTP(ctx, address, rate)
	}
	return nil, fmt.Errorf("stream: %s://: %w", scheme, ErrScheme)
}

// at brings src to rate; a failure closes src.
func at(src media.Source, rate int) (media.Source, error) {
	s, err := resample.NewSource(src, rate)
	if err != nil {
		_ = src.Close()
		return nil, err
	}
	return s, nil
}

// splitParams takes "{a=b,c='d,e'}", or several of them, off the front of uri. Names
// are in lower case.
func splitParams(uri string) (map[string]string, string) {
	var params map[string]string
	for {
		uri = strings.TrimLeft(uri, " ")
		end := strings.IndexByte(uri, '}')
		if !strings.HasPrefix(uri, "{") || end < 0 {
			return params, uri
		}
		if params == nil {
			params = map[string]string{}
		}
		addParams(params, uri[1:end])
		uri = uri[end+1:]
	}
}

func addParams(params map[string]string, group string) {
	quoted := false
	for _, f := range strings.FieldsFunc(group, func(r rune) bool {
		if r == '\'' {
			quoted = !quoted
		}
		return r == ',' && !quoted
	}) {
		k, v, _ := strings.Cut(f, "=")
		params[strings.ToLower(strings.TrimSpace(k))] = strings.Trim(strings.TrimSpace(v), "'")
	}
}

// number reads the integer that s begins with, 0 if there is none.
func number(s string) int {
	s = strings.TrimSpace(s)
	end := 0
	for end < len(s) && (s[end] >= '0' && s[end] <= '9' || end == 0 && s[0] == '-') {
		end++
	}
	n, err := strconv.Atoi(s[:end])
	if err != nil {
		return 0
	}
	return n
}

// Close ends the local streams. Sources that are still open stay usable.
func (o *Opener) Close() error {
	o.mu.Lock()
	hubs := o.hubs
	o.hubs = nil
	o.mu.Unlock()
	var errs []error
	for _, h := range hubs {
		errs = append(errs, h.close())
	}
	return errors.Join(errs...)
}
