//go:build e2e

package e2e

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/switchlet/switchlet/esl"
	"github.com/switchlet/switchlet/test/box"
	"github.com/switchlet/switchlet/test/sound"
)

// Tones of the two ends, in Hz.
const (
	callerTone = 440
	farTone    = 1004
)

// farEnd is the carrier's dialplan: whoever is called answers, is recorded and
// plays a tone.
const farEnd = `<include>
<extension name="far_end">
  <condition field="destination_number" expression="^42$">
    <action application="answer"/>
    <action application="set" data="RECORD_READ_ONLY=true"/>
    <action application="record_session" data="$${recordings_dir}/far.wav"/>
    <action application="playback" data="tone_stream://%%(60000,0,%d)"/>
  </condition>
</extension>
</include>`

const gateway = `<include>
<gateway name="carrier">
  <param name="username" value="1010"/>
  <param name="password" value="%s"/>
  <param name="realm" value="127.0.0.1"/>
  <param name="proxy" value="%s"/>
  <param name="register" value="true"/>
  <param name="retry-seconds" value="5"/>
</gateway>
</include>`

// carrier starts the far end, which speaks G.711 only.
func carrier(t *testing.T) *box.Box {
	return box.Start(t, box.Setup{
		Files: map[string]string{"dialplan/default/00_far_end.xml": fmt.Sprintf(farEnd, farTone)},
		Sets:  map[string]string{"global_codec_prefs": "PCMU,PCMA", "outbound_codec_prefs": "PCMU,PCMA"},
	})
}

// office starts the box whose callers reach the carrier through its gateway, and
// waits until that is registered.
func office(t *testing.T, far *box.Box) *box.Box {
	b := box.Start(t, box.Setup{
		Files: map[string]string{"sip_profiles/external/carrier.xml": fmt.Sprintf(gateway, far.Password, far.Addr(box.SIP))},
		Sets:  map[string]string{"default_provider": "carrier"},
	})
	c := b.ESL(t)
	box.Eventually(t, 20*time.Second, "the gateway registered", func() bool {
		return strings.Contains(b.API(t, c, "sofia status gateway carrier"), "REGED")
	})
	return b
}

// heard is what the browser reports.
type heard struct {
	States   []string `json:"states"`
	Problems []string `json:"problems"`
	Hz       float64  `json:"hz"`
	DB       float64  `json:"db"`
	Quality  string   `json:"quality"`
	Stats    struct {
		Received int    `json:"received"`
		Lost     int    `json:"lost"`
		Codec    string `json:"codec"`
	} `json:"stats"`
}

