package calls

import (
	"encoding/binary"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/switchlet/switchlet/esl"
	"github.com/switchlet/switchlet/test/box"
	"github.com/switchlet/switchlet/test/phone"
)

// house is a box whose sessions are not limited to 30 a second.
func house(t *testing.T, files map[string]string) *box.Box {
	t.Helper()
	return box.Start(t, box.Setup{Files: files})
}

// desk makes a phone of the box's user.
func desk(t *testing.T, b *box.Box, user string) *phone.Phone {
	t.Helper()
	p, err := phone.New(phone.Options{User: user, Password: b.Password, Domain: "127.0.0.1",
		Server: netip.MustParseAddrPort(b.Addr(box.SIP))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func register(t *testing.T, p *phone.Phone) {
	t.Helper()
	resp, err := p.Register(120)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != 200 {
		t.Fatalf("REGISTER of %s: %d %s", p.User, resp.StatusCode, resp.Reason)
	}
}

// hears fails unless the call hears freq clearly, with hardly a packet missing.
func hears(t *testing.T, who string, s *phone.Sound, freq float64) {
	t.Helper()
	if err := s.Hears(freq, 0.05, 500*time.Millisecond); err != nil {
		t.Errorf("%s: %v", who, err)
	}
}

// within waits until something has happened.
func within(t *testing.T, what string, ch <-chan struct{}) {
	t.Helper()
	select {
	case <-ch:
	case <-time.After(patience):
		t.Fatalf("not within %v: %s", patience, what)
	}
}

func TestPhones_CallEachOtherAndHearEachOther(t *testing.T) {
	b := house(t, nil)
	alice, bob := desk(t, b, "1000"), desk(t, b, "1001")
	register(t, alice)
	register(t, bob)
	out, err := alice.Dial("1001")
	if err != nil {
		t.Fatal(err)
	}
	in, err := bob.Next()
	if err != nil {
		t.Fatal(err)
	}
	if err := in.Ring(); err != nil {
		t.Fatal(err)
	}
	within(t, "it rings", out.Ringing())
	if err := in.Answer(); err != nil {
		t.Fatal(err)
	}
	if err := out.WaitAnswer(); err != nil {
		t.Fatal(err)
	}
	out.Say(440, 0.3)
	in.Say(1000, 0.3)
	hears(t, "1001", in.Sound, 440)
	hears(t, "1000", out.Sound, 1000)
	out.Press("12#")
	box.Eventually(t, patience, "the digits at 1001", func() bool { return in.Digits() == "12#" })
	if err := in.Hangup(); err != nil {
		t.Fatal(err)
	}
	if err := out.WaitEnd(); err != nil {
		t.Fatal(err)
	}
}

const tones = `<include>
<extension name="tones">
  <condition field="destination_number" expression="^7(1001)$">
    <action application="start_dtmf_generate"/>
    <action application="bridge" data="user/$1"/>
  </condition>
</extension>
</include>`

// A digit of the caller becomes the two tones of its key, and no event.
func TestPhones_DigitsBecomeTones(t *testing.T) {
	b := house(t, map[string]string{"dialplan/default/00_tones.xml": tones})
	alice, bob := desk(t, b, "1000"), desk(t, b, "1001")
	register(t, alice)
	register(t, bob)
	out, err := alice.Dial("71001")
	if err != nil {
		t.Fatal(err)
	}
	in, err := bob.Next()
	if err != nil {
		t.Fatal(err)
	}
	if err := in.Answer(); err != nil {
		t.Fatal(err)
	}
	if err := out.WaitAnswer(); err != nil {
		t.Fatal(err)
	}
	out.Say(2500, 0.3)
	hears(t, "1001", in.Sound, 2500)
	box.Eventually(t, patience, "the tones of key 5 at 1001", func() bool {
		out.Press("5")
		in.Forget()
		low, err := in.Listen(770, 120*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		high, err := in.Listen(1336, 120*time.Millisecond)
		return err == nil && low.Level > 0.05 && high.Level > 0.05
	})
	if got := in.Digits(); got != "" {
		t.Errorf("%q came as events, too", got)
	}
	if err := out.Hangup(); err != nil {
		t.Fatal(err)
	}
	if err := in.WaitEnd(); err != nil {
		t.Fatal(err)
	}
}

// A sound may be on a web server.
func TestPhone_HearsWhatAWebServerHas(t *testing.T) {
	pcm := make([]byte, 2*8000)
	for i := range len(pcm) / 2 {
		binary.LittleEndian.PutUint16(pcm[2*i:], uint16(int16(9000*math.Sin(2*math.Pi*700*float64(i)/8000))))
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/gone.wav" {
			http.NotFound(w, r)
			return
		}
		w.Write([]byte("RIFF\x00\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x80\x3e\x00\x00\x02\x00\x10\x00data"))
		binary.Write(w, binary.LittleEndian, uint32(len(pcm)))
		w.Write(pcm)
	}))
	t.Cleanup(server.Close)
	b := house(t, map[string]string{"dialplan/default/00_web.xml": fmt.Sprintf(`<include>
<extension name="web"><condition field="destination_number" expression="^7700$">
<action application="answer"/><action application="playback" data="%[1]s/gone.wav"/><action application="endless_playback" data="http_cache://%[1]s/tone.wav"/>
</condition></extension>
</include>`, server.URL)})
	call, err := desk(t, b, "1000").Call("7700")
	if err != nil {
		t.Fatal(err)
	}
	box.Eventually(t, patience, "the tone", func() bool {
		call.Forget()
		h, err := call.Listen(700, 200*time.Millisecond)
		return err == nil && h.Level > 0.05
	})
	if err := call.Hangup(); err != nil {
		t.Fatal(err)
	}
}

func TestPhone_CallerCancelsWhileItRings(t *testing.T) {
	b := house(t, nil)
	c := b.ESL(t)
	if err := c.Subscribe(t.Context(), "CHANNEL_HANGUP_COMPLETE"); err != nil {
		t.Fatal(err)
	}
	alice, bob := desk(t, b, "1000"), desk(t, b, "1001")
	register(t, bob)
	out, err := alice.Dial("1001")
	if err != nil {
		t.Fatal(err)
	}
	in, err := bob.Next()
	if err != nil {
		t.Fatal(err)
	}
	if err := in.Ring(); err != nil {
		t.Fatal(err)
	}
	within(t, "it rings", out.Ringing())
	out.Cancel()
	if err := in.WaitEnd(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		e := next(t, c)
		if got := e.Get("Hangup-Cause"); got != "ORIGINATOR_CANCEL" {
			t.Errorf("%s ended with %s, want ORIGINATOR_CANCEL", e.Get("Channel-Name"), got)
		}
	}
}

// next is the next event.
func next(t *testing.T, c *esl.Conn) *esl.Event {
	t.Helper()
	select {
	case e := <-c.Events():
		return e
	case <-c.Done():
		t.Fatalf("event socket: %v", c.Err())
	case <-time.After(patience):
		t.Fatalf("no event within %v", patience)
	}
	return nil
}

func TestPhone_WrongPasswordAndUnknownNumberGetTheirCodes(t *testing.T) {
	b := house(t, nil)
	thief, err := phone.New(phone.Options{User: "1000", Password: "1234", Domain: "127.0.0.1",
		Server: netip.MustParseAddrPort(b.Addr(box.SIP))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(thief.Close)
	resp, err := thief.Register(60)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != 403 {
		t.Errorf("a wrong password gets %d, want 403", resp.StatusCode)
	}
	call, err := thief.Dial("9196")
	if err != nil {
		t.Fatal(err)
	}
	within(t, "a final response", call.Done())
	if status, _ := call.Status(); status != 403 {
		t.Errorf("a call with a wrong password gets %d, want 403", status)
	}
	call, err = desk(t, b, "1000").Dial("no-such-number")
	if err != nil {
		t.Fatal(err)
	}
	within(t, "a final response", call.Done())
	if status, _ := call.Status(); status != 404 {
		t.Errorf("an unknown number gets %d, want 404", status)
	}
}

const (
	callerTone = 440
	farTone    = 1004
)

const farEnd = `<include>
<extension name="far_end">
  <condition field="destination_number" expression="^42$">
    <action application="answer"/>
    <action application="playback" data="tone_stream://%%(60000,0,%d)"/>
  </condition>
</extension>
<extension name="far_echo">
  <condition field="destination_number" expression="^43$">
    <action application="answer"/>
    <action application="echo"/>
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

func TestPhone_ScriptAsksAndBridgesThroughTheGateway(t *testing.T) {
	far := house(t, map[string]string{"dialplan/default/00_far_end.xml": fmt.Sprintf(farEnd, farTone)})
	b := box.Start(t, box.Setup{
		Files: map[string]string{"sip_profiles/external/carrier.xml": fmt.Sprintf(gateway, far.Password, far.Addr(box.SIP))},
		Sets:  map[string]string{"default_provider": "carrier"},
	})
	c := b.ESL(t)
	box.Eventually(t, patience, "the gateway registered", func() bool {
		return strings.Contains(b.API(t, c, "sofia status gateway carrier"), "\tREGED")
	})
	if err := c.Subscribe(t.Context(), "CHANNEL_BRIDGE", "CHANNEL_HANGUP_COMPLETE"); err != nil {
		t.Fatal(err)
	}
	alice := desk(t, b, "1000")
	register(t, alice)
	call, err := alice.Call("5000")
	if err != nil {
		t.Fatal(err)
	}
	call.Say(callerTone, 0.3)
	call.Press("443#")
	bridge := next(t, c)
	if bridge.Name() != "CHANNEL_BRIDGE" {
		t.Fatalf("%s before the bridge", bridge.Name())
	}
	hears(t, "1000 (through the carrier's echo)", call.Sound, callerTone)
	if out := b.API(t, c, "uuid_kill "+bridge.UUID()); out != "+OK\n" {
		t.Errorf("uuid_kill: %q", out)
	}
	if err := call.WaitEnd(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		next(t, c)
	}
}

const mortal = `<include>
<extension name="mortal_echo">
  <condition field="destination_number" expression="^9999$">
    <action application="set" data="media_timeout=4000"/>
    <action application="answer"/>
    <action application="echo"/>
  </condition>
</extension>
</include>`

func TestPhone_LossIsSurvivedAndAKilledPeerEndsTheCall(t *testing.T) {
	b := house(t, map[string]string{"dialplan/default/00_mortal.xml": mortal})
	c := b.ESL(t)
	if err := c.Subscribe(t.Context(), "CHANNEL_HANGUP_COMPLETE"); err != nil {
		t.Fatal(err)
	}
	alice := desk(t, b, "1000")
	call, err := alice.Call("9999")
	if err != nil {
		t.Fatal(err)
	}
	call.Say(callerTone, 0.3)
	hears(t, "1000", call.Sound, callerTone)
	call.Mute(true)
	time.Sleep(time.Second) // is what is lost
	call.Mute(false)
	hears(t, "1000 after a second of loss", call.Sound, callerTone)
	alice.Close()
	if e := next(t, c); e.Get("Hangup-Cause") != "MEDIA_TIMEOUT" {
		t.Errorf("the call of a killed phone ended with %s, want MEDIA_TIMEOUT", e.Get("Hangup-Cause"))
	}
}

// sockets counts the open descriptors of this process.
func sockets(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, f := range list {
		if to, err := os.Readlink(filepath.Join("/proc/self/fd", f.Name())); err == nil && strings.HasPrefix(to, "socket:") {
			n++
		}
	}
	return n
}

func TestHundredCalls_LeaveNothingBehind(t *testing.T) {
	b := house(t, nil)
	b.API(t, b.ESL(t), "fsctl sps 1000")
	alice := desk(t, b, "1000")
	oneCall := func() {
		call, err := alice.Call("9196")
		if err != nil {
			t.Fatal(err)
		}
		if err := call.Hangup(); err != nil {
			t.Fatal(err)
		}
	}
	settled := func() bool { return b.Switch.Count() == 0 }
	for range 10 {
		oneCall()
	}
	box.Eventually(t, patience, "the first calls gone", settled)
	goroutines, open, heap := runtime.NumGoroutine(), sockets(t), liveHeap()
	for range 100 {
		oneCall()
	}
	box.Eventually(t, patience, "the calls gone", settled)
	box.Eventually(t, 40*time.Second, fmt.Sprintf("goroutines back at %d", goroutines), func() bool {
		return runtime.NumGoroutine() <= goroutines+2
	})
	box.Eventually(t, patience, fmt.Sprintf("no more than the %d sockets of before", open), func() bool { return sockets(t) <= open })
	// SIP remembers finished transactions for 32 s, here those of both ends; what a
	// call itself held, ten times as much, must be gone soon.
	const remembered = 40 << 10
	box.Eventually(t, patience, "the memory of the calls given back", func() bool {
		return liveHeap()-heap < 100*remembered
	})
}

func liveHeap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
