package interop

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/switchlet/switchlet/esl"
	"github.com/switchlet/switchlet/test/box"
)

const (
	// gap is the longest silence in a call that a busy machine is forgiven.
	gap = 2 * time.Second
	// spareHeap is how much more memory may be in use afterwards, in bytes: caches
	// and buffers that are kept for reuse.
	spareHeap = 16 << 20
	// spareRoutines are those that may run by chance at the moment of counting.
	spareRoutines = 3
)

// journal keeps the log lines of a box.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func follow(t *testing.T, b *box.Box) *journal {
	t.Helper()
	c, j := b.ESL(t), &journal{}
	if err := c.Log(limited(t), "debug"); err != nil {
		t.Fatal(err)
	}
	go func() {
		for line := range c.Logs() {
			j.mu.Lock()
			j.lines = append(j.lines, line.Text)
			j.mu.Unlock()
		}
	}()
	return j
}

// has says whether a line has all of the words.
func (j *journal) has(words ...string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, line := range j.lines {
		found := true
		for _, w := range words {
			found = found && strings.Contains(line, w)
		}
		if found {
			return true
		}
	}
	return false
}

// says waits for such a line.
func (j *journal) says(t *testing.T, words ...string) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if j.has(words...) {
			return
		}
		<-tick.C
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	t.Errorf("no line of the log has %q; its last are\n%s", words, strings.Join(j.lines[max(0, len(j.lines)-20):], ""))
}

// complains sends what cannot be read until the log says so: who sent too much before is
// not read for a while.
func (j *journal) complains(t *testing.T, send func()) {
	t.Helper()
	const complaint = "sip: profile internal: failed to parse"
	for end := time.Now().Add(patience); !j.has(complaint) && time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		send()
	}
	j.says(t, complaint)
}

// undisturbed runs something bad while a phone talks to the echo, and checks that
// the call hears itself all the time and that the box is afterwards what it was.
func undisturbed(t *testing.T, b *box.Box, bad func()) {
	t.Helper()
	w, v := observe(t, b), newVoice(t)
	api := b.ESL(t)
	phone := sipp{Scenario: "called_off", User: "7000", Number: "echo", RTP: v.port(), Limit: 100 * time.Second}.start(t, b)
	answered := w.awaitName("CHANNEL_ANSWER", "")
	w.await("echo", func(e *esl.Event) bool { return label(e) == "EXECUTE echo" })
	v.talk(t, answered, 600)
	box.Eventually(t, patience, "the tone comes back", func() bool { return v.hears(600) })
	routines, heap := calm()
	v.longestGap()

	bad()

	if d := v.longestGap(); d > gap {
		t.Errorf("the call heard nothing for %v, want less than %v", d, gap)
	}
	v.forget()
	box.Eventually(t, patience, "the tone comes back still", func() bool { return v.hears(600) })
	if out := b.API(t, api, "status"); !strings.Contains(out, "is ready") {
		t.Errorf("status says %q", out)
	}
	var n int
	var now uint64
	deadline := time.Now().Add(40 * time.Second)
	for n, now = calm(); n > routines+spareRoutines || now > heap+spareHeap; n, now = calm() {
		if time.Now().After(deadline) {
			t.Errorf("%d goroutines and %d kB were in use, now %d and %d", routines, heap>>10, n, now>>10)
			break
		}
		v.forget()
		box.Eventually(t, patience, "sound goes on", func() bool { return v.hears(600) })
	}
	b.API(t, api, "uuid_kill "+answered.UUID())
	phone.wait(t)
}

// calm counts goroutines and bytes of the heap that are in use.
func calm() (int, uint64) {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return runtime.NumGoroutine(), m.HeapAlloc
}

// malformed are messages that are nearly SIP, in the manner of RFC 4475 §3.1.2.
var malformed = []string{
	"INVITE sip:9196@127.0.0.1 SIP/2.0\r\n\r\n",
	"INVITE\r\n\r\n",
	"INVITE sip:9196@127.0.0.1 SIP/7.0\r\nVia: SIP/7.0/UDP 127.0.0.1;branch=z9hG4bKa\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: a\r\nCSeq: 1 INVITE\r\n\r\n",
	"INVITE sip:9196@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKb\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: b\r\nCSeq: 99999999999999999999 INVITE\r\n\r\n",
	"INVITE sip:9196@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKc\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\nContent-Length: -999\r\n\r\nv=0\r\n",
	"INVITE sip:9196@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKd\r\nFrom: \"unclosed <sip:a@b>;tag=1\r\nTo: <sip:a@b\r\nCall-ID: d\r\nCSeq: 1 INVITE\r\nContent-Length: 999999999\r\n\r\n",
	"OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKe\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: e\r\nCSeq: 1 INVITE\r\n\r\n",
	"SIP/2.0 99999 Never\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKf\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: f\r\nCSeq: 1 INVITE\r\n\r\n",
	"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKg\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>;tag=2\r\nCall-ID: never-asked\r\nCSeq: 1 INVITE\r\n\r\n",
	"BYE sip:9196@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKh\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>;tag=2\r\nCall-ID: never-was\r\nCSeq: 1 BYE\r\n\r\n",
}

