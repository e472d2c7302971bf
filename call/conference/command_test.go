package conference

import (
	"encoding/binary"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/media"
	"github.com/switchlet/switchlet/media/file"
)

func TestCommand_Replies(t *testing.T) {
	inHouse(t, func(h *house) {
		h.wants("list", "+OK No active conferences.\n")
		h.wants("nosuch list", "-ERR Conference nosuch not found\n")
		h.wants("xml_list", "<?xml version=\"1.0\"?>\n<conferences></conferences>\n")
		h.wants("json_list", "[]")
		h.call("a", 0, "c1@loud+flags{moderator}")
		h.call("b", 0, "c1@loud")
		time.Sleep(time.Second)
		for _, w := range [][2]string{
			{"c1", "Conference command, not specified.\nTry 'help'\n"},
			{"c1 nosuch", "-ERR Conference command 'nosuch' not found.\n"},
			{"c1 count", "2"}, {"count", "1"}, {"c1 list count", "2"},
			{"c1 list pretty", "2) Phone b (b)\n1) Phone a (a)\n"},
			{"c1 energy 1", "Energy 1 = 100\n"}, {"c1 energy 1 up", "Energy 1 = 300\n"}, {"c1 energy", "energy <member_id|all|last|non_moderator> [<newval>]"},
			{"c1 energy 99 1", "-ERR Non-Existant ID 99\n"}, {"c1 energy a=b 1", "-ERR Non-Existant member\n"},
			{"c1 energy conference_member_id=2 0", "Energy 2 = 0\n"},
			{"c1 auto-energy 1 400", "1 = Auto-Energy: 400 Energy: 300\n"},
			{"c1 energy 1 600", "Auto-Energy level exceeded, Auto-Energy mode disabled\nEnergy 1 = 600\n"},
			{"c1 agc 1 1100", "Agc 1 = 1100\n"},
			{"c1 volume_in 1 9", "+OK Volume IN 1 = 4\n"}, {"c1 volume_out 1 -2", "+OK Volume OUT 1 = -2\n"},
			{"c1 volume_out 1 down", "+OK Volume OUT 1 = -3\n"},
			{"c1 position 1 0:0:0", "-ERR not supported\n"},
			{"c1 mute non_moderator quiet", "+OK mute 2\nSkipping moderator (member id 1).\n"},
			{"c1 unmute all", "+OK unmute 2\n+OK unmute 1\n"},
			{"c1 dtmf 2 12", "+OK sent 12 to 2\n"}, {"c1 dtmf 2 x", "-ERR Invalid input!\ndtmf <[member_id|all|last|non_moderator]> <digits>"},
			{"c1 floor 1", "+OK floor none\n"},
			{"c1 play", "play <file_path> [async|<member_id> [nomux]]"},
			{"c1 play nosuch.wav", "-ERR (play) File: nosuch.wav not found.\n"},
			{"c1 play tone_stream://%(9000,0,440)", "+OK (play) Playing file tone_stream://%(9000,0,440)\n"},
			{"c1 play tone_stream://%(900,0,440) async", "+OK (play) Playing file tone_stream://%(900,0,440)\n"},
			{"c1 play tone_stream://%(900,0,440) 2", "+OK (play) Playing file tone_stream://%(900,0,440) to member 2\n"},
			{"c1 play x.wav 99", "-ERR Member: 99 not found.\nplay <file_path> [async|<member_id> [nomux]]"},
			{"c1 pause_play", "+OK Pause\n"}, {"c1 pause_play", "+OK Resume\n"},
			{"c1 file-vol -6", "+OK volume changed\n"},
			{"c1 stop all", "+OK Stopped 2 files.\n"}, {"c1 stop all 99", "-ERR Member: 99 not found.\n"}, {"c1 stop current 2", "+OK Stopped 1 files.\n"},
			{"c1 stop what", "stop <[current|all|async|last]> [<member_id>]"},
			{"c1 pause_play", ""}, {"c1 play_status", "-ERR Nothing is playing\n"}, {"c1 file-vol 1", "-ERR File not playing\nfile-vol <vol#>"},
			{"c1 moh toggle", "+OK moh\n"}, {"c1 moh", "-ERR invalid moh param\n"},
			{"c1 say", "-ERR (say) Error! No text.\nsay <text>"}, {"c1 say hello all", "-ERR (say) Error!\nsay <text>"},
			{"c1 saymember 99 x", "-ERR (saymember) Unknown Member 99!\nsaymember <member_id> <text>"},
			{"c1 saymember 1 x", "+OK (saymember) OK\n"},
			{"c1 saymember 1", "-ERR (saymember) No Text!\nsaymember <member_id> <text>"},
			{"c1 relate 1 2 nospeak", "+OK 1->2 nospeak set\n"}, {"c1 relate 1", "1 -> 2 NOSPEAK HEAR NOSENDVIDEO \n"},
			{"c1 relate 1 99 nohear", "-ERR relationship 1->99 not found.\n"}, {"c1 relate 1 2 clear", "+OK relationship 1->2 cleared.\n"},
			{"c1 relate 1", "+OK No relationships\n"},
			{"c1 setvar mood good and bad", "+OK\n"}, {"c1 getvar mood", "good and bad"}, {"c1 setvar mood", "+OK\n"}, {"c1 getvar mood", ""},
			{"c1 exit_sound", "-ERR Not enough args\nexit_sound on|off|none|file <filename>"},
			{"c1 exit_sound file f.wav", "+OK Old exit sound: []\n+OK c1 exit sound file set to f.wav\n"},
			{"c1 exit_sound off", "+OK c1 exit sounds off (f.wav)\n"}, {"c1 enter_sound file", "-ERR No filename specified\n"},
			{"c1 enter_sound file g.wav", "+OK c1 enter sound file set to g.wav\n"}, {"c1 enter_sound on", "+OK c1 enter sounds on (g.wav)\n"},
			{"c1 enter_sound what", "-ERR Bad args\nenter_sound on|off|none|file <filename>"},
			{"c1 pin", "-ERR Invalid parameters:\npin <pin#>"},
			{"c1 get count", "2"}, {"c1 get profile_name", "loud"}, {"c1 get caller_id_number", "0000000000"}, {"c1 get what", "get <parameter-name>"},
			{"c1 set max_members 5", "0"}, {"c1 get max_members", "5"},
			{"c1 set what 1", "set <max_members|sound_prefix|caller_id_name|caller_id_number|endconference_grace_time> <value>"},
			{"c1 vid-layout 1x1", "-ERR Conference is not in mixing mode\n"}, {"c1 clear-vid-floor", "+OK floor Cleared\n"}, {"c1 vmute 1", "+OK vmute 1\n"},
			{"c1 transfer c9 99", "-ERR No Member 99 in conference c1.\n"},
			{"c1 transfer c9@loud 2", "+OK Member '2' sent to conference c9.\n"},
			{"c9 list count", "1"}, {"c9 energy 2", "Energy 2 = 100\n"},
		} {
			h.wants(w[0], w[1])
		}
		if got := h.api("c1 get-uuid 1"); h.sw.Find(got) == nil {
			t.Errorf("get-uuid %q", got)
		}
		time.Sleep(100 * time.Millisecond) // a free floor goes to the first
		line := h.api("c1 list")
		if ok, _ := regexp.MatchString(`^1;a;[0-9a-f-]{36};Phone a;a;hear\|speak\|floor\|moderator;4;-3;600\n$`, line); !ok {
			t.Errorf("list %q", line)
		}
		all := h.api("list summary")
		if want := "+OK Conference c1 (1 member rate: 8000 flags: running|answered|enforce_min|dynamic|exit_sound|enter_sound|json_status)\n"; !strings.Contains(all, strings.Replace(want, "exit_sound|", "", 1)) {
			t.Errorf("list summary %q", all)
		}
		if help := h.api("help"); !strings.Contains(help, "\t\tkick <[member_id|all|last|non_moderator]> [<optional sound file>]\n") {
			t.Error("help lacks kick")
		}
		if usage := h.api(""); !strings.HasPrefix(usage, "<conf name> list [delim <string>]|[count]\n") {
			t.Errorf("usage %.80q", usage)
		}
	})
}

