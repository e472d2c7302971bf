package commands

import (
	"context"
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/apps"
	"github.com/switchlet/switchlet/call/directory"
	"github.com/switchlet/switchlet/call/endpoint"
	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/call/kv"
	"github.com/switchlet/switchlet/call/regex"
	"github.com/switchlet/switchlet/conf"
	"github.com/switchlet/switchlet/media"
	"github.com/switchlet/switchlet/media/codec"
	"github.com/switchlet/switchlet/store"
)

const tree = `<document>
<section name="configuration"><configuration name="timezones.conf"><timezones>
  <zone name="Test/East" value="XST-2"/></timezones></configuration></section>
<section name="directory"><domain name="d.test"><users><user id="alice"><params><param name="p" value="1"/></params></user></users></domain></section>
</document>`

// box is a switch with this package's commands.
type box struct {
	t  *testing.T
	sw *call.Switch
}

func newBox(t *testing.T, change func(*Deps)) *box {
	t.Helper()
	s, err := conf.NewStore(t.Context(), conf.Options{Base: fstest.MapFS{"freeswitch.xml": &fstest.MapFile{Data: []byte(tree)}},
		Globals: []conf.Pair{{Name: "domain", Value: "d.test"}, {Name: "hostname", Value: "box"}}})
	if err != nil {
		t.Fatal(err)
	}
	databases, err := store.Open(store.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	db, err := kv.OpenDB(t.Context(), databases.Core())
	if err != nil {
		t.Fatal(err)
	}
	engine := media.NewEngine(media.EngineOptions{Codecs: codec.Table()})
	bus := event.NewBus(nil, nil)
	sw := call.NewSwitch(call.Options{Bus: bus, Log: call.NewLog(), Globals: s.Globals(), Media: engine, Hostname: "box",
		UUID: "core", SessionsPerSecond: 1000})
	d := Deps{Store: s, Directory: directory.New(s), ACL: directory.NewAccessLists(s), Regex: regex.NewCache(16),
		Hash: kv.NewHash(), Limits: kv.NewLimits(), DB: db, Modules: []string{"mod_commands"}, Codecs: []string{"PCMU", "L16", "L16", "opus", "own"}}
	if change != nil {
		change(&d)
	}
	sw.AddCommands(Table(d)...)
	sw.AddApplications(apps.Table(apps.Deps{Regex: d.Regex, Hash: d.Hash, Limits: d.Limits, DB: db})...)
	sw.AddEndpoint("null", endpoint.Null{})
	sw.AddEndpoint("error", endpoint.Error{})
	engine.Start(t.Context())
	sw.Start()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := sw.Stop(ctx); err != nil {
			t.Error(err)
		}
		engine.Close()
		bus.Close()
		databases.Close()
	})
	return &box{t, sw}
}

// run executes a command line.
func (b *box) run(line string) string {
	b.t.Helper()
	name, args, _ := strings.Cut(line, " ")
	out, err := b.sw.Run(b.t.Context(), name, args, nil, nil)
	if err != nil {
		b.t.Fatalf("%s: %v", line, err)
	}
	return out
}

// call makes a call that is parked.
func (b *box) call() *call.Channel {
	b.t.Helper()
	reply := b.run("originate null/x &park()")
	uuid := strings.TrimSpace(strings.TrimPrefix(reply, "+OK "))
	ch := b.sw.Find(uuid)
	if ch == nil {
		b.t.Fatalf("originate: %q", reply)
	}
	return ch
}

