package interop

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/switchlet/switchlet/test/box"
	"github.com/switchlet/switchlet/test/ports"
)

// sipp is one run of SIPp with a scenario of the directory sipp.
type sipp struct {
	Scenario string
	User     string // who calls or registers, 1000 if empty
	Password string // the box's if empty
	Number   string
	Calls    int // 1 if zero
	Rate     int // calls a second
	Talk     time.Duration
	RTP      int // port for sound, one that is free if zero
	Port     int // of SIP, one that is free if zero
	TCP      bool
	To       int           // the profile's port before the offset, box.SIP if zero
	IP       string        // where SIPp is, 127.0.0.1 if empty
	Limit    time.Duration // for all calls, 30 s if zero
}

// running is a SIPp that was started.
type running struct {
	cmd      *exec.Cmd
	scenario string
	port     int
	messages string
	errors   string
	output   strings.Builder
	ended    chan struct{} // closed when SIPp has
	err      error         // what it ended with
}

// start starts SIPp towards a box.
func (s sipp) start(t *testing.T, b *box.Box) *running {
	t.Helper()
	path := program(t, "sipp", "sip-tester")
	dir := t.TempDir()
	r := &running{scenario: s.Scenario, port: s.Port, messages: filepath.Join(dir, "messages"),
		errors: filepath.Join(dir, "errors"), ended: make(chan struct{})}
	if r.port == 0 {
		r.port = ports.Free(t)
	}
	if s.RTP == 0 {
		s.RTP = ports.Free(t)
	}
	user, password := "1000", b.Password
	if s.User != "" {
		user = s.User
	}
	if s.Password != "" {
		password = s.Password
	}
	limit := 30 * time.Second
	if s.Limit > 0 {
		limit = s.Limit
	}
	if s.To == 0 {
		s.To = box.SIP
	}
	if s.IP == "" {
		s.IP = "127.0.0.1"
	}
	args := []string{b.Addr(s.To), "-sf", "sipp/" + s.Scenario + ".xml", "-i", s.IP,
		"-p", strconv.Itoa(r.port), "-cp", strconv.Itoa(ports.Free(t)), "-nostdin",
		"-m", strconv.Itoa(max(1, s.Calls)), "-l", strconv.Itoa(max(1, s.Calls)),
		"-d", strconv.Itoa(int(s.Talk.Milliseconds())),
		"-timeout", strconv.Itoa(int(limit.Seconds())) + "s", "-timeout_error",
		"-trace_err", "-error_file", r.errors,
		"-key", "user", user, "-key", "rtp_port", strconv.Itoa(s.RTP), "-s", s.Number, "-au", user, "-ap", password}
	if s.Calls <= 5 {
		args = append(args, "-trace_msg", "-message_file", r.messages)
	}
	if s.Rate > 0 {
		args = append(args, "-r", strconv.Itoa(s.Rate))
	}
	if s.TCP {
		args = append(args, "-t", "t1")
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit+10*time.Second)
	r.cmd = exec.CommandContext(ctx, path, args...)
	r.cmd.Env = append(os.Environ(), "TERM=dumb")
	r.cmd.Stdout, r.cmd.Stderr = &r.output, &r.output
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer cancel()
		r.err = r.cmd.Wait()
		close(r.ended)
	}()
	t.Cleanup(func() {
		r.cmd.Process.Kill()
		<-r.ended
		if t.Failed() {
			r.tell(t)
		}
	})
	// A call to a port that nobody has open yet would fail at once.
	box.Eventually(t, patience, "SIPp has its port", func() bool {
		select {
		case <-r.ended:
			return true
		default:
			return opened(t, r.port)
		}
	})
	return r
}

// wait waits for the end and fails the test if a call did not go as the scenario
// says.
func (r *running) wait(t *testing.T) {
	t.Helper()
	<-r.ended
	if r.err != nil {
		t.Errorf("SIPp, scenario %s: %v", r.scenario, r.err)
	}
}

// tell prints what SIPp has seen.
func (r *running) tell(t *testing.T) {
	t.Helper()
	dump(t, r.errors)
	dump(t, r.messages)
	if info, err := os.Stat(r.messages); err != nil || info.Size() == 0 {
		t.Logf("SIPp said\n%s", r.output.String())
	}
}

// run runs SIPp to its end.
func (s sipp) run(t *testing.T, b *box.Box) {
	t.Helper()
	s.start(t, b).wait(t)
}

// count is how many messages of a kind SIPp sent or received, by the start of their
// first line.
func (r *running) count(t *testing.T, first string) int {
	t.Helper()
	text, err := os.ReadFile(r.messages)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, first) {
			n++
		}
	}
	return n
}

// different is count without what came once more, because the answer to it took its
// time: the same message of the same transaction.
func (r *running) different(t *testing.T, first string) int {
	t.Helper()
	text, err := os.ReadFile(r.messages)
	if err != nil {
		t.Fatal(err)
	}
	seen, within := map[string]bool{}, false
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, first) {
			within = true
		} else if _, branch, found := strings.Cut(line, "branch="); within && found {
			branch, _, _ = strings.Cut(strings.TrimSpace(branch), ";")
			seen[branch] = true
			within = false
		}
	}
	return len(seen)
}

// header is the first line of the messages that begins so.
func (r *running) header(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(r.messages)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, name); ok {
			return strings.TrimSpace(value)
		}
	}
	t.Errorf("no %s was sent", name)
	return ""
}