func TestCommand_Lists(t *testing.T) {
	inHouse(t, func(h *house) {
		h.call("a b&c", 440, "c1@full+flags{moderator|ghost}")
		h.api("c1 record " + h.path("x.wav"))
		time.Sleep(time.Second)
		var doc struct {
			Conference struct {
				Name    string `xml:"name,attr"`
				Running string `xml:"running,attr"`
				Members struct {
					Member []struct {
						Type  string `xml:"type,attr"`
						ID    string `xml:"id"`
						Name  string `xml:"caller_id_name"`
						Path  string `xml:"record_path"`
						Flags struct {
							Ghost string `xml:"is_ghost"`
						} `xml:"flags"`
					} `xml:"member"`
				} `xml:"members"`
			} `xml:"conference"`
		}
		text := h.api("c1 xml_list")
		if err := xml.Unmarshal([]byte(text), &doc); err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		c := doc.Conference
		if c.Name != "c1" || c.Running != "true" || len(c.Members.Member) != 2 || c.Members.Member[0].Name != "Phone%20a%20b%26c" ||
			c.Members.Member[0].Flags.Ghost != "true" || c.Members.Member[1].Path != h.path("x.wav") {
			t.Errorf("%+v", c)
		}
		if !strings.Contains(text, "\n        <id>1</id>\n        <flags>\n          <can_hear>true</can_hear>\n") {
			t.Errorf("indented otherwise: %s", text)
		}
		text = h.api("c1 json_list")
		if !json.Valid([]byte(text)) || !strings.HasPrefix(text, "[{\n\t\t\"conference_name\":\t\"c1\",\n\t\t\"member_count\":\t0,\n\t\t\"ghost_count\":\t1,") {
			t.Errorf("json_list %s", text)
		}
		if text = h.api("json_list compact"); !json.Valid([]byte(text)) || strings.ContainsAny(text, "\n\t") {
			t.Errorf("compact %s", text)
		}
	})
}