func TestReplies(t *testing.T) {
	b := newBox(t, nil)
	for _, c := range []struct{ line, want string }{
		{"echo a  b", "a  b"}, {"ECHO a", "a"}, {"hostname", "box"},
		{"coalesce ,b,c", "b"}, {"coalesce a b", "a b"}, {"coalesce ^^:::c:d", "c"}, {"coalesce", "-USAGE: [^^<delim>]<value1>,<value2>,...\n"},
		{"replace a|b", "-ERR"}, {"replace aba|b|x", "axa"}, {"replace m:~a|b~|~-", "a-b"},
		{"regex abc123|(\\d+)|x%1y", "x123y"}, {"regex abc|^b", "false"}, {"regex abc|(z)|x|n", ""}, {"regex abc|(z)|x|b", "false"},
		{"url_encode a b/c?d=é&x+y", "a%20b/c%3Fd%3D%C3%A9%26x%2By"}, {"url_decode a%20b+c", "a b+c"},
		{"md5 abc", "900150983cd24fb0d6963f7d28e17f72"}, {"md5", "!err!"}, {"quote_shell_arg it's", `'it'\''s'`},
		{"escape a b$c", `a\sb\$c`}, {"sql_escape it's", "it''s"}, {"toupper aé", "Aé"},
		{"strepoch 2020-01-01T00:00:00Z", "1577836800"}, {"strepoch 2020-01-01 01:00:00 +01:00", "1577836800"},
		{"strftime_tz UTC 1600000000|%Y-%m-%d %T", "2020-09-13 12:26:40"}, {"strftime_tz Test/East 1600000000|%H:%M", "14:26"},
		{"strftime_tz Nowhere 0|%Y", "-ERR Invalid timezone/format\n"},
		{"expand echo ${domain}", "d.test"}, {"expand nosuch x", "INVALID COMMAND!\n-ERR Cannot execute command\n"}, {"expand", "-ERR No input\n"},
		{"global_setvar a=b", "+OK"}, {"global_getvar a", "b"}, {"global_setvar a=c =x", "+OK"}, {"global_getvar a", "b"},
		{"global_setvar a=c =b", "+OK"}, {"global_getvar a", "c"}, {"global_setvar a=${x}", "+OK"}, {"global_getvar a", "%{x}"},
		{"user_exists id alice d.test", "true"}, {"user_exists", "false"}, {"domain_exists no.test", "false"},
		{"user_data alice@d.test param p", "1"}, {"find_user_xml", "-ERR bad args\n"},
		{"hash insert/r/k/v/w", "+OK\n"}, {"hash select/r/k", "v/w"}, {"hash insert_ifempty/r/k/x", "-ERR key already exists\n"},
		{"hash delete_ifmatch/r/k/x", "-ERR Doesn't match\n"}, {"hash_dump db r", "D/r_k/v/w\n"}, {"hash delete/r/k", "+OK\n"}, {"hash delete/r/k", "-ERR Not found\n"},
		{"hash x", hashUsage},
		{"db insert/r/k/v/w", "+OK"}, {"db select/r/k", "v/w"}, {"db exists/r/k", "true"}, {"db count/r", "1"}, {"db count/r/k", "!err!"},
		{"db list/r", "k"}, {"db delete/r/k", "+OK"}, {"db exists/r/k", "false"}, {"db x", "!err!"},
		{"group insert:g:null/1", "+OK"}, {"group insert:g:null/2", "+OK"}, {"group call:g:order", "null/1|null/2"}, {"group call:g:multi", "null/1:_:null/2"},
		{"limit_usage hash r i", "0"}, {"limit_status", "USAGE: limit_status <backend>\n"}, {"limit_interval_reset", "USAGE: limit_interval_reset <backend> <realm> <resource>\n"},
		{"json", "-ERR No JSON supplied.\n"}, {"json x", "-ERR Parse error.\n"},
		{`json {"command":"nope"}`, `{"command":"nope","status":"error","message":"Invalid request or non-existant command","response":null}` + "\n"},
		{`json {"command":"fsapi","data":{"cmd":"expr","arg":"1+1"}}`, `{"command":"fsapi","data":{"cmd":"expr","arg":"1+1"},"status":"success","response":{"message":"2"}}` + "\n"},
		{"xml_wrap echo <a>", "<result>\n  <row id=\"1\">\n    <data><a></data>\n  </row>\n</result>\n"},
		{"xml_wrap encoded echo <a>", "<result>\n  <row id=\"1\">\n    <data>%3Ca%3E</data>\n  </row>\n</result>\n"},
		{"interface_ip ipv4 lo", "127.0.0.1"}, {"interface_ip", "USAGE: interface_ip [auto|ipv4|ipv6] <ifname>\n"}, {"interface_ip ipv4 nosuch", ""},
		{"nat_map status", "false"}, {"db_cache", "parameter missing\n"}, {"db_cache status", "1 total. 0 in use.\n"},
		{"time_test", "parameter missing\n"}, {"timer_test 15", "parameter missing: <10|20|40|60|120> [<1..200>] [<timer_name>]\n"}, {"timer_test 10 1 hard", "Timer Error!\n"},
		{"stun", "-STUN Failed! NO STUN SERVER\n"},
		{"alias add a b", "+OK\n"}, {"alias add a a", "-USAGE: [add|stickyadd] <alias> <command> | del [<alias>|*]\n"}, {"show aliases", "sticky,alias,command,hostname\n0,a,b,box\n\n1 total.\n"},
		{"alias del *", "+OK\n"}, {"show aliases", "\n0 total.\n"},
		{"complete add sofia _any_ up", "+OK\n"}, {"show complete as delim |", "sticky|a1|a2|a3|a4|a5|a6|a7|a8|a9|a10|hostname\n0|sofia||up||||||||box\n\n1 total.\n"}, {"complete", "-USAGE: add <word>|del [<word>|*]\n"},
		{"presence", "Invalid: presence [in|out] <user> <rpid> <message>"}, {"presence in u@d unknown x", "Event Sent"}, {"presence out u@d", "Event Sent"},
		{"chat", "Invalid"}, {"chat sip|a|b|text", "Error! Message Not Sent"}, {"reg_url nobody@d.test", "error/user_not_registered"},
		{"page", "-ERR no data"}, {"event_channel_broadcast {", "-ERR parsing json\n"}, {`event_channel_broadcast {"eventChannel":"x"}`, "+OK message sent\n"},
		{"system true", "-ERR system commands are switched off: set allow_shell=true in switch.conf.xml\n"}, {"system", "-USAGE: <command>\n"},
		{"show dialplan nosuch", "\n0 total.\n"}, {"show channels as json", "{\"row_count\": 0}\n"}, {"show channels as xml", "<result row_count=\"0\"/>\n"}, {"show channels as x", "-ERR Cannot find format x\n"},
		{"show codec", "type,name,ikey\ncodec,G.711 ulaw,CORE_PCM_MODULE\ncodec,OPUS (STANDARD),mod_opus\ncodec,RAW Signed Linear (16 bit),CORE_PCM_MODULE\ncodec,own,CORE_PCM_MODULE\n\n4 total.\n"},
		{"sched_hangup +5", "-ERR No such channel!\n"}, {"sched_hangup", "-USAGE: [+]<time> <uuid> [<cause>]\n"}, {"sched_del nosuch", "+OK Deleted: 0\n"},
		{"fsctl", "-USAGE: " + fsctlWords + "\n"}, {"fsctl x", "-ERR Invalid command\nUSAGE: fsctl " + fsctlWords + "\n"}, {"fsctl sps 50", "+OK sessions per second: 50\n"},
		{"fsctl loglevel nosuch", "-ERR syntax error, log level not set!\n"}, {"fsctl min_idle_cpu 25", "+OK min idle cpu: 25.00%\n"},
		{"originate", "-USAGE: " + originateUsage + "\n"}, {"originate error/USER_BUSY &park()", "-ERR USER_BUSY\n"}, {"originate null/x undef", "-USAGE: " + originateUsage + "\n"},
		{"hupall", "+OK hangup all channels with cause MANAGER_REQUEST\n"}, {"hupall USER_BUSY a b c d", "+OK hangup all channels matching [a]=[b]... with cause: USER_BUSY\n"},
		{"valet_info", "<lots>\n</lots>\n"}, {"uuid_hold nosuch", "-ERR Operation failed\n"}, {"uuid_simplify nosuch", "-ERR Operation failed\n"},
		{"uuid_zombie_exec nosuch", "-ERR no such session\n"}, {"uuid_phone_event", "-USAGE: <uuid>\n-ERR Operation failed\n"},
	} {
		if got := b.run(c.line); got != c.want {
			t.Errorf("%s\n got %q\nwant %q", c.line, got, c.want)
		}
	}
}

