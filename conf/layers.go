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

// copyBuffer is the most of a file that is read at once, in bytes.
const copyBuffer = 32 << 10

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

// read returns the text of the topmost file of that path and its name for
// messages. A missing file is fs.ErrNotExist.
func (l layers) read(p string) (text, name string, err error) {
	if path.IsAbs(p) {
		f, err := os.Open(filepath.FromSlash(p))
		if err != nil {
			return "", p, err
		}
		text, err := readAll(f)
		return text, p, err
	}
	if !fs.ValidPath(p) {
		return "", p, fmt.Errorf("%s lies outside of the tree: %w", p, fs.ErrNotExist)
	}
	for i := len(l) - 1; i >= 0; i-- {
		f, err := l[i].files.Open(p)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", l[i].name(p), err
		}
		text, err := readAll(f)
		return text, l[i].name(p), err
	}
	return "", l[0].name(p), fs.ErrNotExist
}

func readAll(f fs.File) (string, error) {
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", errors.New("not a regular file")
	}
	var b strings.Builder
	b.Grow(int(min(max(info.Size(), 0), maxFile)))
	// Most files are far shorter than the buffer that Copy would make for each.
	buf := make([]byte, min(max(info.Size(), 0)+1, copyBuffer))
	n, err := io.CopyBuffer(&b, io.LimitReader(f, maxFile+1), buf)
	if err != nil {
		return "", err
	}
	if n > maxFile {
		return "", fmt.Errorf("%w: more than %d bytes", ErrTooLarge, maxFile)
	}
	return b.String(), nil
}