func TestPlay_HeardByAllOrOne(t *testing.T) {
	inHouse(t, func(h *house) {
		a, b := h.call("a", 440, "r"), h.call("b", 1000, "r")
		time.Sleep(300 * time.Millisecond)
		h.take()
		h.api("r play tone_stream://%(1500,0,700)")
		a.hears([]float64{700, 1000}, nil)
		time.Sleep(time.Second)
		h.api("r play tone_stream://%(1500,0,700) 2 nomux")
		time.Sleep(100 * time.Millisecond)
		b.hears([]float64{700}, []float64{440})
		a.hears([]float64{1000}, []float64{700})
		h.api("r play {loops=3}tone_stream://%(500,0,350)")
		h.api("r play tone_stream://%(500,0,620)")
		time.Sleep(3 * time.Second)
		var files []string
		for _, e := range h.take() {
			switch e.Get("Action") {
			case "play-file", "play-file-done", "play-file-member", "play-file-member-done":
				files = append(files, e.Get("Action")+" "+e.Get("File")+" "+e.Get("milliseconds"))
			}
		}
		want := []string{"play-file tone_stream://%(1500,0,700) ", "play-file-done tone_stream://%(1500,0,700) 1500",
			"play-file-member tone_stream://%(1500,0,700) ", "play-file-member-done tone_stream://%(1500,0,700) 1500",
			"play-file {loops=3}tone_stream://%(500,0,350) ", "play-file tone_stream://%(500,0,620) ",
			"play-file-done tone_stream://%(500,0,350) 1500", "play-file-done tone_stream://%(500,0,620) 500"}
		if !slices.Equal(files, want) {
			t.Errorf("%q\nwant %q", files, want)
		}
	})
}

// TestPlay_AnyFileAtAnyRate plays 440 Hz on the left and 1000 Hz on the right, as
// MP3 and as WAV, to rooms and to single members.
func TestPlay_AnyFileAtAnyRate(t *testing.T) {
	inHouse(t, func(h *house) {
		mp3, err := filepath.Abs("../../media/file/mp3/testdata/tone.mp3")
		if err != nil {
			t.Fatal(err)
		}
		files := []string{mp3}
		for _, rate := range []int{8000, 11025, 44100, 48000} {
			name := h.path(fmt.Sprintf("stereo%d.wav", rate))
			if err := os.WriteFile(name, stereo(rate, 2*rate, 440, 1000), 0o600); err != nil {
				t.Fatal(err)
			}
			files = append(files, name)
		}
		for _, profile := range []string{"default", "wideband", "cdquality", "auto"} {
			room := "any-" + profile
			a := h.call("a-"+profile, 0, room+"@"+profile)
			b := h.call("b-"+profile, 0, room+"@"+profile)
			time.Sleep(300 * time.Millisecond)
			for _, name := range files {
				for _, to := range []string{"", " " + b.ch.Get("conference_member_id")} {
					if out := h.api(room + " play " + name + to); !strings.HasPrefix(out, "+OK") && !strings.Contains(out, "Playing") {
						t.Errorf("%s: play %s%s: %q", profile, name, to, out)
					}
					time.Sleep(100 * time.Millisecond)
					if to == "" {
						a.hears([]float64{440, 1000}, nil)
					} else {
						b.hears([]float64{440, 1000}, nil)
					}
					time.Sleep(2 * time.Second)
				}
			}
			h.api(room + " hup all")
		}
	})
}

