package logfile

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/conf"
)

func start(t *testing.T, settings, mappings string) (*call.Log, *Files, string) {
	t.Helper()
	dir := t.TempDir()
	n, err := conf.Parse(fmt.Sprintf(`<configuration><profiles><profile name="p"><settings>%s</settings><mappings>%s</mappings></profile></profiles></configuration>`,
		settings, mappings), "logfile.conf.xml")
	if err != nil {
		t.Fatal(err)
	}
	log := call.NewLog()
	f := New(log, n, dir)
	f.Start()
	return log, f, dir
}

func read(t *testing.T, dir, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return strings.Join(out, " ")
}

func TestFiles_TakeWhatTheirMappingsChoose(t *testing.T) {
	log, f, dir := start(t, "", `<map name="all" value="err,warning"/><map name="sofia.c" value="debug"/>`)
	for _, l := range []call.LogLine{
		{Level: call.LogErr, Text: "one\n"}, {Level: call.LogNotice, Text: "two\n"},
		{Level: call.LogDebug, File: "sofia.c", Text: "three\n", UUID: "u3"}, {Level: call.LogDebug, File: "x.c", Text: "four\n"},
	} {
		l.Channel = call.LogClean
		log.Write(&l)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if got := read(t, dir, "freeswitch.log"); got != "one\nu3 three\n" {
		t.Errorf("file is %q", got)
	}
}

func TestFiles_RollOverAndKeepSome(t *testing.T) {
	log, f, dir := start(t, `<param name="rollover" value="4"/><param name="maximum-rotate" value="2"/>`, "")
	for i := range 4 {
		log.Write(&call.LogLine{Level: call.LogErr, Channel: call.LogClean, Text: fmt.Sprintf("l %d\n", i)})
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if got := names(t, dir); got != "freeswitch.log freeswitch.log.1 freeswitch.log.2" {
		t.Fatalf("files are %s", got)
	}
	if one, two := read(t, dir, "freeswitch.log.1"), read(t, dir, "freeswitch.log.2"); one != "l 3\n" || two != "l 2\n" {
		t.Errorf("kept %q and %q", one, two)
	}
}

func TestFiles_HangupMovesTheFileAside(t *testing.T) {
	log, f, dir := start(t, "", "")
	log.Write(&call.LogLine{Level: call.LogErr, Channel: call.LogClean, Text: "before\n"})
	wait(t, dir, "freeswitch.log", "before\n")
	f.Hangup()
	wait(t, dir, "freeswitch.log.1", "before\n")
	log.Write(&call.LogLine{Level: call.LogErr, Channel: call.LogClean, Text: "after\n"})
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if got := read(t, dir, "freeswitch.log"); got != "after\n" {
		t.Errorf("new file is %q", got)
	}
}

func TestFiles_DirectoryThatCannotBeIsTold(t *testing.T) {
	dir := t.TempDir()
	blocked := filepath.Join(dir, "file")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	n, err := conf.Parse(`<configuration><profiles><profile name="p"><param name="logfile" value="`+blocked+`/x.log"/></profile></profiles></configuration>`, "l")
	if err != nil {
		t.Fatal(err)
	}
	log := call.NewLog()
	follower := log.Follow(call.LogErr, 10)
	defer follower.Close()
	f := New(log, n, dir)
	f.Start()
	defer f.Close()
	select {
	case l := <-follower.Lines():
		if !strings.Contains(l.Text, blocked) {
			t.Errorf("complaint %q does not name the file", l.Text)
		}
	case <-time.After(30 * time.Second):
		t.Error("nothing was said")
	}
}

// wait polls until a file says what is expected.
func wait(t *testing.T, dir, name, want string) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err == nil && string(text) == want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s is %q, %v; want %q", name, text, err, want)
		}
		<-tick.C
	}
}