func TestReplies_ThatVary(t *testing.T) {
	b := newBox(t, nil)
	for line, pattern := range map[string]string{
		"status":                    `^UP 0 years, 0 days, 0 hours, 0 minutes, \d+ seconds?, \d+ milliseconds?, \d+ microseconds?\nFreeSWITCH \(Version \S+ 64bit\) is ready\n0 session\(s\) since startup\n0 session\(s\) - peak 0, last 5min 0 \n0 session\(s\) per Sec out of max 1000, peak 0, last 5min 0 \n1000 session\(s\) max\nmin idle cpu \S+\nCurrent Stack Size/Max \S+\n$`,
		"version":                   `^FreeSWITCH Version \S+ \(.*\)\n$`,
		"create_uuid":               `^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`,
		"getcputime":                `^\d+, \d+$`,
		"memory":                    `\n\+OK\n$`,
		"time_test 1 2":             `^test 1 sleep 1 \d+\ntest 2 sleep 1 \d+\navg \d+\n$`,
		"timer_test 10 2":           `^Avg: [\d.]+ms Total Time: [\d.]+ms\n$`,
		"help":                      `(?s)^\nValid Commands:\n\n.*\nuuid_kill,<uuid> \[cause\],Kill channel,mod_commands\n`,
		"banner":                    `Switchlet`,
		`json {"command":"status"}`: `"status":"success","response":\{"systemStatus":"ready","uptime":\{"years":0,"days":0,.*"sessions":\{"count":\{"total":0,"active":0,`,
		"bgapi echo x":              `^\+OK Job-UUID: [0-9a-f-]{36}\n$`,
		"show api md5":              `^name,description,syntax,ikey\nmd5,Return md5 hash,<data>,mod_commands\n\n1 total.\n$`,
		"show modules mod_hash":     `(?s)^type,name,ikey,filename\napi,hash,mod_hash,\n.*application,hash,mod_hash,\n.*limit,hash,mod_hash,\n`,
	} {
		if got := b.run(line); !regexp.MustCompile(pattern).MatchString(got) {
			t.Errorf("%s gives %q, want %s", line, got, pattern)
		}
	}
}