// stereo is a WAV file with a tone on each side.
func stereo(rate, samples int, left, right float64) []byte {
	b := []byte("RIFF\x00\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x02\x00")
	b = binary.LittleEndian.AppendUint32(b, uint32(rate))
	b = binary.LittleEndian.AppendUint32(b, uint32(rate*4))
	b = append(b, "\x04\x00\x10\x00data"...)
	b = binary.LittleEndian.AppendUint32(b, uint32(samples*4))
	binary.LittleEndian.PutUint32(b[4:], uint32(36+samples*4))
	for i := range samples {
		for _, hz := range []float64{left, right} {
			b = binary.LittleEndian.AppendUint16(b, uint16(int16(10000*math.Sin(2*math.Pi*hz*float64(i)/float64(rate)))))
		}
	}
	return b
}

func TestRecord_HoldsAll(t *testing.T) {
	inHouse(t, func(h *house) {
		h.call("a", 440, "r")
		h.call("b", 1000, "r")
		path := h.path("new/folder/all.wav")
		h.wants("r record "+path, "+OK Record file "+path+"\n")
		h.wants("r record "+path, "-ERR file ["+path+"] is already being used for recording.\n")
		h.wants("r chkrecord", "+OK Record file "+path+"\n")
		time.Sleep(2 * time.Second)
		h.wants("r pause "+path, "+OK Pause recording file "+path+"\n")
		time.Sleep(2 * time.Second)
		h.wants("r recording resume "+path, "+OK Resume recording file "+path+"\n")
		h.wants("r norecord x", "-ERR non-existant recording 'x'\n+OK Stopped recording 0 files\n")
		h.wants("r recording stop all", "Stopped recording file "+path+"\n+OK Stopped recording 1 files\n")
		h.wants("r chkrecord", "-ERR Conference is not being recorded.\n")
		var told []string
		for _, e := range h.take() {
			if strings.HasSuffix(e.Get("Action"), "recording") {
				told = append(told, e.Get("Action")+" "+e.Get("Path")[len(h.dir):])
			}
		}
		want := []string{"start-recording /new/folder/all.wav", "pause-recording /new/folder/all.wav", "resume-recording /new/folder/all.wav", "stop-recording /new/folder/all.wav"}
		if !slices.Equal(told, want) {
			t.Errorf("%q", told)
		}
		pcm := readAll(t, path)
		if len(pcm) < 15000 || len(pcm) > 17000 {
			t.Fatalf("%d samples", len(pcm))
		}
		for _, hz := range []float64{440, 1000} {
			if l := level(pcm[8000:], 8000, hz); l < 4000 {
				t.Errorf("%.0f Hz at %.0f", hz, l)
			}
		}
	})
}