// hugeHeaders is an INVITE whose header block has so many bytes.
func hugeHeaders(n int) []byte {
	var m bytes.Buffer
	m.WriteString("INVITE sip:9196@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bKhuge\r\n" +
		"From: <sip:a@127.0.0.1>;tag=1\r\nTo: <sip:9196@127.0.0.1>\r\nCall-ID: huge\r\nCSeq: 1 INVITE\r\n")
	for i := 0; m.Len() < n; i++ {
		fmt.Fprintf(&m, "X-Header-%d: %s\r\n", i, strings.Repeat("x", 200))
	}
	m.WriteString("Content-Length: 0\r\n\r\n")
	return m.Bytes()
}

func TestBadInput_GarbageInSIPDatagrams(t *testing.T) {
	b := start(t, nil)
	j := follow(t, b)
	undisturbed(t, b, func() {
		conn, err := net.Dial("udp4", b.Addr(box.SIP))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		random := rand.New(rand.NewPCG(1, 2))
		noise := make([]byte, 1400)
		for range 500 {
			for i := range noise {
				noise[i] = byte(random.Uint32())
			}
			conn.Write(noise[:1+random.IntN(len(noise)-1)])
		}
		for _, m := range malformed {
			conn.Write([]byte(m))
			for cut := 1; cut < len(m); cut += 17 {
				conn.Write([]byte(m[:cut]))
			}
		}
		j.complains(t, func() { conn.Write(hugeHeaders(60000)) })
	})
	sipp{Scenario: "call", Number: "9196", Talk: 200 * time.Millisecond}.run(t, b)
}

func TestBadInput_GarbageOnSIPConnections(t *testing.T) {
	b := start(t, nil)
	j := follow(t, b)
	undisturbed(t, b, func() {
		for name, what := range map[string][]byte{
			"a header block of a megabyte":    hugeHeaders(1 << 20),
			"a header line without an end":    append([]byte("INVITE sip:9196@127.0.0.1 SIP/2.0\r\nX: "), bytes.Repeat([]byte("x"), 1<<20)...),
			"random bytes":                    []byte(strings.Repeat("\x00\x17\xff\r\n\r\n", 10000)),
			"a body longer than any may be":   []byte("OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bKi\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: i\r\nCSeq: 1 OPTIONS\r\nContent-Length: 2000000000\r\n\r\n" + strings.Repeat("x", 1<<20)),
			"a Content-Length that is absurd": []byte("OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bKj\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: j\r\nCSeq: 1 OPTIONS\r\nContent-Length: -5\r\n\r\n"),
		} {
			// The switch may answer with a refusal or end the connection; it may not
			// go on reading.
			refuses := func(answer string) bool {
				return strings.HasPrefix(answer, "SIP/2.0 4") || strings.HasPrefix(answer, "SIP/2.0 5")
			}
			if answer, ends := converse(t, b.Addr(box.SIP), what, refuses); !ends {
				t.Errorf("%s: neither refused nor cut off, but %q", name, answer)
			}
		}
		j.complains(t, func() {
			converse(t, b.Addr(box.SIP), hugeHeaders(1<<20), func(answer string) bool { return answer != "" })
		})
	})
	sipp{Scenario: "call", Number: "9196", Talk: 200 * time.Millisecond, TCP: true}.run(t, b)
}

// converse writes to a TCP port and returns what it answers until that is a refusal or
// it ends the connection; false: neither.
func converse(t *testing.T, addr string, what []byte, refuses func(answer string) bool) (answer string, ends bool) {
	t.Helper()
	conn, err := net.Dial("tcp4", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	go conn.Write(what)
	for buf := make([]byte, 4096); len(answer) < 64<<10; {
		n, err := conn.Read(buf)
		answer += string(buf[:n])
		if refuses(answer) || err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return answer, true
		}
		if err != nil {
			break
		}
	}
	return answer, false
}

