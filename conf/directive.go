package conf

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"time"
)

const (
	// commandTime bounds the shell command of an exec directive.
	commandTime = 10 * time.Second
	// commandOutput bounds what such a command may print, in bytes.
	commandOutput = 1 << 20
	// stunTime bounds one look-up of an address, so that starting never hangs
	// on a network that is not there.
	stunTime = time.Second
)

var errOutput = errors.New("the command printed too much")

type stunAnswer struct {
	address string
	err     error
}

// tag runs an <X-PRE-PROCESS cmd="…" data="…"/>. Only double quotes count, and
// cmd must come before data; a tag of another form is ignored.
func (p *preprocessor) tag(src *source, text string) error {
	cmd, text, ok := quoted(text, "cmd")
	if !ok {
		return nil
	}
	data, _, ok := quoted(text, "data")
	if !ok {
		return nil
	}
	return p.run(src, strings.ToLower(cmd), data)
}

// quoted finds name, =, and a text in double quotes, in that order.
func quoted(s, name string) (value, rest string, ok bool) {
	i := indexFold(s, name)
	if i < 0 {
		return "", "", false
	}
	_, s, ok = strings.Cut(s[i+len(name):], "=")
	if !ok {
		return "", "", false
	}
	if _, s, ok = strings.Cut(s, `"`); !ok {
		return "", "", false
	}
	return strings.Cut(s, `"`)
}

// oldStyle runs the inside of a <!--#cmd arg-->.
func (p *preprocessor) oldStyle(src *source, text string) error {
	cmd, arg, _ := strings.Cut(text, " ")
	arg = strings.TrimSpace(arg)
	if inner, ok := strings.CutPrefix(arg, `"`); ok {
		arg, _, _ = strings.Cut(inner, `"`)
	}
	switch cmd {
	case "set", "exec-set", "stun-set", "include", "exec":
		return p.run(src, cmd, arg)
	}
	return nil
}

func (p *preprocessor) run(src *source, cmd, data string) error {
	switch cmd {
	case "set":
		if name, value, ok := assignment(data); ok {
			p.set(src, name, strings.ReplaceAll(value, "${", "%{"))
		} else {
			p.warn(src, Warn, "set needs name=value, not %q; ignored", data)
		}
	case "include":
		return p.include(src, data)
	case "exec":
		p.exec(src, data)
		return p.bounded(src)
	case "exec-set":
		p.execSet(src, data)
	case "env-set":
		if name, env, ok := strings.Cut(data, "=$"); ok {
			if value, ok := os.LookupEnv(env); ok {
				p.set(src, name, value)
			}
		}
	case "stun-set":
		p.stunSet(src, data)
	default:
		p.warn(src, Warn, "unknown cmd %q; the line is ignored (set, include, exec, exec-set, env-set and stun-set are known)", cmd)
	}
	return nil
}

// assignment splits name=value at the first equals sign and drops the spaces
// directly around it.
func assignment(data string) (name, value string, ok bool) {
	name, value, ok = strings.Cut(data, "=")
	return strings.TrimRight(name, " "), strings.TrimLeft(value, " "), ok
}

// set gives a global variable a value, unless the caller has pinned it.
func (p *preprocessor) set(src *source, name, value string) {
	if v, ok := p.pinned[strings.ToLower(name)]; ok {
		value = v
	}
	p.globals.Set(name, value)
	p.sets = append(p.sets, assigned{Pair{name, value}, src.name, src.line})
}

func (p *preprocessor) include(src *source, pattern string) error {
	if src.depth >= maxDepth {
		p.warn(src, Error, "Error including %s (Maximum recursion limit reached)", pattern)
		return nil
	}
	files, err := p.tree.glob(p.tree.resolve(src.dir, pattern))
	if err != nil {
		p.warn(src, Error, "Error including %s: %v", pattern, err)
		return nil
	}
	if len(files) == 0 {
		p.warn(src, Info, "No files to include at %s", pattern)
		return nil
	}
	for _, f := range files {
		err := p.file(f, src.depth+1)
		var pe *fs.PathError
		switch {
		case err == nil:
		case errors.Is(err, ErrTooLarge), p.ctx.Err() != nil:
			return err
		case errors.As(err, &pe):
			p.warn(src, Error, "Couldn't open %s (%v)", f, pathCause(err))
		default:
			return err
		}
	}
	return nil
}

// exec puts what a shell command prints into the document.
func (p *preprocessor) exec(src *source, command string) {
	out, err := p.shell(src, command)
	if err != nil {
		p.warn(src, Error, "Error while executing command: %s: %v", command, err)
		return
	}
	p.emit(src, out)
}

// execSet gives a variable what a shell command prints.
func (p *preprocessor) execSet(src *source, data string) {
	name, command, ok := assignment(data)
	if !ok {
		return
	}
	out, err := p.shell(src, command)
	if err != nil {
		p.warn(src, Error, "Error while executing command: %s: %v", command, err)
		return
	}
	if out = strings.TrimRight(out, " \r\n"); out != "" {
		p.set(src, name, out)
	}
}

var errShell = errors.New("shell commands are not allowed; start with allow_shell=true to run it")

func (p *preprocessor) shell(src *source, command string) (string, error) {
	if !p.opts.AllowShell {
		return "", errShell
	}
	ctx, cancel := context.WithTimeout(p.ctx, commandTime)
	defer cancel()
	var out limitedBuffer
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", command)
	cmd.Stdout = &out
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	if out.full {
		return "", errOutput
	}
	if err != nil {
		return "", err
	}
	return out.String(), nil
}

// limitedBuffer takes up to commandOutput bytes and then fails the writer.
type limitedBuffer struct {
	bytes.Buffer
	full bool
}

func (b *limitedBuffer) Write(data []byte) (int, error) {
	if b.Len()+len(data) > commandOutput {
		b.full = true
		return 0, io.ErrShortWrite
	}
	return b.Buffer.Write(data)
}

// stunSet gives a variable the address that a STUN server or a name answers
// with; on failure the variable keeps its value.
func (p *preprocessor) stunSet(src *source, data string) {
	name, target, ok := assignment(data)
	if !ok {
		return
	}
	if _, pinned := p.pinned[strings.ToLower(name)]; pinned {
		p.set(src, name, "")
		return
	}
	answer, asked := p.stun[target]
	if !asked {
		answer.address, answer.err = p.address(target)
		if p.stun == nil {
			p.stun = make(map[string]stunAnswer)
		}
		p.stun[target] = answer
	}
	if answer.err != nil {
		p.warn(src, Warn, "stun-set failed: %s: %v; %s keeps its value", target, answer.err, name)
		return
	}
	p.set(src, name, answer.address)
}

var (
	errNoStun   = errors.New("no STUN client here")
	errNotFound = errors.New("the name has no address")
)

func (p *preprocessor) address(target string) (string, error) {
	ctx, cancel := context.WithTimeout(p.ctx, stunTime)
	defer cancel()
	if host, ok := strings.CutPrefix(target, "stun:"); ok {
		if p.opts.StunLookup == nil {
			return "", errNoStun
		}
		return p.opts.StunLookup(ctx, host)
	}
	if host, ok := strings.CutPrefix(target, "host:"); ok {
		addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip4", host)
		if err != nil {
			return "", err
		}
		if len(addrs) == 0 {
			return "", errNotFound
		}
		return addrs[0].Unmap().String(), nil
	}
	if ip, err := netip.ParseAddr(target); err == nil {
		return ip.String(), nil
	}
	return "", fmt.Errorf("%q is neither stun:HOST, host:NAME nor an address", target)
}
