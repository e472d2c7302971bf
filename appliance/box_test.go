package appliance_test

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/switchlet/switchlet/appliance"
	"github.com/switchlet/switchlet/conf"
	"github.com/switchlet/switchlet/esl"
	"github.com/switchlet/switchlet/test/box"
)

// patience bounds every wait of a test.
const patience = 40 * time.Second

func TestBox_StartsAnswersAndLeavesNothing(t *testing.T) {
	before := runtime.NumGoroutine()
	t.Run("box", func(t *testing.T) {
		b := box.Start(t, box.Setup{})
		c := b.ESL(t)
		if got := b.API(t, c, "status"); !strings.Contains(got, "is ready") {
			t.Errorf("status says %q", got)
		}
		resp, err := http.Get("http://" + b.Addr(box.HTTP) + "/healthz")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		http.DefaultClient.CloseIdleConnections()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("health: %s", resp.Status)
		}
		out := b.API(t, c, "originate null/x &park()")
		if !strings.HasPrefix(out, "+OK ") {
			t.Fatalf("originate: %q", out)
		}
	})
	box.Eventually(t, patience, "all goroutines of the box ended", func() bool {
		return runtime.NumGoroutine() <= before
	})
}

func TestSecrets_AreMadeOnceAndKept(t *testing.T) {
	dir := t.TempDir()
	first, err := appliance.Open(t.Context(), appliance.Options{Data: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Stop(); err != nil {
		t.Fatal(err)
	}
	second, err := appliance.Open(t.Context(), appliance.Options{Data: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Stop(); err != nil {
		t.Fatal(err)
	}
	if !first.Fresh || second.Fresh {
		t.Errorf("fresh: first %v, second %v; want true, false", first.Fresh, second.Fresh)
	}
	if first.Secrets != second.Secrets {
		t.Error("the second start has other secrets")
	}
	if len(first.Secrets.DefaultPassword) < 10 || first.Secrets.DefaultPassword == "1234" {
		t.Errorf("default password %q is weak", first.Secrets.DefaultPassword)
	}
	info, err := os.Stat(filepath.Join(dir, "secrets.json"))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("secrets.json has mode %v, want 0600", info.Mode().Perm())
	}
}

func TestOpen_TellsWhatIsWrongWithTheTree(t *testing.T) {
	dir := t.TempDir()
	_, err := appliance.Open(t.Context(), appliance.Options{Data: t.TempDir(), Conf: dir})
	if err == nil || !strings.Contains(err.Error(), "freeswitch.xml") {
		t.Errorf("an empty tree gives %v, want an error that names freeswitch.xml", err)
	}
	file := filepath.Join(dir, "freeswitch.xml")
	if err := os.WriteFile(file, []byte("<document>\n<section name=\"a\">\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = appliance.Open(t.Context(), appliance.Options{Data: t.TempDir(), Conf: dir})
	if err == nil || !strings.Contains(err.Error(), "freeswitch.xml") {
		t.Errorf("a tree cut in half gives %v, want an error that names the file", err)
	}
}

func TestBox_WritesCallHistory(t *testing.T) {
	b := box.Start(t, box.Setup{})
	c := b.ESL(t)
	if out := b.API(t, c, "originate {accountcode=77,origination_caller_id_number=4711}null/x &hangup(USER_BUSY)"); !strings.HasPrefix(out, "+OK ") {
		t.Fatalf("originate: %q", out)
	}
	for _, name := range []string{"Master.csv", "77.csv"} {
		file := filepath.Join(b.Data, "log", "cdr-csv", name)
		box.Eventually(t, patience, name+" is written", func() bool {
			text, err := os.ReadFile(file)
			return err == nil && strings.Contains(string(text), `"USER_BUSY"`) && strings.HasSuffix(string(text), "\n")
		})
	}
	if out := b.API(t, c, "cdr_csv rotate"); out != "+OK" {
		t.Errorf("cdr_csv rotate: %q", out)
	}
	if _, err := os.Stat(filepath.Join(b.Data, "log", "cdr-csv", "Master.csv")); !os.IsNotExist(err) {
		t.Errorf("after the rotation: %v, want no Master.csv", err)
	}
	db, err := sql.Open("sqlite", "file:"+filepath.Join(b.Data, "db", "core.db")+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	box.Eventually(t, patience, "the row is in core.db", func() bool {
		var cause, account string
		err := db.QueryRow("SELECT hangup_cause, accountcode FROM cdr").Scan(&cause, &account)
		return err == nil && cause == "USER_BUSY" && account == "77"
	})
	page, status := get(t, "http://"+b.Addr(box.HTTP)+"/metrics", nil)
	if status != http.StatusOK {
		t.Fatalf("metrics: status %d: %s", status, page)
	}
	for _, want := range []string{`switchlet_legs_ended_total{direction="outbound",cause="USER_BUSY"} 1`, "switchlet_legs_total 1\n",
		`switchlet_esl_clients{direction="inbound",authenticated="true"} 1`, "switchlet_esl_lost_events_total 0\n", "process_resident_memory_bytes "} {
		if !strings.Contains(page, want) {
			t.Errorf("metrics have no %q:\n%s", want, page)
		}
	}
}

func TestSecrets_OfAStartThatFailedAreNotKept(t *testing.T) {
	dir, offset := t.TempDir(), box.FreeOffset(t)
	taken, err := net.Listen("tcp", ":"+strconv.Itoa(8080+offset))
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	var out, errs strings.Builder
	if status := appliance.Main([]string{"--data", dir, "--port-offset", strconv.Itoa(offset)}, nil, &out, &errs); status != 1 || !strings.Contains(errs.String(), "another program has port") {
		t.Fatalf("status %d: %s", status, errs.String())
	}
	b, err := appliance.Open(t.Context(), appliance.Options{Data: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Stop()
	if !b.Fresh {
		t.Error("the next start will not show the secrets, which nobody has seen")
	}
}

// One clear error, and nothing stays open or is tried for ever.
func TestRun_APortIsTaken(t *testing.T) {
	for _, tt := range []struct {
		network string
		port    int
		want    []string
	}{
		{"udp4", box.SIP, []string{"cannot listen on UDP", "sip-port"}},
		{"tcp4", box.HTTPS, []string{"another program has port", "https_port"}},
		{"tcp4", box.VertoWSS, []string{"verto"}},
	} {
		offset := box.FreeOffset(t)
		at := ":" + strconv.Itoa(tt.port+offset)
		var taken io.Closer
		var err error
		if tt.network == "udp4" {
			taken, err = net.ListenPacket(tt.network, at)
		} else {
			taken, err = net.Listen(tt.network, at)
		}
		if err != nil {
			t.Fatal(err)
		}
		defer taken.Close()
		before := runtime.NumGoroutine()
		var out, errs strings.Builder
		status := appliance.Main([]string{"--data", t.TempDir(), "--port-offset", strconv.Itoa(offset)}, nil, &out, &errs)
		text := errs.String()
		if status != 1 || strings.Count(text, "\n") != 1 || slices.ContainsFunc(tt.want, func(want string) bool { return !strings.Contains(text, want) }) {
			t.Errorf("port %d: status %d: %s", tt.port, status, text)
		}
		box.Eventually(t, patience, "nothing is left", func() bool { return runtime.NumGoroutine() <= before+1 }) // one is of package os/signal
	}
}

func TestRun_TwiceInADirectory(t *testing.T) {
	b := box.Start(t, box.Setup{})
	var out, errs strings.Builder
	if status := appliance.Main([]string{"--data", b.Data, "--port-offset", strconv.Itoa(b.Offset)}, nil, &out, &errs); status != 1 {
		t.Fatalf("status %d: %s", status, errs.String())
	}
	if status := appliance.Main([]string{"cli", "-data", b.Data, "-x", "status"}, nil, &out, &errs); status != 0 || !strings.Contains(out.String(), "is ready") {
		t.Errorf("the box that runs is not found any more: status %d: %s", status, errs.String())
	}
}

func TestBox_TellsOfEventsThatSlowClientsLost(t *testing.T) {
	b := box.Start(t, box.Setup{Params: []conf.Param{{File: "event_socket.conf", Name: "event-queue-size", Value: "5"}}})
	c := b.ESL(t)
	if out := b.API(t, c, "status"); strings.Contains(out, "lost") {
		t.Errorf("status before: %s", out)
	}
	slow, err := net.Dial("tcp", b.Addr(box.EventSocket))
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	if _, err := fmt.Fprintf(slow, "auth %s\n\nevent plain CUSTOM pad::pad\n\n", b.Secrets.EventSocketPassword); err != nil {
		t.Fatal(err)
	}
	e := &esl.Event{Headers: esl.Headers{{Name: "Event-Name", Value: "CUSTOM"}, {Name: "Event-Subclass", Value: "pad::pad"}}, Body: strings.Repeat("x", 60000)}
	box.Eventually(t, patience, "status tells of lost events", func() bool {
		for range 50 {
			if _, err := c.SendEvent(t.Context(), e); err != nil {
				t.Fatal(err)
			}
		}
		return strings.Contains(b.API(t, c, "status"), " event(s) lost by slow event socket clients\n")
	})
	if page, _ := get(t, "http://"+b.Addr(box.HTTP)+"/metrics", nil); strings.Contains(page, "switchlet_esl_lost_events_total 0\n") {
		t.Error("/metrics counts none")
	}
}

func TestMetrics_AreForThisMachineOrTheToken(t *testing.T) {
	b := box.Start(t, box.Setup{Sets: map[string]string{"metrics_token": "letmein"}})
	for _, c := range []struct {
		name   string
		header http.Header
		status int
	}{
		{"this machine", nil, http.StatusOK},
		{"a proxy on this machine", http.Header{"X-Forwarded-For": {"192.0.2.1"}}, http.StatusForbidden},
		{"the token through a proxy", http.Header{"X-Forwarded-For": {"192.0.2.1"}, "Authorization": {"Bearer letmein"}}, http.StatusOK},
		{"a wrong token through a proxy", http.Header{"X-Forwarded-For": {"192.0.2.1"}, "Authorization": {"Bearer x"}}, http.StatusForbidden},
	} {
		if _, status := get(t, "http://"+b.Addr(box.HTTP)+"/metrics", c.header); status != c.status {
			t.Errorf("%s: status %d, want %d", c.name, status, c.status)
		}
	}
}

func TestSIPRequestsPerAddress_BoundWhatOneSourceIsAnswered(t *testing.T) {
	b := box.Start(t, box.Setup{Sets: map[string]string{"sip_requests_per_address": "1"}})
	c, err := net.Dial("udp", b.Addr(box.SIP))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	local, began := c.LocalAddr().String(), time.Now()
	for i := range 20 {
		n := strconv.Itoa(i)
		if _, err := io.WriteString(c, "OPTIONS sip:"+b.Addr(box.SIP)+" SIP/2.0\r\nVia: SIP/2.0/UDP "+local+";branch=z9hG4bK"+n+"\r\nMax-Forwards: 70\r\n"+
			"From: <sip:a@"+local+">;tag="+n+"\r\nTo: <sip:"+b.Addr(box.SIP)+">\r\nCall-ID: "+n+"\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
	}
	answers := map[string]bool{}
	buf := make([]byte, 2048)
	for wait := patience; ; wait = 400 * time.Millisecond { // after the first
		if err := c.SetReadDeadline(time.Now().Add(wait)); err != nil {
			t.Fatal(err)
		}
		n, err := c.Read(buf)
		if err != nil {
			break
		}
		for _, line := range strings.Split(string(buf[:n]), "\r\n") {
			if id, ok := strings.CutPrefix(line, "Call-ID: "); ok {
				answers[id] = true
			}
		}
	}
	// Each second that passes allows one more.
	if most := 4 + int(time.Since(began).Seconds()); len(answers) < 1 || len(answers) > most {
		t.Errorf("%d of 20 requests at once were answered, want the two of the burst, and no more than %d", len(answers), most)
	}
}

func get(t *testing.T, url string, header http.Header) (string, int) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range header {
		req.Header[k] = v
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text), resp.StatusCode
}

func TestBox_WritesItsLogAndBeginsAnewOnHangup(t *testing.T) {
	b := box.Start(t, box.Setup{})
	c := b.ESL(t)
	log := filepath.Join(b.Data, "log", "freeswitch.log")
	b.API(t, c, "log warning first words")
	contains := func(file, text string) func() bool {
		return func() bool {
			got, err := os.ReadFile(file)
			return err == nil && strings.Contains(string(got), text)
		}
	}
	box.Eventually(t, patience, "the line is in the file", contains(log, "first words"))
	b.Hangup()
	box.Eventually(t, patience, "the file is moved aside", contains(log+".1", "first words"))
	b.API(t, c, "log warning second words")
	box.Eventually(t, patience, "the next line is in a new file", contains(log, "second words"))
}

func TestBox_OwnTreeFromOutsideIsMovedOnce(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, conf.Default()); err != nil {
		t.Fatal(err)
	}
	b := box.Start(t, box.Setup{Conf: dir, Sets: map[string]string{"default_password": "long-enough", "event_socket_password": "good-one"}})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := esl.Dial(ctx, b.Addr(box.EventSocket), "good-one")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got := b.API(t, c, "sofia status profile internal"); !strings.Contains(got, ":"+strconv.Itoa(box.SIP+b.Offset)) {
		t.Errorf("profile internal is not at port %d:\n%s", box.SIP+b.Offset, got)
	}
	for _, port := range []int{box.VertoWS, box.HTTP} {
		conn, err := net.Dial("tcp", b.Addr(port))
		if err != nil {
			t.Errorf("port %d and the offset: %v", port, err)
			continue
		}
		conn.Close()
	}
}

func TestBox_TreeWithNumbersIsMoved(t *testing.T) {
	b := box.Start(t, box.Setup{Files: nil, Conf: numbersTree(t)})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := esl.Dial(ctx, b.Addr(box.EventSocket), "good-one")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got := b.API(t, c, "sofia status profile internal"); !strings.Contains(got, ":"+strconv.Itoa(box.SIP+b.Offset)) {
		t.Errorf("profile internal is not at port %d:\n%s", box.SIP+b.Offset, got)
	}
	conn, err := net.Dial("tcp", b.Addr(box.VertoWS))
	if err != nil {
		t.Fatalf("verto: %v", err)
	}
	conn.Close()
}

// numbersTree is a small tree whose ports are written as numbers.
func numbersTree(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	text := `<document type="freeswitch/xml"><section name="configuration">
<configuration name="event_socket.conf"><settings><param name="listen-port" value="8021"/><param name="password" value="good-one"/></settings></configuration>
<configuration name="sofia.conf"><profiles><profile name="internal"><settings>
<param name="sip-ip" value="127.0.0.1"/><param name="sip-port" value="5060"/></settings></profile></profiles></configuration>
<configuration name="verto.conf"><profiles><profile name="default">
<param name="bind-local" value="127.0.0.1:8081"/><param name="userauth" value="true"/></profile></profiles></configuration>
</section></document>`
	if err := os.WriteFile(filepath.Join(dir, "freeswitch.xml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestHealth_FindsTheRunningBox(t *testing.T) {
	b := box.Start(t, box.Setup{})
	var out, errs strings.Builder
	if status := appliance.Main([]string{"health", "--data", b.Data}, nil, &out, &errs); status != 0 || !strings.HasPrefix(out.String(), "ok ") {
		t.Errorf("status %d, %q, %q", status, out.String(), errs.String())
	}
	t.Setenv("SWITCHLET_DATA", b.Data)
	out.Reset()
	if status := appliance.Main([]string{"cli", "-x", "echo found"}, strings.NewReader(""), &out, &errs); status != 0 || !strings.Contains(out.String(), "found") {
		t.Errorf("cli: status %d, %q, %q", status, out.String(), errs.String())
	}
}

func TestCLI_FindsTheBoxOfADataDirectory(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	b := box.Start(t, box.Setup{Conf: numbersTree(t)}) // its event socket has a password of its own
	var out, errs strings.Builder
	if status := appliance.Main([]string{"cli", "--data", b.Data, "-x", "echo found"}, strings.NewReader(""), &out, &errs); status != 0 || !strings.Contains(out.String(), "found") {
		t.Errorf("status %d, %q, %q", status, out.String(), errs.String())
	}
	empty := t.TempDir()
	if status := appliance.Main([]string{"cli", "--data", empty, "-x", "status"}, strings.NewReader(""), &out, &errs); status != 2 || !strings.Contains(errs.String(), "no switch runs in "+empty) {
		t.Errorf("nobody there: status %d, %q", status, errs.String())
	}
}

func TestBox_ConsoleAliasesWorkOverTheEventSocket(t *testing.T) {
	b := box.Start(t, box.Setup{})
	c := b.ESL(t)
	b.API(t, c, "alias add hi echo hello")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if reply, err := c.Console(ctx, "hi there"); err != nil || !strings.Contains(reply, "hello there") {
		t.Errorf("reply %q, %v", reply, err)
	}
}
