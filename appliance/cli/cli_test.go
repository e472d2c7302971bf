package cli

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/switchlet/switchlet/esl"
)

// fakeSwitch is an event socket with a few canned answers. It returns its port.
func fakeSwitch(t *testing.T) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go answer(conn)
		}
	}()
	return strconv.Itoa(ln.Addr().(*net.TCPAddr).Port)
}

func answer(conn net.Conn) {
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	fmt.Fprint(conn, "Content-Type: auth/request\n\n")
	r := esl.NewReader(conn, esl.FullLimits)
	reply := func(text string) { fmt.Fprintf(conn, "Content-Type: command/reply\nReply-Text: %s\n\n", text) }
	body := func(text string) {
		fmt.Fprintf(conn, "Content-Type: api/response\nContent-Length: %d\n\n%s", len(text), text)
	}
	for {
		c, err := r.ReadCommand()
		if err != nil {
			return
		}
		switch verb, arg, _ := strings.Cut(c.Line, " "); {
		case c.Line == "auth pw", c.Line == "userauth u@d:pw":
			reply("+OK accepted")
		case verb == "auth":
			reply("-ERR invalid")
			return
		case arg == "status" && c.Headers.Get("console_execute") == "true":
			body("UP 1 year\n")
		case arg == "bye":
			return
		case verb == "api":
			body("-ERR " + arg + " Command not found!\n")
		case verb == "log":
			reply("+OK log level  [7]")
			text := "line \x1b]0;evil\a one\n"
			fmt.Fprintf(conn, "Content-Type: log/data\nContent-Length: %d\nLog-Level: 3\nUser-Data: u-1\n\n%s", len(text), text)
		case c.Line == "event json ALL":
			reply("+OK event listener enabled json")
			text := `{"Event-Name":"TALK","X":"a \"b\"","L":["c","d"],"_body":"e\n"}`
			fmt.Fprintf(conn, "Content-Length: %d\nContent-Type: text/event-json\n\n%s", len(text), text)
		case verb == "event":
			reply("+OK event listener enabled plain")
			text := "Event-Name: TALK\nX: a%20b\n\n"
			fmt.Fprintf(conn, "Content-Length: %d\nContent-Type: text/event-plain\n\n%s", len(text), text)
		default:
			reply("-ERR command not found")
		}
	}
}

func run(t *testing.T, input string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var out, errs bytes.Buffer
	code = Defaults{ConfigFiles: []string{}}.Run(ctx, args, strings.NewReader(input), &out, &errs)
	return code, out.String(), errs.String()
}

func TestRun_OneCommand(t *testing.T) {
	port := fakeSwitch(t)
	for _, c := range []struct {
		command, password, user string
		code                    int
		out                     string
	}{
		{"status", "pw", "", 0, "UP 1 year\n\n"},
		{"status", "pw", "u@d", 0, "UP 1 year\n\n"},
		{"nosuch", "pw", "", 1, "-ERR nosuch Command not found!\n\n"},
		{"bye", "pw", "", 1, ""},
		{"status", "wrong", "", 1, ""},
	} {
		code, out, errs := run(t, "", "-P", port, "-p", c.password, "-u", c.user, "-x", c.command)
		if code != c.code || out != c.out || (out == "") != (errs != "") {
			t.Errorf("%s: %d %q %q", c.command, code, out, errs)
		}
	}
}

func TestRun_NobodyThere(t *testing.T) {
	if code, _, errs := run(t, "", "-P", "1", "-x", "status"); code != 1 || !strings.HasPrefix(errs, "[ERROR]") {
		t.Errorf("%d %q", code, errs)
	}
}

func TestRun_WrongUse(t *testing.T) {
	for _, args := range [][]string{{"-nosuch"}, {"a", "b"}, {"nosuchprofile"}} {
		if code, _, errs := run(t, "", args...); code != 2 || errs == "" {
			t.Errorf("%v: %d %q", args, code, errs)
		}
	}
}

func TestRun_ReadsLines(t *testing.T) {
	port := fakeSwitch(t)
	code, out, errs := run(t, "\nstatus\n/nosuch x\n/noevents\n/help\n/exit\nstatus\n", "-q", "-P", port, "-p", "pw")
	if code != 0 || out != "UP 1 year\nUnknown command [/nosuch x]\n-ERR command not found\n"+help {
		t.Errorf("%d %q %q", code, out, errs)
	}
	if code, _, errs := run(t, "bye\n", "-q", "-P", port, "-p", "pw"); code != 1 || !strings.Contains(errs, "disconnected") {
		t.Errorf("%d %q", code, errs)
	}
}

