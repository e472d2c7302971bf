package interop

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/switchlet/switchlet/esl"
	"github.com/switchlet/switchlet/test/box"
	"github.com/switchlet/switchlet/test/ports"
)

// patience is the longest that a test waits for one thing.
const patience = 60 * time.Second

// interopPlan is a context without the extensions that conf/default runs for every
// call, so that the order of events shows what a test dials and nothing else.
const interopPlan = `<include>
  <context name="interop">
    <extension name="echo">
      <condition field="destination_number" expression="^echo$">
        <action application="answer"/>
        <action application="echo"/>
      </condition>
    </extension>
    <extension name="uas">
      <condition field="destination_number" expression="^uas-(\d+)$">
        <action application="bridge" data="sofia/internal/uas@127.0.0.1:$1"/>
      </condition>
    </extension>
    <extension name="uas_after">
      <condition field="destination_number" expression="^after-(\d+)$">
        <action application="set" data="hangup_after_bridge=true"/>
        <action application="bridge" data="sofia/internal/uas@127.0.0.1:$1"/>
      </condition>
    </extension>
    <extension name="socket">
      <condition field="destination_number" expression="^socket-(\d+)$">
        <action application="socket" data="127.0.0.1:$1 async full"/>
      </condition>
    </extension>
    <extension name="hangup_in_time">
      <condition field="destination_number" expression="^hangup$">
        <action application="answer"/>
        <action application="sleep" data="500"/>
        <action application="hangup"/>
      </condition>
    </extension>
    <X-PRE-PROCESS cmd="include" data="interop/*.xml"/>
  </context>
</include>
`

// interopUser may call, and lands in the context above.
const interopUser = `<include>
  <user id="7000">
    <params>
      <param name="password" value="$${default_password}"/>
    </params>
    <variables>
      <variable name="user_context" value="interop"/>
    </variables>
  </user>
</include>
`

// start starts a box with the context and the user of these tests, and more files
// for DATA/conf if a test has any.
func start(t *testing.T, more map[string]string) *box.Box {
	t.Helper()
	files := map[string]string{"dialplan/interop.xml": interopPlan, "directory/default/7000.xml": interopUser}
	for name, text := range more {
		files[name] = text
	}
	return box.Start(t, box.Setup{Files: files})
}

// program is the path of a peer; a test without its peer has failed, since what it
// should show was not shown.
func program(t *testing.T, name, debian string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is not installed: run test/interop/run.sh, or apt-get install %s", name, debian)
	}
	return path
}

// opened says whether a program has opened a port: UDP, or TCP to listen, since what
// closed connections of others leave behind stands in the table, too. To try would be to
// take it away for a moment.
func opened(t *testing.T, port int) bool {
	t.Helper()
	const listens = "0A"
	for table, state := range map[string]string{"/proc/net/udp": "", "/proc/net/tcp": listens} {
		text, err := os.ReadFile(table)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range strings.Split(string(text), "\n") {
			f := strings.Fields(line)
			if len(f) > 3 && strings.HasSuffix(f[1], fmt.Sprintf(":%04X", port)) && (state == "" || f[3] == state) {
				return true
			}
		}
	}
	return false
}

func TestOpened_NotByAConnectionThatIsOver(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := ports.Free(t)
	c, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}}).Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if opened(t, port) {
		t.Error("a connection's own port passes for an open one")
	}
	if !opened(t, l.Addr().(*net.TCPAddr).Port) {
		t.Error("a listener is not found")
	}
	u, err := net.ListenPacket("udp4", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	if !opened(t, port) {
		t.Error("a socket of UDP is not found")
	}
}

// watch reads every event of a box in the order in which they come.
type watch struct {
	t    *testing.T
	conn *esl.Conn
	seen []*esl.Event
}

func observe(t *testing.T, b *box.Box) *watch {
	t.Helper()
	w := &watch{t: t, conn: b.ESL(t)}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := w.conn.Subscribe(ctx, "ALL"); err != nil {
		t.Fatal(err)
	}
	return w
}

// await reads on until an event matches.
func (w *watch) await(what string, match func(*esl.Event) bool) *esl.Event {
	w.t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		select {
		case e, ok := <-w.conn.Events():
			if !ok {
				w.t.Fatalf("waiting for %s: the event socket ended: %v", what, w.conn.Err())
			}
			w.seen = append(w.seen, e)
			if match(e) {
				return e
			}
		case <-timer.C:
			w.t.Fatalf("no %s within %v; the events were\n%s", what, patience, strings.Join(w.names(), "\n"))
		}
	}
}

// awaitName reads on until an event of that name comes, of the call if uuid is
// not empty.
func (w *watch) awaitName(name, uuid string) *esl.Event {
	w.t.Helper()
	return w.await(name, func(e *esl.Event) bool {
		return e.Name() == name && (uuid == "" || e.UUID() == uuid)
	})
}

// awaitEnd reads on until each of the calls has ended for good.
func (w *watch) awaitEnd(uuids ...string) {
	w.t.Helper()
	left := make(map[string]bool, len(uuids))
	for _, id := range uuids {
		left[id] = true
	}
	over := func(e *esl.Event) bool {
		if e.Name() == "CHANNEL_STATE" && e.Get("Channel-State") == "CS_DESTROY" {
			delete(left, e.UUID())
		}
		return len(left) == 0
	}
	for _, e := range w.seen {
		if over(e) {
			return
		}
	}
	w.await("end of the calls", over)
}

func (w *watch) names() []string {
	var out []string
	for _, e := range w.seen {
		out = append(out, short(e.UUID())+" "+label(e))
	}
	return out
}

func short(uuid string) string { return uuid[:min(8, len(uuid))] }

// dump prints a file when the test has failed.
func dump(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err == nil && len(text) > 0 {
		t.Logf("%s:\n%s", file, text[:min(len(text), 24000)])
	}
}

// leg is the last event that tells the variables of a leg with that direction.
func (w *watch) leg(direction string) *esl.Event {
	w.t.Helper()
	for i := len(w.seen) - 1; i >= 0; i-- {
		if e := w.seen[i]; e.Get("Call-Direction") == direction && e.Variable("local_media_port") != "" {
			return e
		}
	}
	return w.await("media of the "+direction+" leg", func(e *esl.Event) bool {
		return e.Get("Call-Direction") == direction && e.Variable("local_media_port") != ""
	})
}