// browser runs the page in Chromium. It returns when the call is over.
func browser(ctx context.Context, b *box.Box, args ...string) (heard, error) {
	args = append([]string{"call.mjs", "--url", "http://" + b.Addr(box.HTTP) + "/", "--login", "1000", "--password", b.Password}, args...)
	cmd := exec.CommandContext(ctx, "node", args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	var h heard
	if jerr := json.Unmarshal(out, &h); jerr != nil {
		return h, fmt.Errorf("%v: %s", jerr, out)
	}
	if len(h.Problems) > 0 {
		return h, fmt.Errorf("%v", h.Problems)
	}
	return h, err
}

// watch collects every event until the test ends.
type watch struct {
	t    *testing.T
	c    *esl.Conn
	seen []*esl.Event
}

func newWatch(t *testing.T, b *box.Box) *watch {
	w := &watch{t: t, c: b.ESL(t)}
	if err := w.c.Subscribe(t.Context(), "ALL"); err != nil {
		t.Fatal(err)
	}
	return w
}

// until reads events up to the first that fits.
func (w *watch) until(what string, limit time.Duration, fits func(*esl.Event) bool) *esl.Event {
	w.t.Helper()
	timeout := time.After(limit)
	for {
		select {
		case e := <-w.c.Events():
			w.seen = append(w.seen, e)
			if fits(e) {
				return e
			}
		case <-timeout:
			w.t.Fatalf("no %s within %v; seen %v", what, limit, w.names(""))
		case <-w.c.Done():
			w.t.Fatalf("event socket: %v", w.c.Err())
		}
	}
}

// names are the events of one call (or all) in order, applications by name.
func (w *watch) names(uuid string) []string {
	var out []string
	for _, e := range w.seen {
		if uuid != "" && e.UUID() != uuid {
			continue
		}
		name := strings.TrimPrefix(e.Name(), "CHANNEL_")
		switch e.Name() {
		case "CHANNEL_STATE":
			name = "STATE " + e.Get("Channel-State")
		case "CHANNEL_CALLSTATE":
			name = "CALLSTATE " + e.Get("Original-Channel-Call-State") + ">" + e.Get("Channel-Call-State")
		case "CHANNEL_EXECUTE", "CHANNEL_EXECUTE_COMPLETE":
			name += " " + e.Get("Application")
		}
		out = append(out, name)
	}
	return out
}

func named(name string) func(*esl.Event) bool {
	return func(e *esl.Event) bool { return e.Name() == name }
}

// inOrder fails unless the wanted names come one after the other among got.
func inOrder(t *testing.T, got []string, want ...string) {
	t.Helper()
	i := 0
	for _, g := range got {
		if i < len(want) && g == want[i] {
			i++
		}
	}
	if i < len(want) {
		t.Errorf("no %q after %v in:\n%s", want[i], want[:i], strings.Join(got, "\n"))
	}
}

func TestMainCall_BrowserScriptGatewayAndESL(t *testing.T) {
	far := carrier(t)
	b := office(t, far)
	w := newWatch(t, b)

	type result struct {
		heard
		err error
	}
	done := make(chan result, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	go func() {
		h, err := browser(ctx, b, "--number", "5000", "--hz", fmt.Sprint(callerTone), "--digits", "442#",
			"--settle", "4000", "--seconds", "4", "--await-end", "--expect-hz", fmt.Sprint(farTone))
		done <- result{h, err}
	}()

	bridged := w.until("bridge", 60*time.Second, named("CHANNEL_BRIDGE"))
	a := bridged.UUID()
	if out := b.API(t, w.c, "uuid_setvar "+a+" watched_by esl"); out != "+OK\n" {
		t.Errorf("uuid_setvar: %q", out)
	}
	if out := b.API(t, w.c, "uuid_getvar "+a+" watched_by"); out != "esl" {
		t.Errorf("uuid_getvar gives %q", out)
	}
	waitFor(t, w, 12*time.Second)
	if out := b.API(t, w.c, "uuid_kill "+a); out != "+OK\n" {
		t.Errorf("uuid_kill: %q", out)
	}
	w.until("end of the caller's leg", 15*time.Second, func(e *esl.Event) bool {
		return e.Name() == "CHANNEL_DESTROY" && e.UUID() == a
	})
	r := <-done
	if r.err != nil {
		t.Errorf("browser: %v\n%+v", r.err, r.heard)
	}
	if r.Stats.Codec != "audio/opus" {
		t.Errorf("the browser speaks %q, want audio/opus", r.Stats.Codec)
	}
	if r.DB < -30 {
		t.Errorf("the far end's tone reaches the browser at %.1f dBFS", r.DB)
	}
	judgeFarEnd(t, far)
	judgeVisit(t, b)
	judgeEvents(t, w, a, bridged.Get("Bridge-B-Unique-ID"))
}

// waitFor lets the call go on for d while events are read.
func waitFor(t *testing.T, w *watch, d time.Duration) {
	t.Helper()
	over := time.After(d)
	for {
		select {
		case e := <-w.c.Events():
			w.seen = append(w.seen, e)
		case <-over:
			return
		case <-w.c.Done():
			t.Fatalf("event socket: %v", w.c.Err())
		}
	}
}

// judgeFarEnd hears what the carrier recorded: the caller's tone, at its level,
// without holes.
func judgeFarEnd(t *testing.T, far *box.Box) {
	t.Helper()
	file := filepath.Join(far.Data, "recordings", "far.wav")
	box.Eventually(t, 10*time.Second, "the carrier's recording", func() bool {
		info, err := os.Stat(file)
		return err == nil && info.Size() > 8000
	})
	pcm, rate, err := sound.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	if len(pcm) < 6*rate {
		t.Fatalf("the far end recorded %.1f s", float64(len(pcm))/float64(rate))
	}
	middle := pcm[2*rate : len(pcm)-rate]
	hz, db := sound.Tone(middle, rate)
	if math.Abs(hz-callerTone) > 3 || db < -20 || db > -3 {
		t.Errorf("the far end hears %.1f Hz at %.1f dBFS, want %d Hz near -9", hz, db, callerTone)
	}
	for _, gap := range sound.Gaps(middle, rate, -45) {
		if gap > 60*time.Millisecond {
			t.Errorf("the far end hears a gap of %v", gap)
		}
	}
}

// judgeVisit reads what the script wrote: the caller by name, and the choice.
func judgeVisit(t *testing.T, b *box.Box) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(b.Data, "db", "demo.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var name, pressed string
	if err := db.QueryRow(`SELECT name, pressed FROM visits JOIN callers ON number = caller WHERE caller = '1000'`).Scan(&name, &pressed); err != nil {
		t.Fatalf("visits: %v", err)
	}
	if name != "Extension 1000" || pressed != "4" {
		t.Errorf("the visit says name %q, pressed %q; want Extension 1000, 4", name, pressed)
	}
}

func judgeEvents(t *testing.T, w *watch, a, bLeg string) {
	t.Helper()
	inOrder(t, w.names(a), "STATE CS_NEW", "STATE CS_INIT", "CREATE", "CALLSTATE DOWN>RINGING", "STATE CS_ROUTING",
		"STATE CS_EXECUTE", "EXECUTE lua", "CODEC", "CODEC", "PROGRESS_MEDIA", "CALLSTATE RINGING>EARLY", "ANSWER", "CALLSTATE EARLY>ACTIVE", "DTMF", "DTMF", "EXECUTE bridge", "BRIDGE",
		"HANGUP", "UNBRIDGE", "EXECUTE_COMPLETE bridge", "EXECUTE_COMPLETE lua", "STATE CS_HANGUP",
		"CALLSTATE ACTIVE>HANGUP", "STATE CS_REPORTING", "HANGUP_COMPLETE", "DESTROY")
	inOrder(t, w.names(bLeg), "OUTGOING", "STATE CS_INIT", "CREATE", "ORIGINATE", "STATE CS_ROUTING",
		"STATE CS_CONSUME_MEDIA", "ANSWER", "STATE CS_EXCHANGE_MEDIA", "HANGUP", "STATE CS_HANGUP", "STATE CS_REPORTING",
		"HANGUP_COMPLETE", "DESTROY")
	if names := w.names(a); slices.Contains(names, "SESSION_CRASH") {
		t.Error("a panic was caught in the call")
	}
}
