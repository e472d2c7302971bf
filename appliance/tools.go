package appliance

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/switchlet/switchlet/conf"
)

// checkCommand reads a configuration and prints what will not work. Exit status 1
// means that the box would not start with it.
func checkCommand(ctx context.Context, e env, args []string) int {
	dir := ""
	if len(args) > 0 && args[0] != "" && args[0][0] != '-' {
		dir, args = args[0], args[1:]
	}
	o, err := parseOptions("check", args, e.err)
	if err != nil {
		return e.fail(err)
	}
	if dir != "" {
		if _, err := os.Stat(dir); err != nil {
			return e.fail(err)
		}
		if _, err := os.Stat(filepath.Join(dir, "freeswitch.xml")); err == nil {
			o.Conf = dir
		} else {
			o.Data = dir
		}
	}
	scratch, err := os.MkdirTemp("", "switchlet-check")
	if err != nil {
		return e.fail(err)
	}
	defer os.RemoveAll(scratch)
	if o.Conf != "" {
		o.Data = scratch
	}
	b, err := Open(ctx, o)
	if err != nil {
		fmt.Fprintf(e.out, "error: %v\n", err)
		return 1
	}
	defer b.forgetSecrets() // the first start shows those that it makes
	defer b.Stop()
	tree := b.store.Tree()
	list := append(tree.Warnings(), b.acl.Rebuild(ctx)...)
	list = collapse(append(list, conf.Check(tree, b.known())...))
	levels := map[conf.Level]int{}
	for _, w := range list {
		fmt.Fprintln(e.out, w)
		levels[w.Level]++
	}
	fmt.Fprintf(e.out, "works: %s\n", b.works())
	fmt.Fprintf(e.out, "%d errors, %d warnings (not supported, or different here), %d remarks; ", levels[conf.Error], levels[conf.Warn], levels[conf.Info])
	if levels[conf.Error] > 0 {
		fmt.Fprintln(e.out, "the configuration has errors")
		return 1
	}
	fmt.Fprintln(e.out, "the configuration loads")
	return 0
}

// collapse says of each parameter once what holds of it in many places.
func collapse(list []conf.Warning) []conf.Warning {
	first := map[string]int{}
	more := map[int]int{}
	var out []conf.Warning
	for _, w := range list {
		key, _, _ := strings.Cut(w.Text, " (value ")
		if i, ok := first[key]; ok {
			more[i]++
			continue
		}
		first[key] = len(out)
		out = append(out, w)
	}
	for i, n := range more {
		places := "places"
		if n == 1 {
			places = "place"
		}
		out[i].Text += fmt.Sprintf(" (and in %d more %s)", n, places)
	}
	return out
}

// initCommand writes the embedded tree to DATA/conf, or the directory given.
func initCommand(_ context.Context, e env, args []string) int {
	o := Options{}
	var overlays, sets, params list
	f := optionFlags("init", &o, &overlays, &sets, &params, e.err)
	if err := f.Parse(args); err != nil {
		return e.fail(err)
	}
	if err := o.complete(overlays, sets, params); err != nil {
		return e.fail(err)
	}
	target := filepath.Join(o.Data, "conf")
	if f.NArg() > 0 {
		target = f.Arg(0)
	}
	written, err := writeTree(conf.Default(), target)
	if err != nil {
		return e.fail(err)
	}
	fmt.Fprintf(e.out, "%d files written to %s; files that were there are left as they are\n", written, target)
	return 0
}

func writeTree(tree fs.FS, dir string) (int, error) {
	n := 0
	err := fs.WalkDir(tree, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		to := filepath.Join(dir, filepath.FromSlash(path))
		if d.IsDir() {
			return os.MkdirAll(to, 0o750)
		}
		text, err := fs.ReadFile(tree, path)
		if err != nil {
			return err
		}
		out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
		if os.IsExist(err) {
			return nil
		}
		if err != nil {
			return err
		}
		n++
		if _, err := out.Write(text); err != nil {
			out.Close()
			return err
		}
		return out.Close()
	})
	return n, err
}

func secretCommand(_ context.Context, e env, args []string) int {
	o, err := parseOptions("secret", args, e.err)
	if err != nil {
		return e.fail(err)
	}
	d, err := openData(o.Data)
	if err != nil {
		return e.fail(err)
	}
	s, _, err := d.secrets()
	if err != nil {
		return e.fail(err)
	}
	fmt.Fprintf(e.out, "default_password=%s\nevent_socket_password=%s\n", s.DefaultPassword, s.EventSocketPassword)
	return 0
}

// healthURL is where a box with these options tells how it is: what the running
// one wrote down, else the usual port.
func (o Options) healthURL() string {
	port := 8080 + o.PortOffset
	if a, ok := (data{o.Data}).runningAddresses(); ok && a.HTTP != 0 {
		port = a.HTTP
	}
	return fmt.Sprintf("http://127.0.0.1:%d/healthz", port)
}

// healthCommand asks /healthz of a running box.
func healthCommand(ctx context.Context, e env, args []string) int {
	var o Options
	var overlays, sets, params list
	f := optionFlags("health", &o, &overlays, &sets, &params, e.err)
	url := f.String("url", "", "`URL` to ask (default: that of the box that runs in the data directory)")
	if err := f.Parse(args); err != nil {
		return e.fail(err)
	}
	if err := o.complete(overlays, sets, params); err != nil {
		return e.fail(err)
	}
	if *url == "" {
		*url = o.healthURL()
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, *url, nil)
	if err != nil {
		return e.fail(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return e.fail(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 4096))
	if err != nil {
		return e.fail(err)
	}
	fmt.Fprintf(e.out, "%s", text)
	if resp.StatusCode != http.StatusOK {
		return 1
	}
	return 0
}