func TestRun_ShowsLogAndEvents(t *testing.T) {
	port := fakeSwitch(t)
	_, out, _ := run(t, "/event plain ALL\nstatus\nstatus\nbye\n", "-U", "-P", port, "-p", "pw")
	for _, want := range []string{"u-1 line ]0;evil one\n", "RECV EVENT\nEvent-Name: TALK\nX: a b\n\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in %q", want, out)
		}
	}
}

func TestRun_ShowsEventsAsJSON(t *testing.T) {
	_, out, _ := run(t, "/event json ALL\nstatus\nstatus\nbye\n", "-P", fakeSwitch(t), "-p", "pw")
	if want := "RECV EVENT\n{\n\t\"Event-Name\":\t\"TALK\",\n\t\"X\":\t\"a \\\"b\\\"\",\n\t\"L\":\t[\"c\",\"d\"],\n\t\"_body\":\t\"e\\n\"\n}\n"; !strings.Contains(out, want) {
		t.Errorf("%q is not in %q", want, out)
	}
}

func TestRun_ConnectsAgain(t *testing.T) {
	port := fakeSwitch(t)
	code, out, errs := run(t, "bye\nstatus\n/exit\n", "-R", "-q", "-P", port, "-p", "pw")
	if code != 0 || out != "UP 1 year\n" || !strings.Contains(errs, "disconnected") {
		t.Errorf("%d %q %q", code, out, errs)
	}
}

func TestPaint(t *testing.T) {
	s := &session{colours: true}
	if got := s.paint(&esl.LogLine{Level: 4, Text: "w\n"}); got != "\x1b[35mw\x1b[0m\n" {
		t.Errorf("got %q", got)
	}
	s.uuid, s.filter = "u", "x"
	for _, c := range []struct {
		uuid, text string
		want       bool
	}{{"u", "axb", true}, {"u", "ab", false}, {"v", "axb", false}} {
		if got := s.wants(&esl.LogLine{UUID: c.uuid, Text: c.text}); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

func TestSettings_OptionsOverProfileOverDefaults(t *testing.T) {
	file := filepath.Join(t.TempDir(), "conf")
	text := "; comment\n[default]\nhost => 192.0.2.1\npassword=p1\n\n[other]\nport = 9\nkey_F1 => help\nuser => u@d\nloglevel => 4\nquiet => true\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	d := Defaults{Password: "made", ConfigFiles: []string{"/nonexistent", file}}
	for _, c := range []struct {
		args []string
		want profile
	}{
		{nil, profile{host: "192.0.2.1", port: 8021, password: "p1"}},
		{[]string{"-H", "h", "-P", "7", "-p", "x"}, profile{host: "h", port: 7, password: "x"}},
		{[]string{"-l", "debug", "other"}, profile{host: "127.0.0.1", port: 9, password: "made", user: "u@d", logLevel: "debug", quiet: true}},
	} {
		set, err := d.settings(c.args, os.Stderr)
		if err != nil || set.profile != c.want {
			t.Errorf("%v: %+v, %v", c.args, set, err)
		}
	}
}

func TestParseProfiles_SaysWhatIsWrong(t *testing.T) {
	for in, want := range map[string]string{
		"[x\n":            `f:1: section "[x" has no closing bracket`,
		"[x]\n\nnonsense": `f:3: "nonsense" is neither [profile] nor key => value`,
		"[x]\nport => q":  `f:2: port "q" is no number from 1 to 65535`,
	} {
		if _, err := parseProfiles("f", in); err == nil || err.Error() != want {
			t.Errorf("%q: %v", in, err)
		}
	}
}

func TestEndings(t *testing.T) {
	for _, c := range []struct {
		reply, word string
		want        []string
	}{
		{"\n\n[              status]\t[              status]\t\n\nwrite=2:status", "st", []string{"atus "}},
		{"[  show]\t[ shutdown]\t\n\nwrite=2:sh", "sh", []string{"ow", "utdown"}},
		{"\n\nwrite=3:sofia", "sof", []string{"ia"}},
		{"-ERR no reply\n", "x", nil},
		{"", "", nil},
	} {
		if got := endings(c.reply, c.word); !slices.Equal(got, c.want) {
			t.Errorf("%q: %q", c.reply, got)
		}
	}
}

func FuzzEndings(f *testing.F) {
	f.Add("[ status]\t\n\nwrite=2:status", "st")
	f.Fuzz(func(t *testing.T, reply, word string) { endings(reply, word) })
}

func FuzzParseProfiles(f *testing.F) {
	f.Add("[a]\nhost => b\nport=1\n")
	f.Fuzz(func(t *testing.T, text string) { parseProfiles("f", text) })
}
