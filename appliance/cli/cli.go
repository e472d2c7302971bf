// Package cli is the console of a running switch: "switchlet cli". It connects to
// the event socket, runs what is typed as the switch's own console would, follows
// the log in colours, completes commands with the tab key, and keeps a history.
//
// Options, profiles (~/.fs_cli_conf) and the commands that begin with a slash are
// those of FreeSWITCH's fs_cli. Without a terminal it reads commands line by
// line, and with -x it runs one and ends.
//
// It knows a switch only through the client package esl.
package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/switchlet/switchlet/esl"
)

// Exit codes of Run.
const (
	exitOK     = 0
	exitFailed = 1 // -x: the reply began with -ERR; or no connection
	exitUsage  = 2
)

// Defaults are what holds without options and without a profile. The zero value
// is 127.0.0.1, port 8021, password ClueCon.
type Defaults struct {
	Host     string
	Port     int
	Password string
	// ConfigFiles are looked through for profiles, the first that exists counts;
	// nil is ~/.fs_cli_conf and /etc/fs_cli.conf.
	ConfigFiles []string
	// Box finds the switch that runs in a data directory, for -data.
	Box func(dir string) (Box, error)
}

// Box is where a running switch listens for its console.
type Box struct {
	Host     string
	Port     int
	Password string
}

// Run is the sub-command: args are without its name. It returns the exit code of
// the process: with -x CMD 1 when the reply begins with -ERR. ctx ends it.
func Run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	return Defaults{}.Run(ctx, args, stdin, stdout, stderr)
}

// settings are what is in force.
type settings struct {
	profile
	command   string // -x
	retry     bool   // -r
	reconnect bool   // -R
	noHistory bool   // -Q
	noColour  bool
	timeout   time.Duration // -t: of one command with -x
}

// Run is the function Run with other defaults.
func (d Defaults) Run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	set, err := d.settings(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitOK
	case err != nil:
		fmt.Fprintf(stderr, "switchlet cli: %v\n", err)
		return exitUsage
	}
	c, err := connect(ctx, set, stderr)
	if err != nil {
		fmt.Fprintf(stderr, "[ERROR] %v\n", err)
		return exitFailed
	}
	if set.command != "" {
		defer c.Close()
		return runOnce(ctx, c, set, stdout, stderr)
	}
	k, err := d.newConsole(ctx, set, stdin, stdout)
	if err != nil {
		c.Close()
		fmt.Fprintf(stderr, "[ERROR] %v\n", err)
		return exitFailed
	}
	defer k.stop()
	for k.serve(ctx, c, set) {
		fmt.Fprintln(stderr, "[WARNING] disconnected")
		if !set.reconnect {
			return exitFailed
		}
		set.retry = true
		if c, err = connect(ctx, set, stderr); err != nil {
			fmt.Fprintf(stderr, "[ERROR] %v\n", err)
			return exitFailed
		}
	}
	return exitOK
}

// settings reads options and the profile that they name.
func (d Defaults) settings(args []string, stderr io.Writer) (*settings, error) {
	fs := flag.NewFlagSet("switchlet cli", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.Usage = func() {
		fmt.Fprint(stderr, "Usage: switchlet cli [options] [profile]\n\n")
		fs.PrintDefaults()
	}
	set := &settings{}
	var given profile
	fs.StringVar(&given.host, "H", "", "host of the switch (127.0.0.1)")
	fs.IntVar(&given.port, "P", 0, "port of the event socket (8021)")
	fs.StringVar(&given.user, "u", "", "`user@domain` of the directory")
	fs.StringVar(&given.password, "p", "", "password")
	fs.StringVar(&given.logLevel, "l", "", "log `level` to follow (debug)")
	fs.BoolVar(&given.quiet, "q", false, "do not follow the log")
	fs.BoolVar(&given.logUUID, "U", false, "show the call's UUID before log lines")
	fs.StringVar(&set.command, "x", "", "run one `command` and end")
	fs.BoolVar(&set.retry, "r", false, "try to connect until it works")
	fs.BoolVar(&set.reconnect, "R", false, "connect again when the connection ends")
	fs.BoolVar(&set.noHistory, "Q", false, "keep no history")
	fs.BoolVar(&set.noColour, "no-color", false, "no colours")
	dir := fs.String("data", "", "data `DIR` of a switch on this machine, as given to run ($SWITCHLET_DATA, $STATE_DIRECTORY or ./switchlet-data)")
	milliseconds := fs.Int("t", 0, "with -x: give up after so many `milliseconds`")
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	set.timeout = time.Duration(*milliseconds) * time.Millisecond
	name := fs.Arg(0)
	if fs.NArg() > 1 {
		return nil, fmt.Errorf("more than one profile: %s", strings.Join(fs.Args(), " "))
	}
	set.profile = profile{host: d.Host, port: d.Port, password: d.Password}
	found, err := d.profile(name)
	if err != nil {
		return nil, err
	}
	set.profile.overlay(found)
	if *dir != "" {
		if d.Box == nil {
			return nil, fmt.Errorf("-data %s: nobody knows about boxes here", *dir)
		}
		b, err := d.Box(*dir)
		if err != nil {
			return nil, err
		}
		set.profile.overlay(profile{host: b.Host, port: b.Port, password: b.Password})
	}
	set.profile.overlay(given)
	set.profile.complete()
	return set, nil
}

// profile finds the named profile, or "default" which need not exist.
func (d Defaults) profile(name string) (profile, error) {
	files := d.ConfigFiles
	if files == nil {
		if home, err := os.UserHomeDir(); err == nil {
			files = append(files, filepath.Join(home, ".fs_cli_conf"))
		}
		files = append(files, "/etc/fs_cli.conf")
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return profile{}, err
		}
		all, err := parseProfiles(file, string(text))
		if err != nil {
			return profile{}, err
		}
		if p, ok := all[name]; ok {
			return p, nil
		}
		if name != "" {
			return profile{}, fmt.Errorf("no profile [%s] in %s", name, file)
		}
		return all["default"], nil
	}
	if name != "" {
		return profile{}, fmt.Errorf("no profile [%s]: there is none of %s", name, strings.Join(files, ", "))
	}
	return profile{}, nil
}

// retryPause is the time between tries to connect.
const retryPause = time.Second

// connect dials, with -r until it works.
func connect(ctx context.Context, set *settings, stderr io.Writer) (*esl.Conn, error) {
	o := esl.Options{Password: set.password}
	o.User, o.Domain, _ = strings.Cut(set.user, "@")
	addr := net.JoinHostPort(set.host, strconv.Itoa(set.port))
	for {
		c, err := o.Connect(ctx, addr)
		if err == nil || !set.retry || ctx.Err() != nil || errors.Is(err, esl.ErrRefused) {
			return c, err
		}
		fmt.Fprintf(stderr, "[INFO] %v, retrying\n", err)
		t := time.NewTimer(retryPause)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return nil, context.Cause(ctx)
		}
	}
}

// runOnce is -x.
func runOnce(ctx context.Context, c *esl.Conn, set *settings, stdout, stderr io.Writer) int {
	if set.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, set.timeout)
		defer cancel()
	}
	out, err := c.Console(ctx, set.command)
	if err != nil {
		fmt.Fprintf(stderr, "Error: %v!\n", err)
		return exitFailed
	}
	fmt.Fprintf(stdout, "%s\n", out)
	if strings.HasPrefix(out, "-ERR") {
		return exitFailed
	}
	return exitOK
}