func TestCallCommands(t *testing.T) {
	b := newBox(t, nil)
	ch := b.call()
	u := ch.UUID()
	for _, c := range []struct{ line, want string }{
		{"uuid_exists U", "true"}, {"uuid_setvar U a 'x y' z", "+OK\n"}, {"uuid_getvar U a", "x y z"}, {"uuid_getvar U nosuch", "_undef_"},
		{"uuid_setvar U a", "+OK\n"}, {"uuid_getvar U a", "_undef_"}, {"uuid_setvar_multi U b=1;c=2", "+OK\n"}, {"uuid_getvar U c", "2"},
		{"uuid_setvar U list[1] x", "+OK\n"}, {"uuid_getvar U list[1]", "x"},
		{"uuid_loglevel U err", "+OK\n"}, {"uuid_loglevel U nosuch", "-ERR Invalid log level!\n"}, {"uuid_loglevel U", "-USAGE: <uuid> <level>\n"},
		{"uuid_session_heartbeat U 10", "+OK\n"}, {"uuid_session_heartbeat U 0", "+OK\n"}, {"uuid_session_heartbeat U", "-USAGE: uuid_session_heartbeat <uuid> [sched] [0|<seconds>]\n"},
		{"uuid_drop_dtmf U on mask_digits X", "+OK U is dropping DTMF. mask_file: NONE mask_digits: X\n"}, {"uuid_drop_dtmf U off mask_file f", "+OK U is not dropping DTMF. mask_file: f mask_digits: NONE\n"},
		{"uuid_media U", success}, {"uuid_media off U", failed}, {"uuid_media_reneg U", failedUpper}, {"uuid_debug_media U both on", success},
		{"uuid_pause U on", ""}, {"uuid_xfer_zombie U", success}, {"uuid_early_ok U", ""}, {"uuid_preprocess U x", "+OK\n"}, {"uuid_set_media_stats U", "+OK:\n"},
		{"uuid_getvar U rtp_audio_in_packet_count", "0"}, {"uuid_video_refresh U", success}, {"uuid_codec_debug U audio 0", success},
		{"uuid_codec_param U audio read x y", "+OK Command sent reply: [NOT SENT]\n"}, {"uuid_send_text U hi", "+OK\n"}, {"uuid_capture_text U on", ""},
		{"uuid_record U stop /x.wav", "-ERR Cannot stop record session!\n"}, {"uuid_record U bogus /x.wav", "-USAGE: " + recordSyntax + "\n"},
		{"uuid_displace U bogus x", "-USAGE: " + displaceSyntax + "\n"}, {"uuid_displace U start x", "-ERR Cannot displace session!\n"}, {"uuid_displace U stop x", "-ERR Cannot stop displace session!\n"},
		{"tone_detect U k 440", "+OK Enabling tone detection 'k' '440' ''\n"}, {"tone_detect U", ""},
		{"uuid_recv_dtmf U 1x", "-USAGE: <uuid> <dtmf_data>\n"}, {"uuid_recv_dtmf U 12@100", "+OK U received DTMF 12@100.\n"}, {"uuid_flush_dtmf U", "+OK\n"},
		{"uuid_fileman U stop", "-ERR No file handle!\n"}, {"uuid_audio U start write mute -1", "+OK\n"}, {"uuid_buglist U", "<media-bugs>\n</media-bugs>\n"},
		{"uuid_limit U hash r i 1", "+OK"}, {"limit_usage hash r i", "1"}, {"hash_dump limit r", "L/r_i/1/0/0/0\n"}, {"hash_dump limit other", ""}, {"uuid_limit_release U hash r i", "+OK"}, {"limit_usage hash r i", "0"},
		{"uuid_jitterbuffer U 60", success}, {"uuid_jitterbuffer U x", failed}, {"uuid_deflect U sip:x@y", "+OK:\n"}, {"uuid_chat U x", "-ERR Send failed\n"},
		{"sched_api +600 g echo x", "+OK Added: 3\n"}, {"sched_hangup +600 U", "+OK\n"}, {"sched_del U", "+OK Deleted: 1\n"}, {"sched_del g", "+OK Deleted: 1\n"},
		{"show channels count", "\n1 total.\n"}, {"show calls count as json", `{"row_count":1,"rows":[]}`}, {"show bridged_calls", "\n0 total.\n"},
		{"uuid_hold U", success}, {"uuid_hold U", failed}, {"uuid_hold off U", success}, {"uuid_hold toggle U", success},
		{"uuid_kill U nosuch", "+OK\n"},
	} {
		line, want := strings.ReplaceAll(c.line, "U", u), c.want
		if strings.HasPrefix(want, "+OK U ") {
			want = strings.Replace(want, "U", u, 1)
		}
		if got := b.run(line); got != want {
			t.Errorf("%s\n got %q\nwant %q", c.line, got, want)
		}
	}
	if ch.Cause() != call.CauseNormalClearing {
		t.Errorf("killed with %s", ch.Cause())
	}
}

