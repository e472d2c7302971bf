package conf

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// rootFile is where reading begins.
const rootFile = "freeswitch.xml"

// usualDocument is the size in bytes for which there is room from the start, as a
// text that grows is copied again and again. FreeSWITCH's own tree fits into it.
const usualDocument = 640 << 10

// Options say which tree to read and how.
type Options struct {
	// Base is the tree at the bottom, freeswitch.xml at its root: os.DirFS of a
	// directory, or nil for the embedded tree. BaseDir is its path on disk, for
	// messages and for patterns that lead out of it; "" when embedded.
	Base    fs.FS
	BaseDir string
	// Overlays are directories whose files replace or add to those of the tree
	// by relative path; a later one wins. One that does not exist is empty.
	Overlays []string
	// Globals are the variables that are set before the first line is read
	// (base_dir, conf_dir, local_ip_v4, hostname, …).
	Globals []Pair
	// Sets override variables: what the tree itself sets under such a name has
	// no effect.
	Sets []Pair
	// Params replace or add single parameters; see ParseParam.
	Params []Param
	// AllowShell lets X-PRE-PROCESS exec and exec-set run. Without it each
	// leaves a warning.
	AllowShell bool
	// StunLookup asks a STUN server, given as host or host:port, for our public
	// address. It is given a second. nil: stun-set keeps the old value.
	StunLookup func(ctx context.Context, host string) (string, error)
	// Report hears of trouble that arises after loading, when a binding answers
	// wrongly. nil: nobody does.
	Report func(Warning)
}

// ErrRoot is wrapped when the root file cannot be read.
var ErrRoot = errors.New("cannot open the XML root")

// Load reads the tree. The error is or wraps a *ParseError, ErrRoot,
// ErrTooLarge, or what the context or a bad overlay says; it names file and
// line wherever there is one.
func Load(ctx context.Context, opts Options) (*Tree, error) {
	g := NewGlobals(opts.Globals...)
	for _, s := range opts.Sets {
		g.Set(s.Name, s.Value)
	}
	return load(ctx, &opts, g)
}

// load reads the tree on top of the variables in g, which it changes.
func load(ctx context.Context, opts *Options, g *Globals) (*Tree, error) {
	base := opts.Base
	if base == nil {
		base = Default()
	}
	tree, err := newLayers(base, opts.BaseDir, opts.Overlays)
	if err != nil {
		return nil, err
	}
	p := &preprocessor{ctx: ctx, opts: opts, tree: tree, globals: g, pinned: make(map[string]string, len(opts.Sets))}
	for _, s := range opts.Sets {
		p.pinned[strings.ToLower(s.Name)] = s.Value
	}
	p.out.Grow(usualDocument)
	if err := p.file(rootFile, 0); err != nil {
		var pe *fs.PathError
		if errors.As(err, &pe) {
			return nil, fmt.Errorf("conf: %w: %s: %w", ErrRoot, pe.Path, pe.Err)
		}
		return nil, fmt.Errorf("conf: %w", err)
	}
	root, err := parse(p.out.String(), &p.where)
	if err != nil {
		return nil, fmt.Errorf("conf: %w", err)
	}
	t := &Tree{root: root, sets: p.sets, warnings: p.warnings}
	for _, param := range opts.Params {
		if w, ok := t.override(param); !ok {
			t.warnings = append(t.warnings, w)
		}
	}
	t.globals = g.All()
	return t, nil
}
