package speech_test

import (
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/apps"
	"github.com/switchlet/switchlet/call/dialplan"
	"github.com/switchlet/switchlet/call/endpoint"
	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/call/kv"
	"github.com/switchlet/switchlet/call/originate"
	"github.com/switchlet/switchlet/call/regex"
	"github.com/switchlet/switchlet/call/say"
	"github.com/switchlet/switchlet/call/speech"
	"github.com/switchlet/switchlet/conf"
	"github.com/switchlet/switchlet/media"
	"github.com/switchlet/switchlet/media/codec"
	"github.com/switchlet/switchlet/media/file"
	"github.com/switchlet/switchlet/media/resample"
	"github.com/switchlet/switchlet/media/stream"
)

// patience bounds every wait of a test.
const patience = time.Minute

type openers struct{ *stream.Opener }

func (o openers) Create(path string, rate, channels int, _ bool) (media.Sink, error) {
	return o.Opener.Create(path, rate, channels)
}

// house is a switch with speech and one caller.
type house struct {
	t      *testing.T
	sw     *call.Switch
	speech *speech.Speech
	log    *call.LogFollower
	dir    string // what is kept
	tmp    string
	tone   string // a file with a tone of 600 ms
}

// newHouse has engines: the children of engines in tts.conf, and a command for
// tts_commandline.conf. TMP and TONE stand for the house's own.
func newHouse(t *testing.T, engines, command string, shell bool) *house {
	t.Helper()
	h := &house{t: t, dir: filepath.Join(t.TempDir(), "kept"), tmp: t.TempDir()}
	h.tone = filepath.Join(h.tmp, "tone.wav")
	sink, err := file.Create(h.tone, 8000, 1)
	if err != nil {
		t.Fatal(err)
	}
	pcm := make([]int16, 4800)
	for i := range pcm {
		pcm[i] = int16(8000 * math.Sin(2*math.Pi*440*float64(i)/8000))
	}
	if err := sink.Write(pcm); err != nil {
		t.Fatal(err)
	}
	if err := sink.Close(); err != nil {
		t.Fatal(err)
	}
	tree := strings.NewReplacer("TMP", h.tmp, "TONE", h.tone).Replace(`<document type="freeswitch/xml"><section name="configuration">
		<configuration name="tts.conf"><engines>` + engines + `</engines></configuration>
		<configuration name="tts_commandline.conf"><settings><param name="command" value="` + command + `"/></settings></configuration>
		</section></document>`)
	store, err := conf.NewStore(t.Context(), conf.Options{Base: fstest.MapFS{"freeswitch.xml": {Data: []byte(tree)}}})
	if err != nil {
		t.Fatal(err)
	}
	engine := media.NewEngine(media.EngineOptions{Codecs: codec.Table(), NewResampler: func(from, to int) media.Resampler {
		r, err := resample.New(from, to)
		if err != nil {
			return nil
		}
		return r
	}})
	cache, bus, log := regex.NewCache(16), event.NewBus(nil, nil), call.NewLog()
	h.log = log.Follow(call.LogWarning, 1000)
	h.sw = call.NewSwitch(call.Options{Bus: bus, Log: log, Globals: store.Globals(), Media: engine, Sounds: openers{&stream.Opener{}}})
	h.sw.AddApplications(apps.Table(apps.Deps{Regex: cache, Hash: kv.NewHash(), Limits: kv.NewLimits()})...)
	h.sw.AddEndpoint("null", endpoint.Null{})
	h.sw.AddDialplan("inline", dialplan.InlinePlan{})
	h.speech = speech.New(speech.Options{Switch: h.sw, Store: store, Dir: h.dir, AllowShell: shell})
	h.sw.AddApplications(h.speech.Applications()...)
	h.sw.Phrases = say.New(say.Options{Switch: h.sw, Store: store, Regex: cache, Speaker: h.speech,
		Zone: func(string) (*time.Location, bool) { return time.UTC, true }})
	engine.Start(context.Background())
	h.sw.Start()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := h.sw.Stop(ctx); err != nil {
			t.Error(err)
		}
		engine.Close()
		bus.Close()
		h.log.Close()
	})
	return h
}