func TestBadInput_ThousandsOfSilentEventSocketConnections(t *testing.T) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	// Both ends of a connection are in this process.
	n := int(min(10000, (limit.Cur-min(limit.Cur, 1000))/2))
	if n < 2000 {
		t.Fatalf("the limit of %d open files leaves only %d connections: raise it with ulimit -n 5000", limit.Cur, n)
	}
	b := start(t, nil)
	j := follow(t, b)
	undisturbed(t, b, func() {
		before := runtime.NumGoroutine()
		conns := make([]net.Conn, 0, n)
		defer func() {
			for _, c := range conns {
				c.Close()
			}
		}()
		for range n {
			c, err := net.Dial("tcp4", b.Addr(box.EventSocket))
			if err != nil {
				t.Errorf("connection %d: %v", len(conns), err)
				break
			}
			conns = append(conns, c)
		}
		// Whoever knows the password comes in through the crowd.
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		c, err := esl.Dial(ctx, b.Addr(box.EventSocket), b.Secrets.EventSocketPassword)
		if err != nil {
			t.Errorf("a client with the password, among %d without: %v", len(conns), err)
			return
		}
		defer c.Close()
		if out, err := c.API(ctx, "status"); err != nil || !strings.Contains(out, "is ready") {
			t.Errorf("status says %q, %v", out, err)
		}
		box.Eventually(t, patience, "what the crowd costs is bounded", func() bool { return runtime.NumGoroutine() < before+4000 })
		j.says(t, "without authentication")
		t.Logf("%d connections", len(conns))
	})
}

func TestBadInput_EventSocketHeadWithoutEnd(t *testing.T) {
	b := start(t, nil)
	undisturbed(t, b, func() {
		for name, what := range map[string]string{
			"a line of a megabyte":       strings.Repeat("a", 1<<20),
			"a million header lines":     "auth x\n" + strings.Repeat("h: v\n", 1<<18),
			"a body of two gigabytes":    "auth x\nContent-Length: 2147483647\n\n" + strings.Repeat("b", 1<<20),
			"a body of negative length":  "auth x\nContent-Length: -1\n\n",
			"bytes that are no protocol": strings.Repeat("\x00\xff\x1b\n", 1000) + "\n\n",
		} {
			refuses := func(answer string) bool { return strings.Contains(answer, "-ERR") }
			if answer, ends := converse(t, b.Addr(box.EventSocket), []byte(what), refuses); !ends {
				t.Errorf("%s: neither refused nor cut off, but %q", name, answer)
			}
		}
	})
}

func TestBadInput_ConfigurationCutInHalf(t *testing.T) {
	b := start(t, nil)
	j := follow(t, b)
	api, file := b.ESL(t), filepath.Join(b.Data, "conf", "dialplan", "interop.xml")
	undisturbed(t, b, func() {
		if err := os.WriteFile(file, []byte(interopPlan[:len(interopPlan)/2]), 0o600); err != nil {
			t.Fatal(err)
		}
		out := b.API(t, api, "reloadxml")
		if !strings.HasPrefix(out, "+OK [[error near line ") {
			t.Errorf("reloadxml says %q, want FreeSWITCH's text of an error", out)
		}
		j.says(t, "interop.xml")
		// What ran before runs on.
		if out := b.API(t, api, "originate {origination_uuid=still}loopback/echo/interop &park()"); out != "+OK still\n" {
			t.Errorf("with a broken file on disk, originate says %q", out)
		}
		b.API(t, api, "uuid_kill still")
		if err := os.WriteFile(file, []byte(interopPlan), 0o600); err != nil {
			t.Fatal(err)
		}
		if out := b.API(t, api, "reloadxml"); out != "+OK [Success]\n" {
			t.Errorf("with the file mended, reloadxml says %q", out)
		}
		box.Eventually(t, patience, "the call of this test is gone", func() bool {
			return strings.TrimSpace(b.API(t, api, "uuid_exists still")) == "false"
		})
	})
}

// explosive tries every way to cut a run of the letter a: the time to find out that
// there is none doubles with each letter.
const explosive = `<include>
  <extension name="explosive">
    <condition field="destination_number" expression="^(?=(a+)+$)a">
      <action application="answer"/>
    </condition>
  </extension>
</include>
`

// bounded is the longest that a pattern without an end may take on a busy machine.
const bounded = 20 * time.Second

func TestBadInput_ExplodingRegularExpression(t *testing.T) {
	b := start(t, map[string]string{"dialplan/interop/explosive.xml": explosive})
	j, api := follow(t, b), b.ESL(t)
	undisturbed(t, b, func() {
		number := strings.Repeat("a", 60) + "b"
		began := time.Now()
		out := b.API(t, api, "originate loopback/"+number+"/interop &park()")
		if d := time.Since(began); d > bounded {
			t.Errorf("the call was refused after %v, want less than %v", d, bounded)
		}
		if !strings.HasPrefix(out, "-ERR ") {
			t.Errorf("originate says %q, want an error", out)
		}
		j.says(t, "[ERR]", "[explosive]", "too long")
		began = time.Now()
		out = b.API(t, api, "regex "+number+"|^(?=(a+)+$)a")
		if d := time.Since(began); d > bounded || strings.TrimSpace(out) == "true" {
			t.Errorf("the command regex says %q after %v", out, d)
		}
	})
}
