package conf

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// maxFile is the largest single file that is read, in bytes.
const maxFile = 16 << 20

// layer is one directory of a tree; dir is its path on disk, "" for the
// embedded tree.
type layer struct {
	files fs.FS
	dir   string
}

// name returns what to call a file of this layer in a message.
func (l layer) name(rel string) string {
	if l.dir == "" {
		return rel
	}
	return filepath.Join(l.dir, filepath.FromSlash(rel))
}

// layers are the base tree and its overlays, bottom first. Paths are relative
// to the root of the tree, with slashes; a path that begins with "/" lies
// outside of every layer and is read from the disk as it is.
type layers []layer

func newLayers(base fs.FS, baseDir string, overlays []string) (layers, error) {
	l := layers{{base, baseDir}}
	for _, dir := range overlays {
		info, err := os.Stat(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("conf: overlay %s: %w", dir, err)
		}
		if !info.IsDir() {
			return nil, fmt.Errorf("conf: overlay %s: not a directory; name the directory that holds the files to replace", dir)
		}
		l = append(l, layer{os.DirFS(dir), dir})
	}
	return l, nil
}

// resolve turns a pattern written in a file of directory dir into a path of the
// tree, or into an absolute one if it leads out of the tree.
func (l layers) resolve(dir, pattern string) string {
	pattern = filepath.ToSlash(pattern)
	if !path.IsAbs(pattern) {
		p := path.Join(dir, pattern)
		if p != ".." && !strings.HasPrefix(p, "../") {
			return p
		}
		if l[0].dir == "" {
			return p
		}
		abs, err := filepath.Abs(l[0].dir)
		if err != nil {
			return p
		}
		return path.Join(filepath.ToSlash(abs), p)
	}
	pattern = path.Clean(pattern)
	for i := len(l) - 1; i >= 0; i-- {
		if l[i].dir == "" {
			continue
		}
		abs, err := filepath.Abs(l[i].dir)
		if err != nil {
			continue
		}
		if rel, ok := strings.CutPrefix(pattern, filepath.ToSlash(abs)+"/"); ok {
			return rel
		}
	}
	return pattern
}

// glob returns the paths that match, over all layers, in byte order. As in a
// shell, a leading dot is only matched by a dot.
func (l layers) glob(pattern string) ([]string, error) {
	pattern = strings.ReplaceAll(pattern, "[!", "[^")
	if _, err := path.Match(pattern, ""); err != nil {
		return nil, err
	}
	var found []string
	if path.IsAbs(pattern) {
		matches, err := filepath.Glob(filepath.FromSlash(pattern))
		if err != nil {
			return nil, err
		}
		for _, m := range matches {
			found = append(found, filepath.ToSlash(m))
		}
	} else if fs.ValidPath(pattern) {
		for _, one := range l {
			matches, err := fs.Glob(one.files, pattern)
			if err != nil {
				return nil, err
			}
			found = append(found, matches...)
		}
	}
	found = slices.DeleteFunc(found, func(p string) bool { return hidden(pattern, p) })
	slices.Sort(found)
	return slices.Compact(found), nil
}

// hidden reports whether an element of p begins with a dot that the pattern
// does not ask for.
func hidden(pattern, p string) bool {
	asked := strings.Split(pattern, "/")
	for i, name := range strings.Split(p, "/") {
		if strings.HasPrefix(name, ".") && (i >= len(asked) || !strings.HasPrefix(asked[i], ".")) {
			return true
		}
	}
	return false
}

// read returns the text of the topmost file of that path, in buf if it fits
// there, and its name for messages. A missing file is fs.ErrNotExist.
func (l layers) read(p string, buf []byte) (text []byte, name string, err error) {
	if path.IsAbs(p) {
		f, err := os.Open(filepath.FromSlash(p))
		if err != nil {
			return buf, p, err
		}
		text, err := readAll(f, buf)
		return text, p, err
	}
	if !fs.ValidPath(p) {
		return buf, p, fmt.Errorf("%s lies outside of the tree: %w", p, fs.ErrNotExist)
	}
	for i := len(l) - 1; i >= 0; i-- {
		f, err := l[i].files.Open(p)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return buf, l[i].name(p), err
		}
		text, err := readAll(f, buf)
		return text, l[i].name(p), err
	}
	return buf, l[0].name(p), fs.ErrNotExist
}

// readAll reads and closes f. A file may grow while it is read, and some give no
// size at all.
func readAll(f fs.File, buf []byte) ([]byte, error) {
	defer f.Close()
	buf = buf[:0]
	info, err := f.Stat()
	if err != nil {
		return buf, err
	}
	if !info.Mode().IsRegular() {
		return buf, errors.New("not a regular file")
	}
	// One byte more, so that the end is met without growing.
	buf = slices.Grow(buf, int(min(max(info.Size(), 0), maxFile))+1)
	for {
		n, err := f.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		switch {
		case len(buf) > maxFile:
			return buf, fmt.Errorf("%w: more than %d bytes", ErrTooLarge, maxFile)
		case err == io.EOF:
			return buf, nil
		case err != nil:
			return buf, err
		}
		buf = slices.Grow(buf, 1)
	}
}