// copier is an engine that copies the tone.
const copier = `<engine name="copier" program="cp" args="TONE ${file}"/>`

func (h *house) file(engine, voice, text string) (string, error) {
	return h.speech.File(h.t.Context(), engine, voice, text, 8000)
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestFile_IsMadeOnceAndKept(t *testing.T) {
	h := newHouse(t, copier+`<engine name="counter" program="sh" args="TMP/count ${file} ${voice} ${text}"/>`, "", false)
	if err := os.WriteFile(h.tmp+"/count", []byte("echo \"$2|$3|$#\" >> "+h.tmp+"/calls\ncp "+h.tone+" \"$1\"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	const text = `it's "$(touch TMP/x)"; ${voice} && -v`
	var wg sync.WaitGroup
	paths := make([]string, 20)
	for i := range paths {
		wg.Go(func() {
			path, err := h.file("counter", "slt", text)
			if err != nil {
				t.Error(err)
			}
			paths[i] = path
		})
	}
	wg.Wait()
	if got, want := read(t, h.tmp+"/calls"), "slt|"+text+"|3\n"; got != want {
		t.Errorf("the program was called with\n%swant\n%s", got, want)
	}
	for _, p := range paths {
		if p != paths[0] || filepath.Dir(p) != h.dir {
			t.Fatalf("files %q", paths)
		}
	}
	// Another voice is another file; what is gone is made anew.
	other, err := h.file("COUNTER", "rms", text)
	if err != nil || other == paths[0] {
		t.Errorf("%s, %v", other, err)
	}
	if err := os.Remove(paths[0]); err != nil {
		t.Fatal(err)
	}
	if again, err := h.file("counter", "slt", text); err != nil || again != paths[0] {
		t.Errorf("%s, %v", again, err)
	}
	if got := strings.Count(read(t, h.tmp+"/calls"), "\n"); got != 3 {
		t.Errorf("%d runs, want 3", got)
	}
	if left, _ := filepath.Glob(h.dir + "/new-*"); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

func TestFile_ShellGetsTheTextQuoted(t *testing.T) {
	h := newHouse(t, "", `printf '%s|%s|%s' ${text} ${voice} ${rate} &gt; TMP/said; cp TONE ${file}`, true)
	const text = `'; touch TMP/x; '$(touch TMP/y)` + "`touch TMP/z`" + ` "${file}" \ *`
	if _, err := h.file("tts_commandline", "slt", strings.ReplaceAll(text, "TMP", h.tmp)); err != nil {
		t.Fatal(err)
	}
	if got, want := read(t, h.tmp+"/said"), strings.ReplaceAll(text, "TMP", h.tmp)+"|slt|8000"; got != want {
		t.Errorf("said %q\nwant %q", got, want)
	}
	for _, name := range []string{"x", "y", "z"} {
		if _, err := os.Stat(h.tmp + "/" + name); err == nil {
			t.Errorf("the text was carried out: %s", name)
		}
	}
}

func TestFile_SaysWhatIsWrong(t *testing.T) {
	h := newHouse(t, copier+`<engine name="absent" program="no-such-program-here"/><engine name="empty"/>
		<engine name="failing" program="sh" args="-c echo&#x09;oops&gt;&amp;2;exit&#x09;3"/><engine name="nothing" program="true"/>
		<engine name="hollow" program="touch" args="${file}"/>`, "exit 0", false)
	for name, c := range map[string]struct{ engine, voice, text, want string }{
		"unknown":  {"nosuch", "v", "x", "Invalid TTS module nosuch[v]! there is no such engine"},
		"absent":   {"absent", "v", "x", "Invalid TTS module absent[v]! the program no-such-program-here is not installed"},
		"empty":    {"empty", "v", "x", "neither program nor url"},
		"no shell": {"tts_commandline", "v", "x", "allow_shell=true"},
		"failing":  {"nothing", "v", "x", "no sound file was made"},
		"hollow":   {"hollow", "v", "x", "the sound file is empty"},
		"long":     {"copier", "v", strings.Repeat("x", 9<<10), "at most 8192 are spoken"},
		"path":     {"copier", "../../etc/passwd", "x", "no name of a voice"},
		"address":  {"copier", "http://192.0.2.1/voice", "x", "no name of a voice"},
		"option":   {"copier", "-h", "x", "no name of a voice"},
	} {
		if path, err := h.file(c.engine, c.voice, c.text); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %q, %v; want %q", name, path, err, c.want)
		}
	}
	if path, err := h.file("copier", "v", " \n"); err != nil || path != "" {
		t.Errorf("an empty text: %q, %v", path, err)
	}
}

func TestFile_EngineIsEndedWithItsCall(t *testing.T) {
	h := newHouse(t, "", `touch TMP/began; sleep 3600 | cat`, true)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for {
			if _, err := os.Stat(h.tmp + "/began"); err == nil {
				cancel()
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
	}()
	// Its own limit would say "no speech within …".
	if _, err := h.speech.File(ctx, "tts_commandline", "v", "x", 8000); err == nil || strings.Contains(err.Error(), "no speech") {
		t.Errorf("it ended with %v", err)
	}
}

func TestFile_FromAnAddress(t *testing.T) {
	var mu sync.Mutex
	var asked []string
	h := newHouse(t, "", "", false)
	tone := read(t, h.tone)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		asked = append(asked, fmt.Sprintf("%s %s %s %s %s", r.Method, r.URL, r.Header.Get("Content-Type"), r.Header.Get("Authorization"), body))
		mu.Unlock()
		switch {
		case strings.Contains(r.URL.Path, "missing"):
			http.Error(w, "no", http.StatusNotFound)
		case strings.Contains(r.URL.Path, "large"):
			io.Copy(w, io.LimitReader(zeros{}, 40<<20))
		default:
			io.WriteString(w, tone)
		}
	}))
	defer server.Close()
	h = newHouse(t, strings.ReplaceAll(`<engine name="get" url="URL/say?t=${text}&amp;v=${voice}"/>
		<engine name="post" url="URL/post"><header name="Authorization" value="Bearer key"/>
			<body type="application/json">{"voice": "${voice}", "input": "${text}"}</body></engine>
		<engine name="missing" url="URL/missing"/><engine name="large" url="URL/large"/>`, "URL", server.URL), "", false)
	for _, engine := range []string{"get", "post"} {
		path, err := h.file(engine, "alan", `a&b "c" é`)
		if err != nil || read(t, path) != tone {
			t.Fatalf("%s: %s, %v", engine, path, err)
		}
	}
	want := []string{"GET /say?t=a%26b+%22c%22+%C3%A9&v=alan   ", `POST /post application/json Bearer key {"voice": "alan", "input": "a\u0026b \"c\" é"}`}
	mu.Lock()
	got := strings.Join(asked, "\n")
	mu.Unlock()
	if want := strings.Join(want, "\n"); got != want {
		t.Errorf("asked\n%s\nwant\n%s", got, want)
	}
	for engine, part := range map[string]string{"missing": "404", "large": "at most"} {
		if _, err := h.file(engine, "v", "the secret text"); err == nil || !strings.Contains(err.Error(), part) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", engine, err)
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// caller makes a call that runs applications, and returns what it heard and what
// was logged once it is over.
func (h *house) caller(actions ...call.Action) (heard time.Duration, logged string, cause string) {
	h.t.Helper()
	ch, err := originate.Dial(h.t.Context(), h.sw, "null/caller", originate.Options{})
	if err != nil {
		h.t.Fatal(err)
	}
	var mu sync.Mutex
	loud := 0
	remove := ch.Port().Tap(media.Write, 8000, func(pcm []int16) {
		mu.Lock()
		defer mu.Unlock()
		for _, v := range pcm {
			if v > 1000 || v < -1000 {
				loud++
			}
		}
	})
	defer remove()
	if err := ch.TransferTo(&call.Extension{Name: "test", Actions: actions}); err != nil {
		h.t.Fatal(err)
	}
	select {
	case <-ch.Done():
	case <-time.After(patience):
		h.t.Fatal("the call does not end")
	}
	for {
		select {
		case l := <-h.log.Lines():
			logged += l.Text
			continue
		default:
		}
		break
	}
	mu.Lock()
	defer mu.Unlock()
	return time.Duration(loud) * time.Second / 8000, logged, ch.Cause().String()
}

func TestSpeak_IsHeard(t *testing.T) {
	h := newHouse(t, copier, "", false)
	engine, voice := call.Action{App: "set", Data: "tts_engine=copier"}, call.Action{App: "set", Data: "tts_voice=slt"}
	for name, actions := range map[string][]call.Action{
		"all":       {{App: "speak", Data: "copier|slt|hello | you"}},
		"voice":     {engine, {App: "speak", Data: "slt|hello"}},
		"text":      {engine, voice, {App: "speak", Data: "hello"}},
		"say:":      {engine, voice, {App: "playback", Data: "say:it is 12:34:56"}},
		"say: with": {{App: "playback", Data: "say:copier:slt:hello"}},
	} {
		heard, logged, _ := h.caller(actions...)
		// Most of a sine is louder than the threshold.
		if heard < 300*time.Millisecond || heard > 700*time.Millisecond || logged != "" {
			t.Errorf("%s: %v of sound, logged %q", name, heard, logged)
		}
	}
	for name, c := range map[string]struct {
		actions       []call.Action
		logged, cause string
	}{
		"no engine":      {[]call.Action{{App: "speak", Data: "hello"}}, "Invalid Params! [NULL][NULL][hello]", "DESTINATION_OUT_OF_ORDER"},
		"unknown engine": {[]call.Action{{App: "speak", Data: "nosuch|slt|hello"}}, "Invalid TTS module nosuch[slt]!", "NORMAL_CLEARING"},
		"nothing":        {[]call.Action{{App: "speak", Data: ""}}, "Invalid Params!", "NORMAL_CLEARING"},
	} {
		heard, logged, cause := h.caller(c.actions...)
		if heard != 0 || !strings.Contains(logged, c.logged) || cause != c.cause {
			t.Errorf("%s: %v of sound, %s, logged %q", name, heard, cause, logged)
		}
	}
}

func TestSpeak_SaysWordsForKeys(t *testing.T) {
	h := newHouse(t, `<engine name="teller" program="sh" args="TMP/tell ${file}"/>`, "", false)
	if err := os.WriteFile(h.tmp+"/tell", []byte("cat >> "+h.tmp+"/said; cp "+h.tone+" \"$1\"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	h.caller(call.Action{App: "set", Data: "pound_replace=hash"}, call.Action{App: "speak", Data: "teller|slt|press * or #"})
	if got := read(t, h.tmp+"/said"); got != "press star or hash\n" {
		t.Errorf("said %q", got)
	}
}

// TestFlite speaks with the real program.
func TestFlite(t *testing.T) {
	if _, err := exec.LookPath("flite"); err != nil {
		t.Skip("flite is not installed")
	}
	h := newHouse(t, `<engine name="flite" program="flite" args="-voice ${voice} -t ${text} -o ${file}"/>`, "", false)
	if heard, logged, _ := h.caller(call.Action{App: "speak", Data: "flite|slt|Good morning, how are you?"}); heard < 200*time.Millisecond || logged != "" {
		t.Errorf("%v of sound, logged %q", heard, logged)
	}
}

func TestKept_StaysWithinItsBound(t *testing.T) {
	h := newHouse(t, `<engine name="big" program="cp" args="TMP/big ${file}"/>`, "", false)
	if err := os.WriteFile(h.tmp+"/big", make([]byte, 10<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(h.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(h.dir+"/new-left", []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		if _, err := h.file("big", "v", fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	list, err := os.ReadDir(h.dir)
	if err != nil || len(list) != 6 {
		t.Errorf("%d files of 10 MiB are kept, want 6 (64 MiB): %v", len(list), err)
	}
}