func TestShell_OnlyWhereAllowed(t *testing.T) {
	b := newBox(t, func(d *Deps) { d.AllowShell = true })
	if got := b.run("system printf abc"); got != "abc" {
		t.Errorf("system gives %q", got)
	}
	if got := b.run("bg_system true"); got != "+OK\n" {
		t.Errorf("bg_system gives %q", got)
	}
}

func TestUnknownAndCrashingCommands(t *testing.T) {
	b := newBox(t, nil)
	b.sw.AddCommands(call.Command{Name: "crash", Run: func(context.Context, *call.Switch, *call.Invocation) error { panic("boom") }})
	if _, err := b.sw.Run(t.Context(), "nosuch", "", nil, nil); !errors.Is(err, call.ErrNoCommand) {
		t.Errorf("%v, want ErrNoCommand", err)
	}
	if _, err := b.sw.Run(t.Context(), "crash", "", nil, nil); !errors.Is(err, call.ErrCommand) {
		t.Errorf("%v, want ErrCommand", err)
	}
}

func TestRegURL_FromRegistrations(t *testing.T) {
	b := newBox(t, func(d *Deps) {
		d.Registrations = func() [][]string {
			return [][]string{{"alice", "d.test", "t", "sofia/internal/sip:alice@192.0.2.1"}, {"alice", "d.test", "t", "sofia/internal/sip:alice@192.0.2.2"}, {"bob", "d.test", "t", "x"}}
		}
	})
	if got, want := b.run("reg_url alice@d.test/;x"), "sofia/internal/sip:alice@192.0.2.1;x,sofia/internal/sip:alice@192.0.2.2;x"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestPage_CallsEveryPhone(t *testing.T) {
	b := newBox(t, nil)
	path := t.TempDir() + "/page.wav"
	if err := os.WriteFile(path, []byte("RIFF"), 0o600); err != nil {
		t.Fatal(err)
	}
	created := make(chan string, 10)
	defer b.sw.Bus.Handle(event.ChannelCreate, "", func(e *event.Event) { created <- e.Get("Channel-Name") })()
	b.run("page (page_path=" + path + ",page_exten=sleep:1,page_dp=inline,page_chunk_size=1)null/a:_:null/b:_:null/c")
	seen := map[string]bool{}
	for len(seen) < 3 {
		select {
		case name := <-created:
			seen[name] = true
		case <-time.After(time.Minute):
			t.Fatalf("called %v", seen)
		}
	}
}

func TestStunValue_ReadsBothForms(t *testing.T) {
	id := []byte("abcdefghijkl")
	plain := append([]byte{1, 1, 0, 12, 0x21, 0x12, 0xA4, 0x42}, id...)
	plain = append(plain, 0, 1, 0, 8, 0, 1, 0x1F, 0x90, 192, 0, 2, 1)
	masked := append([]byte{1, 1, 0, 12, 0x21, 0x12, 0xA4, 0x42}, id...)
	masked = append(masked, 0, 0x20, 0, 8, 0, 1, 0x1F^0x21, 0x90^0x12, 192^0x21, 0^0x12, 2^0xA4, 1^0x42)
	for _, msg := range [][]byte{plain, masked} {
		if addr, ok := stunAddress(msg, id); !ok || addr.String() != "192.0.2.1:8080" {
			t.Errorf("%v %v", addr, ok)
		}
	}
	if _, ok := stunAddress(plain, []byte("another id  ")); ok {
		t.Error("an answer to somebody else was taken")
	}
}

func FuzzStunAddress(f *testing.F) {
	f.Add([]byte("\x01\x01\x00\x0c\x21\x12\xa4\x42abcdefghijkl\x00\x01\x00\x08\x00\x01\x1f\x90\xc0\x00\x02\x01"))
	f.Fuzz(func(t *testing.T, msg []byte) {
		if addr, ok := stunAddress(msg, []byte("abcdefghijkl")); ok && !addr.IsValid() {
			t.Errorf("accepted %v", addr)
		}
	})
}

func FuzzJSONRequest(f *testing.F) {
	for _, s := range []string{`{"command":"x"}`, `{}`, `{"a":{"b":[1,2]},"a":null}`, `[`, `{"a":1}x`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		o, err := jsonRequest(text)
		if err != nil {
			return
		}
		out, err := marshal(o)
		if err != nil {
			t.Fatalf("%q cannot be written again: %v", text, err)
		}
		again, err := jsonRequest(string(out))
		if err != nil || len(again) != len(o) {
			t.Errorf("%q became %q: %v", text, out, err)
		}
	})
}

func FuzzPageVars(f *testing.F) {
	f.Add("(page_path=/x,a='b,c')null/x")
	f.Add("(")
	f.Fuzz(func(t *testing.T, text string) {
		if vars, _, err := pageVars(text); err == nil && vars == nil {
			t.Error("neither variables nor an error")
		}
	})
}
