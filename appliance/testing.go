package appliance

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/regex"
	"github.com/switchlet/switchlet/scenario"
)

// testCommand plays scenarios. Exit status 1 means that one failed.
func testCommand(ctx context.Context, e env, args []string) int {
	var o Options
	var overlays, sets, params list
	f := optionFlags("test", &o, &overlays, &sets, &params, e.err)
	verbose := f.Bool("v", false, "report every scenario, with what happened in it")
	run := f.String("run", "", "play only scenarios whose name matches `REGEX`")
	limit := f.Duration("timeout", 30*time.Second, "how long one scenario may take in real time")
	steps := f.Bool("steps", false, "list the steps that a scenario may have")
	f.Usage = func() {
		fmt.Fprintln(e.err, "usage: switchlet test [FLAGS] [FILE.lua | FILE.scenario | DIRECTORY]...")
		fmt.Fprintln(e.err, "Scenarios of ivr.lua are in ivr.scenario or ivr_test.txt beside it. Without names, those of this directory are played.")
		f.PrintDefaults()
	}
	names, err := parseMixed(f, args)
	if err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	if *steps {
		for _, line := range scenario.Usage() {
			fmt.Fprintln(e.out, line)
		}
		return 0
	}
	if err := o.complete(overlays, sets, params); err != nil {
		return e.fail(err)
	}
	files, err := findScenarios(names)
	if err != nil {
		return e.fail(err)
	}
	player := scenario.Player{Out: e.out, Verbose: *verbose, Limit: *limit, Stuck: func() { os.Exit(1) }}
	player.LogLevel = call.LogWarning
	if level, ok := call.ParseLevel(o.LogLevel); ok {
		player.LogLevel = level
	} else if o.LogLevel != "" {
		return e.fail(fmt.Errorf("--log %s: no level", o.LogLevel))
	}
	if *run != "" {
		if player.Run, err = regexp.Compile(*run); err != nil {
			return e.fail(fmt.Errorf("-run: %w", err))
		}
	}
	regex.KeepRealTime()
	status := 0
	for _, t := range files {
		if ctx.Err() != nil {
			return 1
		}
		if !t.play(player, o, e) {
			status = 1
		}
	}
	if status != 0 {
		fmt.Fprintln(e.out, "FAIL")
	}
	return status
}

// parseMixed reads flags that may stand behind names too.
func parseMixed(f *flag.FlagSet, args []string) (names []string, err error) {
	for {
		if err := f.Parse(args); err != nil {
			return nil, err
		}
		if f.NArg() == 0 {
			return names, nil
		}
		names = append(names, f.Arg(0))
		args = f.Args()[1:]
	}
}

// suite is a file of scenarios and the script that they are about.
type suite struct{ file, script string }

// play plays the scenarios of a file; false says that one failed, or that the file
// cannot be read.
func (t suite) play(player scenario.Player, o Options, e env) bool {
	text, err := os.ReadFile(t.file)
	if err == nil {
		var f *scenario.File
		if f, err = scenario.Parse(t.file, string(text)); err == nil {
			script := t.script
			if f.Script != "" {
				script = f.Script
				if !filepath.IsAbs(script) {
					script = filepath.Join(filepath.Dir(t.file), script)
				}
				_, err = os.Stat(script)
			}
			if err == nil && script != "" {
				script, err = filepath.Abs(script)
			}
			if err == nil {
				player.Open = func(c *scenario.Cast) (*scenario.Stage, error) { return openStage(o, script, c) }
				return player.File(f)
			}
		}
	}
	fmt.Fprintf(e.out, "%v\nFAIL\t%s [no scenario was played]\n", err, t.file)
	return false
}

// Names of files with scenarios.
const (
	scenarioSuffix = ".scenario"
	textSuffix     = "_test.txt"
)

func isScenario(name string) bool {
	return strings.HasSuffix(name, scenarioSuffix) || strings.HasSuffix(name, textSuffix)
}

// findScenarios finds the files for names of scripts, files and directories.
func findScenarios(names []string) ([]suite, error) {
	if len(names) == 0 {
		names = []string{"."}
	}
	var out []suite
	for _, name := range names {
		info, err := os.Stat(name)
		if err != nil {
			return nil, err
		}
		var found []suite
		switch {
		case info.IsDir():
			found, err = below(name)
			if err == nil && len(found) == 0 {
				err = fmt.Errorf("%s: no file *%s or *%s", name, scenarioSuffix, textSuffix)
			}
		case isScenario(name):
			found = []suite{{name, scriptOf(name)}}
		default:
			base := strings.TrimSuffix(name, filepath.Ext(name))
			for _, candidate := range []string{base + scenarioSuffix, base + textSuffix} {
				if _, err := os.Stat(candidate); err == nil {
					found = append(found, suite{candidate, name})
				}
			}
			if len(found) == 0 {
				err = fmt.Errorf("%s: no scenarios; write them to %s%s", name, base, scenarioSuffix)
			}
		}
		if err != nil {
			return nil, err
		}
		for _, t := range found {
			if !slices.Contains(out, t) {
				out = append(out, t)
			}
		}
	}
	return out, nil
}

// below finds the files in a directory and those below it.
func below(dir string) ([]suite, error) {
	var out []suite
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != dir && strings.HasPrefix(d.Name(), ".") {
			return fs.SkipDir
		}
		if !d.IsDir() && isScenario(d.Name()) {
			out = append(out, suite{path, scriptOf(path)})
		}
		return nil
	})
	return out, err
}

// scriptOf is the script beside a file of scenarios, "" if there is none.
func scriptOf(name string) string {
	base := strings.TrimSuffix(strings.TrimSuffix(name, scenarioSuffix), textSuffix)
	if _, err := os.Stat(base + ".lua"); err == nil {
		return base + ".lua"
	}
	return ""
}
