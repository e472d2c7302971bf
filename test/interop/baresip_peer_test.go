package interop

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
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

// baresip is a phone without screen, microphone and speaker: it sends a tone and
// records what it hears. It is steered by netstrings of JSON over TCP.
type baresip struct {
	t       *testing.T
	dir     string
	conn    net.Conn
	events  chan baresipEvent
	replies chan baresipEvent
}

// baresipEvent is what baresip says: an event, or the reply to a command.
type baresipEvent struct {
	Event    bool
	Response bool
	OK       bool
	Type     string // CALL_ESTABLISHED, REGISTER_OK, …
	Param    string
	Data     string
}

// modulePaths are where distributions put baresip's modules.
var modulePaths = []string{"/usr/lib/baresip/modules", "/usr/lib/x86_64-linux-gnu/baresip/modules",
	"/usr/lib/aarch64-linux-gnu/baresip/modules", "/usr/local/lib/baresip/modules"}

// newBaresip starts a phone that registers as a user and sends a tone of hz. answer
// is "auto" or "manual"; more are further parameters of its account, such as
// "mediaenc=srtp-mand".
func newBaresip(t *testing.T, b *box.Box, user string, hz int, answer string, more ...string) *baresip {
	t.Helper()
	path := program(t, "baresip", "baresip-core")
	modules := ""
	for _, dir := range modulePaths {
		if _, err := os.Stat(dir); err == nil {
			modules = dir
		}
	}
	p := &baresip{t: t, dir: t.TempDir(), events: make(chan baresipEvent, 256), replies: make(chan baresipEvent, 16)}
	control, sip := ports.Free(t), ports.Free(t)
	config := fmt.Sprintf(`sip_listen 127.0.0.1:%d
net_interface 127.0.0.1
audio_source ausine,%d
audio_player aubridge,sink-%s
ausrc_srate 48000
ausrc_channels 2
auplay_srate 48000
auplay_channels 2
rtp_timeout 0
snd_path %s
module_path %s
module g711.so
module ausine.so
module aubridge.so
module sndfile.so
module srtp.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen 127.0.0.1:%d
`, sip, hz, user, p.dir, modules, control)
	account := fmt.Sprintf("<sip:%s@%s>;auth_pass=%s;regint=120;answermode=%s\n", user, b.Addr(box.SIP), b.Password, strings.Join(append([]string{answer}, more...), ";"))
	for name, text := range map[string]string{"config": config, "accounts": account, "contacts": ""} {
		if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	log, err := os.Create(filepath.Join(p.dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	cmd := exec.CommandContext(ctx, path, "-f", p.dir)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if p.conn != nil {
			p.conn.Close()
		}
		cmd.Process.Kill()
		cmd.Wait()
		cancel()
		log.Close()
		if t.Failed() {
			dump(t, log.Name())
		}
	})
	box.Eventually(t, patience, "baresip takes commands", func() bool {
		p.conn, err = net.Dial("tcp4", fmt.Sprintf("127.0.0.1:%d", control))
		return err == nil
	})
	go p.read(p.conn)
	return p
}

// read takes netstrings apart until the connection ends.
func (p *baresip) read(conn net.Conn) {
	defer close(p.events)
	r := bufio.NewReader(conn)
	for {
		length, err := r.ReadString(':')
		if err != nil {
			return
		}
		n, err := strconv.Atoi(strings.TrimSuffix(length, ":"))
		if err != nil || n < 0 || n > 1<<20 {
			return
		}
		text := make([]byte, n+1) // with the comma
		if _, err := io.ReadFull(r, text); err != nil {
			return
		}
		var e baresipEvent
		if json.Unmarshal(text[:n], &e) != nil {
			continue
		}
		to := p.events
		if e.Response {
			to = p.replies
		}
		select {
		case to <- e:
		default:
		}
	}
}

// do gives a command.
func (p *baresip) do(command, params string) {
	p.t.Helper()
	text, err := json.Marshal(map[string]string{"command": command, "params": params})
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := fmt.Fprintf(p.conn, "%d:%s,", len(text), text); err != nil {
		p.t.Fatalf("baresip, %s: %v", command, err)
	}
	select {
	case reply := <-p.replies:
		if !reply.OK {
			p.t.Fatalf("baresip, %s: %s", command, reply.Data)
		}
	case <-time.After(patience):
		p.t.Fatalf("baresip did not answer %s", command)
	}
}

// await waits for an event of that type.
func (p *baresip) await(kind string) baresipEvent {
	p.t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	var seen []string
	for {
		select {
		case e, ok := <-p.events:
			if !ok {
				p.t.Fatalf("baresip ended, waiting for %s after %v", kind, seen)
			}
			if e.Type == kind {
				return e
			}
			seen = append(seen, e.Type+" "+e.Param)
		case <-timer.C:
			p.t.Fatalf("baresip saw no %s, but %v", kind, seen)
		}
	}
}

// recording is the file of what was sent ("enc") or heard ("dec"); "" if there is
// none yet.
func (p *baresip) recording(side string) string {
	files, err := filepath.Glob(filepath.Join(p.dir, "dump-*-"+side+".wav"))
	if err != nil || len(files) == 0 {
		return ""
	}
	return files[len(files)-1]
}

// speaks waits until the phone has sent so much more sound.
func (p *baresip) speaks(d time.Duration) {
	p.t.Helper()
	size := func() int64 {
		info, err := os.Stat(p.recording("enc"))
		if err != nil {
			return 0
		}
		return info.Size()
	}
	want := size() + int64(d.Seconds()*rate)*2
	box.Eventually(p.t, patience, fmt.Sprintf("%v more of sound", d), func() bool { return size() >= want })
}

// heard is everything that the phone heard; the call must be over.
func (p *baresip) heard() []int16 {
	p.t.Helper()
	text, err := os.ReadFile(p.recording("dec"))
	if err != nil {
		p.t.Fatal(err)
	}
	i := strings.Index(string(text), "data")
	if i < 0 || len(text) < i+8 {
		p.t.Fatalf("the recording has no sound: %d bytes", len(text))
	}
	text = text[i+8:]
	samples := make([]int16, len(text)/2)
	for i := range samples {
		samples[i] = int16(binary.LittleEndian.Uint16(text[2*i:]))
	}
	return samples
}

// piece is a stretch of sound in which a tone is there or is not.
type piece struct {
	tone  bool
	loud  bool // there is sound at all
	lasts time.Duration
}

// pieces cuts a recording into stretches with and without a tone. Windows that are
// neither (where it begins or ends) belong to none.
func pieces(samples []int16, hz float64) []piece {
	const window = rate / 10
	var out []piece
	for ; len(samples) >= window; samples = samples[window:] {
		s := share(samples[:window], hz)
		if s > absent && s < present {
			continue
		}
		tone, loud := s >= present, level(samples[:window]) > 100
		if n := len(out); n > 0 && out[n-1].tone == tone {
			out[n-1].lasts += 100 * time.Millisecond
			out[n-1].loud = out[n-1].loud || loud
			continue
		}
		out = append(out, piece{tone, loud, 100 * time.Millisecond})
	}
	return out
}

// total is how long a tone was heard.
func total(ps []piece) time.Duration {
	var sum time.Duration
	for _, p := range ps {
		if p.tone {
			sum += p.lasts
		}
	}
	return sum
}
