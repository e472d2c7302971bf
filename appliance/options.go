package appliance

import (
	"flag"
	"fmt"
	"io"
	"os"
	"sort"
	"strings"

	"github.com/switchlet/switchlet/conf"
)

// Options say which configuration a box reads and where it keeps its data. The
// zero value is a box in ./switchlet-data with the built-in configuration.
type Options struct {
	Data     string       // data directory
	Conf     string       // a complete configuration tree made for FreeSWITCH, "" for the built-in one
	Overlays []string     // directories whose files replace or add to the tree's
	Sets     []conf.Pair  // global variables, over the tree's own
	Params   []conf.Param // parameters, over the tree's own
	// PortOffset is added to every port, so that several boxes run side by side.
	PortOffset int
	// Print gets what scripts print; nil: the log alone has it.
	Print io.Writer
	// LogLevel is what the console shows: a name or number, "" for console.conf's.
	LogLevel string
}

// list is a flag that may be given several times.
type list []string

func (l *list) String() string     { return strings.Join(*l, " ") }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }

// parseOptions reads flags, then the environment for what was not given.
func parseOptions(name string, args []string, errs io.Writer) (Options, error) {
	var o Options
	var overlays, sets, params list
	fs := optionFlags(name, &o, &overlays, &sets, &params, errs)
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	if fs.NArg() > 0 {
		return o, fmt.Errorf("%s: unexpected argument %q", name, fs.Arg(0))
	}
	return o, o.complete(overlays, sets, params)
}

func optionFlags(name string, o *Options, overlays, sets, params *list, errs io.Writer) *flag.FlagSet {
	fs := flag.NewFlagSet("switchlet "+name, flag.ContinueOnError)
	fs.SetOutput(errs)
	fs.StringVar(&o.Data, "data", "", "data `DIR` (default $SWITCHLET_DATA, $STATE_DIRECTORY or ./switchlet-data)")
	fs.StringVar(&o.Conf, "conf", "", "configuration `DIR` made for FreeSWITCH, as it is (default: built in, or $SWITCHLET_CONF)")
	fs.Var(overlays, "overlay", "`DIR` whose files replace or add to the configuration's (may be repeated)")
	fs.Var(sets, "set", "global variable `NAME=VALUE`, over the configuration's (may be repeated)")
	fs.Var(params, "param", "parameter `FILE/NAME=VALUE`, such as event_socket.conf/listen-port=9021 (may be repeated)")
	fs.IntVar(&o.PortOffset, "port-offset", 0, "add `N` to every port")
	fs.StringVar(&o.LogLevel, "log", "", "`LEVEL` of the log on the console: err, warning, notice, info, debug")
	return fs
}

// complete takes over lists and the environment.
func (o *Options) complete(overlays, sets, params list) error {
	if o.Data == "" {
		o.Data = firstOf(os.Getenv("SWITCHLET_DATA"), os.Getenv("STATE_DIRECTORY"), "switchlet-data")
	}
	if o.Conf == "" {
		o.Conf = os.Getenv("SWITCHLET_CONF")
	}
	o.Overlays = append(o.Overlays, overlays...)
	envSets, envParams := environment(os.Environ())
	for _, s := range append(envSets, sets...) {
		name, value, ok := strings.Cut(s, "=")
		if !ok || name == "" {
			return fmt.Errorf("--set %s: want NAME=VALUE", s)
		}
		o.Sets = append(o.Sets, conf.Pair{Name: name, Value: value})
	}
	for _, s := range append(envParams, params...) {
		p, err := conf.ParseParam(s)
		if err != nil {
			return fmt.Errorf("--param %s: %w", s, err)
		}
		o.Params = append(o.Params, p)
	}
	if o.PortOffset < 0 || o.PortOffset > 30000 {
		return fmt.Errorf("--port-offset %d: want 0 to 30000", o.PortOffset)
	}
	return nil
}

// environment finds SWITCHLET_SET_name=value and SWITCHLET_PARAM_n=FILE/NAME=VALUE.
func environment(vars []string) (sets, params []string) {
	sort.Strings(vars)
	for _, v := range vars {
		if s, ok := strings.CutPrefix(v, "SWITCHLET_SET_"); ok {
			sets = append(sets, s)
		}
		if s, ok := strings.CutPrefix(v, "SWITCHLET_PARAM_"); ok {
			if _, value, ok := strings.Cut(s, "="); ok {
				params = append(params, value)
			}
		}
	}
	return sets, params
}

func firstOf(list ...string) string {
	for _, s := range list {
		if s != "" {
			return s
		}
	}
	return ""
}
