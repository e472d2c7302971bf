//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/switchlet/switchlet/esl"
	"github.com/switchlet/switchlet/test/box"
	"github.com/switchlet/switchlet/test/phone"
)

// programLimit bounds one run of a program with a browser.
const programLimit = 150 * time.Second

// early has an extension that sounds before it answers, and answers when it hears
// the digit 5; and one that is a phone without anything behind it.
const early = `<include>
<extension name="early">
  <condition field="destination_number" expression="^9300$">
    <action application="pre_answer"/>
    <action application="set" data="playback_terminators=5"/>
    <action application="playback" data="tone_stream://%(60000,0,1004)"/>
    <action application="answer"/>
    <action application="echo"/>
  </condition>
</extension>
<extension name="phone_alone">
  <condition field="destination_number" expression="^9301$">
    <action application="bridge" data="user/1003@${domain_name}"/>
  </condition>
</extension>
</include>`

// g711 makes the phones of the box speak G.711 alone; browsers have Opus.
var g711 = map[string]string{"global_codec_prefs": "PCMU,PCMA", "outbound_codec_prefs": "PCMU,PCMA"}

// houses starts one box after the other: two must not find the same ports free.
var houses sync.Mutex

// house starts a box for a test that runs beside others.
func house(t *testing.T) *box.Box {
	t.Parallel()
	houses.Lock()
	defer houses.Unlock()
	return box.Start(t, box.Setup{Files: map[string]string{"dialplan/default/00_early.xml": early}, Sets: g711})
}

func timed(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), programLimit)
	t.Cleanup(cancel)
	return ctx
}

