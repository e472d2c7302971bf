package speech

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Bounds of what is kept.
const (
	maxKept      = 64 << 20 // bytes
	maxKeptFiles = 2000
)

// kept is a directory of speech. What was used least recently goes first. The
// texts stand nowhere in it: a name is a digest.
type kept struct {
	dir string

	mu     sync.Mutex
	files  map[string]*keptFile // by key
	size   int64
	making map[string]chan struct{} // closed when a key was made, or was not
	made   int                      // for names of files that are being made
}

type keptFile struct {
	path string
	size int64
	used time.Time
}

// partial begins the names of files that are being made.
const partial = "new-"

// load lists the directory, once.
func (k *kept) load() error {
	if k.files != nil {
		return nil
	}
	if err := os.MkdirAll(k.dir, 0o750); err != nil {
		return err
	}
	list, err := os.ReadDir(k.dir)
	if err != nil {
		return err
	}
	k.files, k.making = map[string]*keptFile{}, map[string]chan struct{}{}
	for _, e := range list {
		path := filepath.Join(k.dir, e.Name())
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		if strings.HasPrefix(e.Name(), partial) {
			_ = os.Remove(path) // from a run that was cut off
			continue
		}
		key := strings.TrimSuffix(e.Name(), filepath.Ext(e.Name()))
		k.files[key] = &keptFile{path, info.Size(), info.ModTime()}
		k.size += info.Size()
	}
	k.shrink()
	return nil
}

// shrink forgets what was used least recently until the rest is within the bounds.
func (k *kept) shrink() {
	for len(k.files) > 1 && (k.size > maxKept || len(k.files) > maxKeptFiles) {
		oldest := ""
		for key, f := range k.files {
			if oldest == "" || f.used.Before(k.files[oldest].used) {
				oldest = key
			}
		}
		k.forget(oldest)
	}
}

func (k *kept) forget(key string) {
	f := k.files[key]
	delete(k.files, key)
	k.size -= f.size
	_ = os.Remove(f.path)
}

// get returns the file of a key; maker makes it under a name of its own if it is not
// there. Of several who want the same at once, one makes it.
func (k *kept) get(ctx context.Context, key string, maker func(ctx context.Context, base string) (string, error)) (string, error) {
	for {
		k.mu.Lock()
		if err := k.load(); err != nil {
			k.mu.Unlock()
			return "", err
		}
		if f := k.files[key]; f != nil {
			if _, err := os.Stat(f.path); err == nil {
				f.used = time.Now()
				k.mu.Unlock()
				return f.path, nil
			}
			k.forget(key)
		}
		if other := k.making[key]; other != nil {
			k.mu.Unlock()
			select {
			case <-other:
				continue
			case <-ctx.Done():
				return "", context.Cause(ctx)
			}
		}
		return k.produce(ctx, key, maker)
	}
}

// produce makes the file of a key. It is called with the lock, and unlocks.
func (k *kept) produce(ctx context.Context, key string, maker func(ctx context.Context, base string) (string, error)) (string, error) {
	k.made++
	base := filepath.Join(k.dir, partial+key+"-"+strconv.Itoa(k.made))
	over := make(chan struct{})
	k.making[key] = over
	k.mu.Unlock()
	path, err := maker(ctx, base)
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.making, key)
	close(over)
	if err != nil || path == "" {
		return "", err
	}
	final := filepath.Join(k.dir, key+filepath.Ext(path))
	if err := os.Rename(path, final); err != nil {
		_ = os.Remove(path)
		return "", err
	}
	info, err := os.Stat(final)
	if err != nil {
		return "", err
	}
	k.files[key] = &keptFile{final, info.Size(), time.Now()}
	k.size += info.Size()
	k.shrink()
	return final, nil
}
