package conf

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// builtIn are the globals that a caller computes, as small as the tree needs.
func builtIn() []Pair {
	return []Pair{
		{"hostname", "box"}, {"local_ip_v4", "192.0.2.1"}, {"local_mask_v4", "255.255.255.0"},
		{"sounds_dir", "/s"}, {"certs_dir", "/c"}, {"log_dir", "/l"}, {"script_dir", "/x"}, {"recordings_dir", "/r"},
		{"default_password", "first"}, {"event_socket_password", "second"},
	}
}

func loadDefault(t *testing.T, opts Options) *Tree {
	t.Helper()
	opts.Globals = builtIn()
	tree, err := Load(context.Background(), opts)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func TestDefault_LoadsWithoutWarnings(t *testing.T) {
	tree := loadDefault(t, Options{})
	for _, w := range tree.Warnings() {
		if w.Level > Info {
			t.Error(w)
		}
	}
	for _, name := range []string{
		"switch.conf", "event_socket.conf", "sofia.conf", "verto.conf", "lua.conf", "conference.conf", "acl.conf", "local_stream.conf",
		"ivr.conf", "modules.conf", "timezones.conf", "opus.conf", "hash.conf", "db.conf", "cdr_csv.conf", "logfile.conf", "console.conf", "voicemail.conf",
	} {
		if tree.Configuration(name) == nil {
			t.Errorf("no configuration %s", name)
		}
	}
}

func TestDefault_PortsAndPasswordsComeFromGlobals(t *testing.T) {
	sets := map[string][2]string{
		"internal_sip_port":     {"sofia.conf/internal/sip-port", "15060"},
		"internal_tls_port":     {"sofia.conf/internal/tls-sip-port", "15061"},
		"external_sip_port":     {"sofia.conf/external/sip-port", "15080"},
		"external_tls_port":     {"sofia.conf/external/tls-sip-port", "15081"},
		"event_socket_port":     {"event_socket.conf/listen-port", "18021"},
		"rtp_start_port":        {"switch.conf/rtp-start-port", "26384"},
		"rtp_end_port":          {"switch.conf/rtp-end-port", "42768"},
		"event_socket_password": {"event_socket.conf/password", "secret"},
	}
	var opts Options
	for name, v := range sets {
		opts.Sets = append(opts.Sets, Pair{name, v[1]})
	}
	opts.Sets = append(opts.Sets, Pair{"default_password", "phones"}, Pair{"verto_wss_port", "18082"})
	tree := loadDefault(t, opts)
	for name, v := range sets {
		p, err := ParseParam(v[0] + "=")
		if err != nil {
			t.Fatal(err)
		}
		n := tree.Configuration(p.File)
		for _, part := range p.Path {
			n = named(n, part)
		}
		if got := Params(n).Get(p.Name); got != v[1] {
			t.Errorf("%s: %s is %q, want %q", name, v[0], got, v[1])
		}
	}
	user := named(tree.Section("directory"), "default").Child("users").Find("user", "id", "1019")
	if got := Params(user).Get("password"); got != "phones" {
		t.Errorf("password of 1019 is %q", got)
	}
	verto := Params(named(tree.Configuration("verto.conf"), "default-v4")).All("bind-local")
	if len(verto) != 2 || verto[1] != "0.0.0.0:18082" {
		t.Errorf("bind-local %q", verto)
	}
}

// TestDefault_EveryExtensionIsReached dials a number for each extension of the
// contexts default and public and sees that no earlier one takes it.
func TestDefault_EveryExtensionIsReached(t *testing.T) {
	tree := loadDefault(t, Options{})
	dial := map[string]string{
		"886": "global-intercept", "*8": "group-intercept", "**1000": "intercept-ext", "870": "redial", "881000": "eavesdrop", "*01001": "eavesdrop",
		"779": "eavesdrop_all", "*69": "call_return", "869": "call_return", "81010": "extension-intercom", "1000": "Local_Extension", "1019": "Local_Extension",
		"2000": "group_dial_sales", "2001": "group_dial_support", "2002": "group_dial_billing", "0": "operator", "4000": "vmain", "*98": "vmain",
		"3000": "nb_conferences", "3100": "wb_conferences", "3200": "uwb_conferences", "3300": "cdquality_conferences", "3500": "cdquality_conferences",
		"5000": "demo", "5001": "ivr_demo", "5900": "park", "5901": "unpark", "6000": "valet_park_ask", "6001": "valet_park", "wait": "wait",
		"9170": "Talking Clock Time", "9171": "Talking Clock Date", "9172": "Talking Clock Date and Time",
		"9180": "ringback_180", "9181": "ringback_183_uk_ring", "9182": "ringback_183_music_ring", "9183": "ringback_post_answer_uk_ring", "9184": "ringback_post_answer_music",
		"9192": "show_info", "9195": "delay_echo", "9196": "echo", "9197": "milliwatt", "9198": "tone_stream", "9664": "hold_music", "12125551212": "domestic",
	}
	ctx := tree.Locate("dialplan", "context", "name", "default")
	reached := map[string]bool{"unloop": true, "unknown_number": true}
	for number, want := range dial {
		got := ""
		for _, ext := range ctx.ChildrenNamed("extension") {
			if ext.Attr("continue") == "true" {
				reached[ext.Attr("name")] = true
				continue
			}
			if takes(t, ext, number) {
				got = ext.Attr("name")
				break
			}
		}
		if got != want {
			t.Errorf("%s reaches %q, want %q", number, got, want)
		}
		reached[got] = true
	}
	for _, ext := range ctx.ChildrenNamed("extension") {
		if name := ext.Attr("name"); !reached[name] {
			t.Errorf("%s: nothing reaches extension %s", ext.Where(), name)
		}
	}
}

// takes reports whether the number conditions of an extension hold.
func takes(t *testing.T, ext *Node, number string) bool {
	t.Helper()
	matched := false
	for _, c := range ext.ChildrenNamed("condition") {
		if c.Attr("field") != "destination_number" {
			continue
		}
		re, err := regexp.Compile(c.Attr("expression"))
		if err != nil {
			t.Fatalf("%s: %v", c.Where(), err)
		}
		if !re.MatchString(number) {
			return false
		}
		matched = true
	}
	return matched
}

// TestDefault_TakesOverlays puts files where people put them: each place that
// is included by a pattern.
func TestDefault_TakesOverlays(t *testing.T) {
	dir := t.TempDir()
	files := map[string]string{
		"dialplan/default/00_mine.xml":     `<include><extension name="mine"><condition/></extension></include>`,
		"dialplan/mine.xml":                "<include>\n<context name=\"mine\"></context>\n</include>",
		"dialplan/public/mine.xml":         "<include>\n<extension name=\"mine\"/>\n</include>",
		"directory/mine.xml":               "<include>\n<domain name=\"mine.test\"/>\n</include>",
		"directory/default/2345.xml":       "<include>\n<user id=\"2345\"/>\n</include>",
		"ivr_menus/mine.xml":               "<include>\n<menu name=\"mine\"/>\n</include>",
		"sip_profiles/external/mine.xml":   "<include>\n<gateway name=\"mine\"/>\n</include>",
		"sip_profiles/mine.xml":            "<profile name=\"mine\"/>",
		"autoload_configs/mine.conf.xml":   "<configuration name=\"mine.conf\"/>",
		"autoload_configs/opus.conf.xml":   "<configuration name=\"opus.conf\"><settings><param name=\"complexity\" value=\"1\"/></settings></configuration>",
		"autoload_configs/.hidden.xml":     "<broken",
		"autoload_configs/other.xml.saved": "<broken",
	}
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(strings.ReplaceAll(text, "<include><", "<include>\n<")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	tree := loadDefault(t, Options{Overlays: []string{dir, filepath.Join(dir, "absent")}})
	if tree.Locate("dialplan", "context", "name", "mine") == nil || tree.Configuration("mine.conf") == nil || tree.Locate("directory", "domain", "name", "mine.test") == nil {
		t.Error("a file beside the included ones was not read")
	}
	if got := Params(tree.Configuration("opus.conf")).Get("complexity"); got != "1" {
		t.Errorf("opus.conf was not replaced: complexity %q", got)
	}
	if got := tree.Configuration("opus.conf").File; got != filepath.Join(dir, "autoload_configs", "opus.conf.xml") {
		t.Errorf("opus.conf is said to be %s", got)
	}
	for where, n := range map[string]*Node{
		"user":      named(tree.Section("directory"), "default").Child("users").Find("user", "id", "2345"),
		"menu":      named(tree.Configuration("ivr.conf"), "mine"),
		"gateway":   named(named(tree.Configuration("sofia.conf"), "external"), "mine"),
		"profile":   named(tree.Configuration("sofia.conf"), "mine"),
		"extension": named(tree.Locate("dialplan", "context", "name", "public"), "mine"),
	} {
		if n == nil {
			t.Errorf("the overlay's %s was not read", where)
		}
	}
}