// handset is a registered SIP phone.
func handset(t *testing.T, b *box.Box, user string) *phone.Phone {
	t.Helper()
	p, err := phone.New(phone.Options{User: user, Password: b.Password, Domain: "127.0.0.1", Server: netip.MustParseAddrPort(b.Addr(box.SIP))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	if res, err := p.Register(600); err != nil || res.StatusCode != 200 {
		t.Fatalf("register %s: %v %v", user, res, err)
	}
	return p
}

// hears waits until a call's sound has a tone.
func hears(t *testing.T, c *phone.Call, hz float64) {
	t.Helper()
	box.Eventually(t, patience, "the phone hears the tone", func() bool {
		c.Forget()
		h, err := c.Listen(hz, 300*time.Millisecond)
		return err == nil && h.Level > 0.05
	})
}

// The page hears its own voice through the switch, at its level; both kinds of
// digits reach the switch; hold is silent, and ends.
func TestPage_EchoDigitsAndHold(t *testing.T) {
	b := house(t)
	w := newWatch(t, siteOf(b))
	h, err := browser(timed(t), siteOf(b), "--number", "9196", "--expect-hz", "440", "--expect-db=-9", "--digits", "12", "--rfc4733", "34", "--hold")
	if err != nil {
		t.Fatalf("%v: %+v", err, h)
	}
	if h.Stats.Codec != "audio/opus" || h.Held.DB > -60 {
		t.Errorf("%+v", h)
	}
	var digits, sources []string
	w.until("end of the call", patience, func(e *esl.Event) bool {
		if e.Name() == "DTMF" {
			digits, sources = append(digits, e.Get("DTMF-Digit")), append(sources, e.Get("DTMF-Source"))
		}
		return e.Name() == "CHANNEL_DESTROY"
	})
	if got := strings.Join(digits, ""); got != "1234" {
		t.Errorf("the switch got the digits %q from %v, want 1234", got, sources)
	}
	if len(sources) == 4 && (sources[0] == "RTP" || sources[3] != "RTP") {
		t.Errorf("the digits came from %v, want two by message and two by RTP", sources)
	}
}

// The same with Chromium's loopback candidates, from which it moves on to others
// while the call runs.
func TestPage_FollowsTheBrowserToAnotherAddress(t *testing.T) {
	b := house(t)
	if h, err := browser(timed(t), siteOf(b), "--number", "9196", "--expect-hz", "440", "--expect-db=-9", "--loopback", "--settle", "1000"); err != nil {
		t.Errorf("%v: %+v", err, h)
	}
}

// The page shows a field for what the switch asks for, sends what is entered, and
// records as it is told to.
func TestPage_EntersWhatIsAskedFor(t *testing.T) {
	b := house(t)
	w := newWatch(t, siteOf(b))
	c := b.ESL(t)
	uuid := ""
	ask := func(command, rest string) {
		if out := b.API(t, c, command+" "+uuid+" "+rest); out != "+OK Success\n" {
			t.Errorf("%s: %q", command, out)
		}
	}
	var report struct{ Problems []string }
	err := node(timed(t), func(line string) {
		switch line {
		case "in call":
			uuid = w.until("call", patience, named("CHANNEL_CREATE")).UUID()
			ask("uuid_send_prompt", "dtmf 'Your PIN?' [0-9]{4}")
		case "entered digits":
			ask("uuid_send_prompt", "message 'Your name?'")
		case "entered a text":
			ask("uuid_media_params", `{"audio": {"noiseSuppression": false}}`)
		}
	}, &report, "prompt.mjs", "--url", "http://"+b.Addr(box.HTTP)+"/", "--login", "1000", "--password", b.Password)
	if err != nil || len(report.Problems) > 0 {
		t.Errorf("%v: %v", err, report.Problems)
	}
	digits := ""
	w.until("end of the call", patience, func(e *esl.Event) bool {
		if e.Name() == "DTMF" {
			digits += e.Get("DTMF-Digit")
		}
		return e.Name() == "CHANNEL_DESTROY"
	})
	if digits != "1234" {
		t.Errorf("the switch got the digits %q, want 1234", digits)
	}
}

func TestPage_RingsAndAnswers(t *testing.T) {
	b := house(t)
	c := b.ESL(t)
	var h heard
	err := node(timed(t), func(line string) {
		if line == "waiting" {
			b.API(t, c, "bgapi originate user/1000@127.0.0.1 &playback(tone_stream://%(60000,0,700))")
		}
	}, &h, "call.mjs", "--url", "http://"+b.Addr(box.HTTP)+"/", "--login", "1000", "--password", b.Password, "--wait", "--expect-hz", "700")
	if err != nil || len(h.Problems) > 0 {
		t.Errorf("%v: %+v", err, h)
	}
}

func TestPage_ReloadAndSecondTabKeepTheCall(t *testing.T) {
	b := house(t)
	for _, how := range []string{"--reload", "--second"} {
		t.Run(how[2:], func(t *testing.T) {
			w := newWatch(t, siteOf(b))
			h, err := browser(timed(t), siteOf(b), "--number", "9197", "--expect-hz", "1004", how)
			if err != nil {
				t.Fatalf("%v: %+v", err, h)
			}
			w.until("end of the call", patience, named("CHANNEL_DESTROY"))
			created := 0
			for _, e := range w.seen {
				if e.Name() == "CHANNEL_CREATE" {
					created++
				}
			}
			if created != 1 {
				t.Errorf("%d channels were made, want the one that is kept", created)
			}
		})
	}
}

// A page with Opus and a phone with G.711 hear each other, whoever calls.
func TestPage_AndPhoneHearEachOther(t *testing.T) {
	b := house(t)
	p := handset(t, b, "1001")
	t.Run("page calls", func(t *testing.T) {
		done := make(chan error, 1)
		go func() {
			h, err := browser(timed(t), siteOf(b), "--number", "1001", "--expect-hz", "1000")
			if err == nil && h.Stats.Codec != "audio/opus" {
				t.Errorf("the page speaks %s", h.Stats.Codec)
			}
			done <- err
		}()
		var call *phone.Call
		select {
		case call = <-p.Incoming():
		case err := <-done:
			t.Fatalf("the phone does not ring; browser: %v", err)
		}
		if err := call.Ring(); err != nil {
			t.Fatal(err)
		}
		call.Say(1000, 0.3)
		if err := call.Answer(); err != nil {
			t.Fatal(err)
		}
		if got := call.Format().Codec.Name; got != "PCMU" {
			t.Errorf("the phone speaks %s", got)
		}
		hears(t, call, 440)
		if err := <-done; err != nil {
			t.Errorf("browser: %v", err)
		}
		if err := call.WaitEnd(); err != nil {
			t.Error(err)
		}
	})
	t.Run("phone calls", func(t *testing.T) {
		ready, result := make(chan struct{}), make(chan error, 1)
		go func() {
			var h heard
			err := node(timed(t), func(line string) {
				if line == "waiting" {
					close(ready)
				}
			}, &h, "call.mjs", "--url", "http://"+b.Addr(box.HTTP)+"/", "--login", "1000", "--password", b.Password, "--wait", "--expect-hz", "1000")
			if len(h.Problems) > 0 {
				t.Errorf("%v", h.Problems)
			}
			result <- err
		}()
		select {
		case <-ready:
		case err := <-result:
			t.Fatalf("browser: %v", err)
		}
		call, err := p.Dial("1000")
		if err != nil {
			t.Fatal(err)
		}
		call.Say(1000, 0.3)
		if err := call.WaitAnswer(); err != nil {
			t.Fatal(err)
		}
		hears(t, call, 440)
		if err := <-result; err != nil {
			t.Errorf("browser: %v", err)
		}
		if err := call.WaitEnd(); err != nil {
			t.Error(err)
		}
	})
}

// The page asks a phone before it gives a call away: it goes back to the caller when
// told to and when it is refused, and then connects the two, by keyboard alone.
func TestPage_AsksBeforeATransfer(t *testing.T) {
	b := house(t)
	first, second, third := handset(t, b, "1001"), handset(t, b, "1002"), handset(t, b, "1003")
	var report struct {
		Steps    []string `json:"steps"`
		Problems []string `json:"problems"`
	}
	steps, result := make(chan string, 16), make(chan error, 1)
	go func() {
		result <- node(timed(t), func(line string) { steps <- line }, &report, "transfer.mjs", "--url", "http://"+b.Addr(box.HTTP)+"/",
			"--login", "1000", "--password", b.Password, "--number", "1001", "--hz", "1000", "--ask", "1002", "--ask-hz", "700", "--refuses", "9301")
	}()
	rings := func(p *phone.Phone) *phone.Call {
		t.Helper()
		select {
		case c := <-p.Incoming():
			return c
		case err := <-result:
			t.Fatalf("phone %s does not ring: %v %+v", p.User, err, report)
			return nil
		}
	}
	answer := func(p *phone.Phone, hz float64) *phone.Call {
		t.Helper()
		c := rings(p)
		c.Say(hz, 0.3)
		if err := c.Answer(); err != nil {
			t.Fatal(err)
		}
		return c
	}
	until := func(want string) {
		t.Helper()
		for {
			select {
			case got := <-steps:
				if got == want {
					return
				}
			case err := <-result:
				t.Fatalf("before %q: %v %+v", want, err, report)
			}
		}
	}
	caller := answer(first, 1000)
	asked := answer(second, 700)
	until("back")
	if err := asked.WaitEnd(); err != nil {
		t.Error(err)
	}
	refused := rings(third)
	box.Eventually(t, patience, "the waiting phone no longer hears the page", func() bool {
		caller.Forget()
		h, err := caller.Listen(440, 300*time.Millisecond)
		return err == nil && h.Level < 0.01
	})
	if err := refused.Reject(603, "Decline"); err != nil {
		t.Error(err)
	}
	until("refused")
	asked = answer(second, 700)
	until("transferred")
	hears(t, caller, 700)
	hears(t, asked, 1000)
	if err := <-result; err != nil || len(report.Problems) > 0 {
		t.Errorf("%v %+v", err, report)
	}
	if err := caller.Hangup(); err != nil {
		t.Error(err)
	}
	if err := asked.WaitEnd(); err != nil {
		t.Error(err)
	}
}

// A browser, a phone and a loopback channel meet: the browser hears both others and
// follows who is there, the phone hears the browser.
func TestConference_PagePhoneAndLoopback(t *testing.T) {
	b := house(t)
	p := handset(t, b, "1001")
	c := b.ESL(t)
	joined, result := make(chan struct{}), make(chan error, 1)
	var report struct {
		Changes  []string            `json:"changes"`
		Rows     [][]json.RawMessage `json:"rows"`
		Problems []string            `json:"problems"`
	}
	go func() {
		result <- node(timed(t), func(line string) {
			if line == "joined" {
				close(joined)
			}
		}, &report, "conference.mjs", "--ws", "ws://"+b.Addr(box.VertoWS), "--login", "1000", "--password", b.Password,
			"--number", "3000", "--members", "3", "--expect-hz", "1000,1700")
	}()
	select {
	case <-joined:
	case err := <-result:
		t.Fatalf("%v %+v", err, report)
	}
	call, err := p.Dial("3000")
	if err != nil {
		t.Fatal(err)
	}
	call.Say(1000, 0.2)
	if err := call.WaitAnswer(); err != nil {
		t.Fatal(err)
	}
	b.API(t, c, "bgapi originate loopback/3000/default &playback(tone_stream://%(60000,0,1700))")
	hears(t, call, 440)
	if err := <-result; err != nil || len(report.Problems) > 0 {
		t.Errorf("%v %+v", err, report)
	}
	if len(report.Rows) != 3 || strings.Join(report.Changes, " ") == "bootObj" {
		t.Errorf("changes %v, rows %s", report.Changes, report.Rows)
	}
	if err := call.Hangup(); err != nil {
		t.Error(err)
	}
}

// client is what clients.mjs tells of one client.
type client struct {
	Log      []any    `json:"log"`
	Problems []string `json:"problems"`
}

// Clients that others wrote call, hear early media, are heard, send digits, hold; and
// are called.
func TestClients_OfOthers(t *testing.T) {
	b := house(t)
	for _, name := range []string{"jquery", "vertojs", "signalwire", "jssip", "sipjs"} {
		t.Run(name, func(t *testing.T) {
			args := []string{"clients.mjs", "--client", name, "--ws", "ws://" + b.Addr(box.VertoWS), "--sip", "ws://" + b.Addr(box.HTTP) + "/sip",
				"--domain", "127.0.0.1", "--login", "1000", "--password", b.Password}
			w := newWatch(t, siteOf(b))
			var out, in map[string]client
			if err := node(timed(t), nil, &out, append(args, "--number", "9300", "--early", "1004")...); err != nil {
				t.Errorf("calling: %v %+v", err, out)
			}
			digits := ""
			w.until("end of the call", patience, func(e *esl.Event) bool {
				if e.Name() == "DTMF" {
					digits += e.Get("DTMF-Digit")
				}
				return e.Name() == "CHANNEL_DESTROY"
			})
			if !strings.HasPrefix(digits, "5") || !strings.Contains(digits, "7") {
				t.Errorf("the switch got the digits %q, want 5 and 7", digits)
			}
			err := node(timed(t), func(line string) {
				if line == "waiting "+name {
					b.API(t, w.c, "bgapi originate user/1000@127.0.0.1 &echo")
				}
			}, &in, append(args, "--wait")...)
			if err != nil {
				t.Errorf("called: %v %+v", err, in)
			}
		})
	}
}

// The page is used by keyboard alone, has names for all that can be used, and fits a
// telephone's width.
func TestPage_ByKeyboardAndOnATelephone(t *testing.T) {
	b := house(t)
	for name, extra := range map[string][]string{"with a microphone": {"--number", "9196"}, "without": {"--number", "9197", "--no-microphone"}} {
		t.Run(name, func(t *testing.T) {
			var report struct {
				Steps    []string `json:"steps"`
				Problems []string `json:"problems"`
			}
			err := node(timed(t), nil, &report, append([]string{"page.mjs", "--url", "http://" + b.Addr(box.HTTP) + "/", "--login", "1000",
				"--password", b.Password}, extra...)...)
			if err != nil || len(report.Problems) > 0 {
				t.Errorf("%v %+v", err, report)
			}
		})
	}
}
