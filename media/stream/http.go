package stream

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/switchlet/switchlet/media"
	"github.com/switchlet/switchlet/media/file"
)

// Limits of a download.
const (
	maxDownload = 32 << 20 // bytes
	maxFetch    = 30 * time.Second
)

// openHTTP fetches the whole file before anything is played: reading must not
// wait for a network.
func (o *Opener) openHTTP(ctx context.Context, address string, rate int) (media.Source, error) {
	if o.HTTP == nil {
		return nil, fmt.Errorf("%s: %w: downloads are off", address, ErrScheme)
	}
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("stream: %w", err)
	}
	if u.Host == "" {
		return nil, fmt.Errorf("stream: %s: no host", address)
	}
	if o.CacheDir != "" {
		if err := o.store.load(o.CacheDir); err != nil {
			o.warn("The cache of downloads: %v", err)
		}
	}
	var got download
	kept, fresh := o.store.find(address, time.Now())
	if !fresh {
		got, err = o.fetch(ctx, u, address, kept)
	}
	switch {
	case err != nil && kept == nil:
		return nil, err
	case err != nil:
		o.warn("%v; playing what was fetched before", err)
	case got.body != nil:
		if kept, err = o.store.keep(address, got); err != nil {
			o.warn("The cache of downloads: %v", err)
		}
	case !fresh:
		o.store.renew(kept, got)
	}
	if kept != nil {
		if src, err := o.openKept(kept, rate); err == nil {
			return src, nil
		}
		o.store.forget(kept)
		if got.body == nil { // removed from under us
			if got, err = o.fetch(ctx, u, address, nil); err != nil {
				return nil, err
			}
		}
	}
	src, err := file.OpenReader(bytes.NewReader(got.body), got.name, rate)
	if err != nil {
		return nil, fmt.Errorf("stream: %s: %w", address, err)
	}
	return at(src, rate)
}

// download is the answer to a request for a file.
type download struct {
	body          []byte // nil: what is kept is still good
	name          string // with an extension that says how to read it
	etag, changed string
	expires       time.Time
	secret        bool // the server forbids to keep it
}

// fetch asks for address, only for something newer if kept is not nil.
func (o *Opener) fetch(ctx context.Context, u *url.URL, address string, kept *keptFile) (download, error) {
	ctx, cancel := context.WithTimeout(ctx, maxFetch)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return download{}, fmt.Errorf("stream: %w", err)
	}
	if kept != nil {
		if kept.ETag != "" {
			request.Header.Set("If-None-Match", kept.ETag)
		}
		if kept.Changed != "" {
			request.Header.Set("If-Modified-Since", kept.Changed)
		}
	}
	response, err := o.HTTP.Do(request)
	if err != nil {
		return download{}, fmt.Errorf("stream: %w", err)
	}
	defer response.Body.Close()
	h := response.Header
	d := download{
		etag: h.Get("ETag"), changed: h.Get("Last-Modified"), expires: time.Now().Add(lifetime(h)),
		secret: strings.Contains(strings.ToLower(h.Get("Cache-Control")), "no-store"),
	}
	if response.StatusCode == http.StatusNotModified && kept != nil {
		return d, nil
	}
	if response.StatusCode != http.StatusOK {
		return d, fmt.Errorf("stream: %s: %s", address, response.Status)
	}
	d.name = fileName(u, h.Get("Content-Type"))
	if d.body, err = io.ReadAll(io.LimitReader(response.Body, maxDownload+1)); err != nil {
		return d, fmt.Errorf("stream: %s: %w", address, err)
	}
	if len(d.body) > maxDownload {
		return d, fmt.Errorf("stream: %s: more than %d bytes", address, maxDownload)
	}
	if d.body == nil {
		d.body = []byte{}
	}
	return d, nil
}

// Lifetimes of what is kept: what a server says counts up to a year; without a
// word it is five minutes.
const (
	defaultLifetime = 5 * time.Minute
	maxLifetime     = 365 * 24 * time.Hour
)

// lifetime is for how long an answer may be used without asking again.
func lifetime(h http.Header) time.Duration {
	for _, directive := range strings.Split(strings.ToLower(h.Get("Cache-Control")), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
		switch name {
		case "no-cache", "no-store":
			return 0
		case "max-age":
			return min(time.Duration(min(max(number(value), 0), int(maxLifetime/time.Second)))*time.Second, maxLifetime)
		}
	}
	return defaultLifetime
}

// fileName gives a download the extension by which it is read: that of its address,
// else that of its type; whatever it is called, most servers of prompts mean WAVE.
func fileName(u *url.URL, contentType string) string {
	name := path.Base(u.Path)
	if file.Known(name) {
		return name
	}
	kind, _, _ := mime.ParseMediaType(contentType)
	switch kind {
	case "audio/mpeg", "audio/mp3":
		return name + ".mp3"
	case "audio/basic":
		return name + ".ul"
	case "audio/ogg", "audio/opus", "application/ogg":
		if file.Known("x.ogg") {
			return name + ".ogg"
		}
	}
	return name + ".wav"
}
