package stream

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/switchlet/switchlet/media"
	"github.com/switchlet/switchlet/media/file"
)

// Bounds of the cache of downloads.
const (
	maxKept      = 256 << 20 // bytes
	maxKeptFiles = 4096
	maxKeptFacts = 64 << 10 // bytes of one file of facts
	factsSuffix  = ".json"
)

// kept is the cache of downloads: a directory with a file for each address and,
// beside it, its facts as JSON. What was used least recently goes first.
type kept struct {
	mu    sync.Mutex
	dir   string
	files map[string]*keptFile // by address
	size  int64
}

// keptFile are the facts of one download. They do not change once it is in the map:
// what is renewed is replaced.
type keptFile struct {
	Address string    `json:"address"`
	File    string    `json:"file"` // in the directory
	ETag    string    `json:"etag,omitempty"`
	Changed string    `json:"last_modified,omitempty"`
	Expires time.Time `json:"expires"`
	Size    int64     `json:"size"`
	Used    time.Time `json:"used"`
	path    string
}

// load reads what is in dir, once.
func (k *kept) load(dir string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.files != nil {
		return nil
	}
	k.dir, k.files = dir, map[string]*keptFile{}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	names, err := filepath.Glob(filepath.Join(dir, "*"+factsSuffix))
	if err != nil {
		return err
	}
	for _, name := range names {
		if f, ok := readFacts(dir, name); ok && len(k.files) < maxKeptFiles {
			k.files[f.Address] = f
			k.size += f.Size
		} else {
			_ = os.Remove(name)
		}
	}
	return nil
}

// readFacts reads one file of facts, and reports whether they fit the file that they
// are about.
func readFacts(dir, name string) (*keptFile, bool) {
	info, err := os.Stat(name)
	if err != nil || info.Size() > maxKeptFacts {
		return nil, false
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, false
	}
	var f keptFile
	if json.Unmarshal(b, &f) != nil || f.File != filepath.Base(f.File) || !strings.HasPrefix(f.File, keyOf(f.Address)) {
		return nil, false
	}
	f.path = filepath.Join(dir, f.File)
	info, err = os.Stat(f.path)
	return &f, err == nil && info.Size() == f.Size
}

func keyOf(address string) string {
	sum := sha256.Sum256([]byte(address))
	return hex.EncodeToString(sum[:16])
}

// find returns what is kept of address, and whether it need not be asked for.
func (k *kept) find(address string, now time.Time) (f *keptFile, fresh bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	f = k.files[address]
	if f == nil {
		return nil, false
	}
	used := *f
	used.Used = now
	k.files[address] = &used
	return &used, now.Before(used.Expires)
}

// keep writes a download; nil without an error means that it is not to be kept.
func (k *kept) keep(address string, d download) (*keptFile, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	old := k.files[address]
	if k.dir == "" || k.files == nil {
		return nil, nil
	}
	if d.secret {
		k.drop(old)
		return nil, nil
	}
	f := &keptFile{
		Address: address, File: keyOf(address) + strings.ToLower(filepath.Ext(d.name)), ETag: d.etag, Changed: d.changed,
		Expires: d.expires, Size: int64(len(d.body)), Used: time.Now(),
	}
	f.path = filepath.Join(k.dir, f.File)
	if err := replace(f.path, d.body); err != nil {
		return nil, err
	}
	if old != nil {
		k.size -= old.Size
		if old.path != f.path {
			_ = os.Remove(old.path)
		}
	}
	k.files[address] = f
	k.size += f.Size
	k.shrink(f)
	return f, k.write(f)
}

// renew notes that what is kept is still good.
func (k *kept) renew(f *keptFile, d download) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.files[f.Address] == nil {
		return
	}
	renewed := *f
	renewed.Expires = d.expires
	k.files[f.Address] = &renewed
	_ = k.write(&renewed) // without it the server is asked once more
}

func (k *kept) forget(f *keptFile) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.drop(k.files[f.Address])
}

// drop removes a file. Caller holds mu.
func (k *kept) drop(f *keptFile) {
	if f == nil {
		return
	}
	_ = os.Remove(f.path)
	_ = os.Remove(k.factsOf(f))
	delete(k.files, f.Address)
	k.size -= f.Size
}

// shrink drops the least recently used but newest until the bounds are kept.
func (k *kept) shrink(newest *keptFile) {
	for k.size > maxKept || len(k.files) > maxKeptFiles {
		var oldest *keptFile
		for _, f := range k.files {
			if f != newest && (oldest == nil || f.Used.Before(oldest.Used)) {
				oldest = f
			}
		}
		if oldest == nil {
			return
		}
		k.drop(oldest)
	}
}

func (k *kept) factsOf(f *keptFile) string {
	return filepath.Join(k.dir, keyOf(f.Address)+factsSuffix)
}

func (k *kept) write(f *keptFile) error {
	b, err := json.Marshal(f)
	if err != nil {
		return err
	}
	return replace(k.factsOf(f), b)
}

// replace writes a file as a whole: who reads it meanwhile has the old one.
func replace(path string, b []byte) error {
	t, err := os.CreateTemp(filepath.Dir(path), "new-*")
	if err != nil {
		return err
	}
	_, err = t.Write(b)
	if cerr := t.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(t.Name(), path)
	}
	if err != nil {
		_ = os.Remove(t.Name())
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// openKept opens a file of the cache, through what is kept decoded.
func (o *Opener) openKept(f *keptFile, rate int) (media.Source, error) {
	info, err := os.Stat(f.path)
	if err != nil {
		return nil, err
	}
	return o.clips.open(f.path, info, rate, func() (file.Audio, error) { return file.Open(f.path, rate) })
}