func readAll(t *testing.T, path string) (pcm []int16) {
	a, err := file.Open(path, 8000)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	buf := make([]int16, 8000)
	for {
		n, err := a.Read(buf)
		pcm = append(pcm, buf[:n]...)
		if err == io.EOF {
			return pcm
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestRecord_AutoFromTheSecondOn(t *testing.T) {
	inHouse(t, func(h *house) {
		h.call("a", 440, "r@recorded", v("recdir", h.dir))
		h.wants("r chkrecord", "-ERR Conference is not being recorded.\n")
		b := h.call("b", 1000, "r@recorded", v("recdir", h.dir))
		h.wants("r chkrecord", "+OK Record file "+h.path("auto.wav")+" (Auto)\n")
		if b.ch.Get("conference_recording") != h.path("auto.wav") {
			t.Error("conference_recording is not set")
		}
		h.wants("r norecord all", "Stopped AUTO recording file "+h.path("auto.wav")+" (Auto Recording Now Disabled)\n+OK Stopped recording 1 files\n")
		h.call("c", 0, "r@recorded", v("recdir", h.dir))
		h.wants("r chkrecord", "-ERR Conference is not being recorded.\n")
	})
}

func TestDial_BringsPeopleIn(t *testing.T) {
	inHouse(t, func(h *house) {
		h.wants("new dial phone/x 100 Big Boss", "+OK Call Requested: result: [SUCCESS]\n")
		if got := <-h.dials; got != "phone/x Big Boss 100" {
			t.Errorf("dialled %q", got)
		}
		h.wants("new count", "1")
		h.wants("new lock", "+OK new locked\n")
		h.wants("new dial phone/y", "+OK Call Requested: result: [SUCCESS]\n")
		h.wants("new count", "2")
		h.wants("new dial busy", "+OK Call Requested: result: [USER_BUSY]\n")
		h.wants("new dial", "-ERR Bad Args\ndial <endpoint_module_name>/<destination> <callerid number> <callerid name>")
		h.take()
		job := strings.TrimSuffix(strings.TrimPrefix(h.api("new bgdial phone/z"), "+OK Job-UUID: "), "\n")
		var result string
		for _, e := range h.take() {
			if e.Get("Action") == "bgdial-result" {
				result = e.Get("Result") + " " + e.Get("Job-UUID")
			}
		}
		if result != "SUCCESS "+job {
			t.Errorf("result %q of job %q", result, job)
		}
		h.api("new bgdial ringing")
		h.api("new hup all")
		h.wants("count", "0")
	})
}

func TestOutcall_OnJoining(t *testing.T) {
	inHouse(t, func(h *house) {
		p := h.newPhone("a", false, nil, &call.Extension{Name: "x", Actions: []call.Action{
			{App: "conference_set_auto_outcall", Data: "phone/x,phone/y"}, {App: "conference", Data: "r@loud"}}})
		p.ch.Start()
		time.Sleep(time.Second)
		h.wants("r count", "3")
	})
}

func TestRelate_OneDoesNotHearTheOther(t *testing.T) {
	inHouse(t, func(h *house) {
		a, b, c := h.call("a", 440, "r"), h.call("b", 1000, "r"), h.call("c", 1700, "r")
		h.api("r relate 1 2 nospeak")
		h.api("r relate 1 3 nohear")
		time.Sleep(300 * time.Millisecond)
		b.hears([]float64{1700}, []float64{440})
		a.hears([]float64{1000}, []float64{1700})
		c.hears([]float64{440, 1000}, nil)
	})
}

func TestSuppressed_AndComfortNoise(t *testing.T) {
	inHouse(t, func(h *house) {
		a := h.call("a", 0, "r@quiet")
		b := h.call("b", 440, "r@quiet")
		time.Sleep(time.Second)
		h.wantActions("conference-create", "add-member", "add-member")
		b.say(0)
		time.Sleep(time.Second)
		if e := media.Energy(a.listen(time.Second)); e < 1 || e > 200 {
			t.Errorf("comfort noise has energy %d", e)
		}
	})
}

func TestJournal_IsWritten(t *testing.T) {
	dir := ""
	inHouse(t, func(h *house) {
		dir = h.path("conference_cdr")
		h.call("a", 0, "r@logged")
		h.wants("r lock", "+OK r locked\n")
		h.call("b", 0, "r@logged")
		h.api("r kick all")
	})
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 {
		t.Fatalf("%v, %v", files, err)
	}
	text, _ := os.ReadFile(dir + "/" + files[0].Name())
	for _, want := range []string{"<was_kicked>true</was_kicked>", "<reason>conference_locked</reason>", "<caller_id_number>b</caller_id_number>"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
}

// TestSpeech_WhereTheProfileNamesAnEngine hears what is said instead of sounds, how many
// callers there are, and texts for all and for one.
func TestSpeech_WhereTheProfileNamesAnEngine(t *testing.T) {
	inHouse(t, func(h *house) {
		a := h.call("a", 0, "r@spoken")
		time.Sleep(500 * time.Millisecond)
		a.hears([]float64{650}, nil)
		time.Sleep(3 * time.Second)
		b := h.call("b", 0, "r@spoken")
		time.Sleep(300 * time.Millisecond)
		b.hears([]float64{750}, nil)
		a.hears(nil, []float64{750})
		time.Sleep(3 * time.Second)
		h.api("r mute 1")
		time.Sleep(200 * time.Millisecond)
		a.hears([]float64{850}, nil)
		b.hears(nil, []float64{850})
		time.Sleep(3 * time.Second)
		h.api("r unmute 1")
		time.Sleep(200 * time.Millisecond)
		a.hears([]float64{950}, nil)
		time.Sleep(3 * time.Second)
		h.take()
		h.wants("r say hello all", "+OK (say) OK\n")
		time.Sleep(200 * time.Millisecond)
		a.hears([]float64{1150}, nil)
		b.hears([]float64{1150}, nil)
		time.Sleep(3 * time.Second)
		h.wants("r saymember 2 you there", "+OK (saymember) OK\n")
		time.Sleep(200 * time.Millisecond)
		b.hears([]float64{1250}, nil)
		a.hears(nil, []float64{1250})
		var said []string
		for _, e := range h.take() {
			if strings.HasPrefix(e.Get("Action"), "speak-text") {
				said = append(said, e.Get("Action")+" "+e.Get("Text"))
			}
		}
		if want := []string{"speak-text hello all", "speak-text-member you there"}; !slices.Equal(said, want) {
			t.Errorf("%q, want %q", said, want)
		}
	})
}
