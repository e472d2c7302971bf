package appliance

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestKnown_HasWhatTheRoomsRead looks for parameters in the source of the rooms.
func TestKnown_HasWhatTheRoomsRead(t *testing.T) {
	reads := regexp.MustCompile(`\b(?:p|params|external)\.?(?:Get|Int|Bool|All|Lookup)?\("([A-Za-z0-9-]+)"`)
	table := parameters()
	for file, place := range map[string]string{
		"../sip/settings.go": "sofia.conf/profile", "../sip/gateway.go": "sofia.conf/gateway", "logfile/logfile.go": "logfile.conf",
		"cdr/csv.go": "cdr_csv.conf", "cdr/recorder.go": "cdr_csv.conf",
	} {
		text, err := os.ReadFile(filepath.FromSlash(file))
		if err != nil {
			t.Fatal(err)
		}
		found := reads.FindAllStringSubmatch(string(text), -1)
		if len(found) == 0 {
			t.Errorf("%s: no parameters found", file)
		}
		for _, m := range found {
			if name := strings.ToLower(m[1]); !table[place][name] {
				t.Errorf("%s reads %q, which the table of %s has not", file, name, place)
			}
		}
	}
}

const checkTree = `<document type="freeswitch/xml">
<X-PRE-PROCESS cmd="set" data="default_password=1234"/>
<section name="configuration">
<configuration name="modules.conf"><modules>
<load module="mod_sofia"/>
<load module="mod_cdr_csv"/>
<load module="mod_av"/>
</modules></configuration>
<configuration name="alsa.conf"/>
<configuration name="event_socket.conf"><settings>
<param name="password" value="ClueCon"/>
<param name="listen-port" value="8021"/>
</settings></configuration>
<configuration name="sofia.conf"><profiles><profile name="internal"><gateways><gateway name="g">
<param name="realm" value="example.com"/>
<param name="sip_cid_type" value="pid"/>
</gateway></gateways><settings>
<param name="NDLB-force-rport" value="true"/>
<param name="proxy-refer" value="true"/>
</settings></profile></profiles></configuration>
</section>
<section name="dialplan"><context name="default"><extension name="x"><condition>
<action application="answer"/>
<action application="rxfax" data="/tmp/x.tif"/>
</condition></extension></context></section>
<section name="directory"><domain name="d"><users><user id="1000"><params>
<param name="password" value="$${default_password}"/>
<param name="vm-odd" value="x"/>
</params></user></users></domain></section>
</document>
`

const checkSays = `freeswitch.xml:7: warning: module "mod_av" is not part of this switch; the line is skipped
freeswitch.xml:9: info: nothing in this switch reads alsa.conf
freeswitch.xml:16: warning: sofia.conf/gateway: parameter "sip_cid_type" (value "pid") is not supported; it has no effect
freeswitch.xml:19: warning: sofia.conf/profile: parameter "proxy-refer" (value "true") is not supported; it has no effect
freeswitch.xml:28: warning: directory: parameter "vm-odd" (value "x") is not supported; it has no effect
freeswitch.xml:24: warning: application "rxfax" does not exist in this switch; a call that reaches it is hung up
freeswitch.xml:2: warning: default_password is "1234", which everybody knows, and 1 users have it; it is refused from off the box until it is changed, or insecure_passwords=allow is set
freeswitch.xml:11: warning: the event socket has the password "ClueCon", which everybody knows; it is refused from off the box until it is changed, or insecure_passwords=allow is set
works: 1 SIP profile, 1 gateway, 1 user, 1 domain, 1 dialplan context, 1 extension, the applications of 1 of 2 actions
0 errors, 7 warnings (not supported, or different here), 1 remarks; the configuration loads
`

func TestCheck_SaysWhatWillNotWork(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "freeswitch.xml"), []byte(checkTree), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errs strings.Builder
	if status := Main([]string{"check", dir}, nil, &out, &errs); status != 0 {
		t.Errorf("status %d, %s", status, errs.String())
	}
	if got := strings.ReplaceAll(out.String(), dir+string(filepath.Separator), ""); got != checkSays {
		t.Errorf("got\n%s\nwant\n%s", got, checkSays)
	}
}

func TestCheck_BuiltInConfigurationIsClean(t *testing.T) {
	var out, errs strings.Builder
	dir := t.TempDir()
	if status := Main([]string{"check", "--data", dir}, nil, &out, &errs); status != 0 {
		t.Fatalf("status %d: %s%s", status, out.String(), errs.String())
	}
	if _, err := os.Stat(data{dir}.secretsFile()); !os.IsNotExist(err) {
		t.Errorf("it made the secrets that the first start is to show: %v", err)
	}
	if strings.Contains(out.String(), "error:") || strings.Count(out.String(), "vm-password") > 1 {
		t.Errorf("of our own tree:\n%s", out.String())
	}
}

func TestCheck_MakesNoDirectory(t *testing.T) {
	var out, errs strings.Builder
	dir := filepath.Join(t.TempDir(), "freeswich")
	if status := Main([]string{"check", dir}, nil, &out, &errs); status != 1 || !strings.Contains(errs.String(), "no such file") {
		t.Errorf("status %d: %s%s", status, out.String(), errs.String())
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("there is %s now: %v", dir, err)
	}
}

func TestCheck_Vanilla(t *testing.T) {
	dir := os.Getenv("SWITCHLET_FS_CONF")
	if dir == "" {
		t.Skip("SWITCHLET_FS_CONF does not say where FreeSWITCH's stock configuration is")
	}
	if _, err := os.Stat(filepath.Join(dir, "freeswitch.xml")); err != nil {
		t.Skipf("SWITCHLET_FS_CONF: %v", err)
	}
	var out, errs strings.Builder
	if status := Main([]string{"check", dir, "--set", "external_rtp_ip=127.0.0.1", "--set", "external_sip_ip=127.0.0.1"}, nil, &out, &errs); status != 0 {
		t.Errorf("status %d: %s%s", status, out.String(), errs.String())
	}
	seen := map[string]bool{}
	for line := range strings.Lines(out.String()) {
		if strings.HasPrefix(line, "error") || seen[line] {
			t.Errorf("said twice, or an error: %s", line)
		}
		seen[line] = true
	}
	if !strings.Contains(out.String(), `default_password is "1234"`) {
		t.Errorf("nothing is said of the stock password:\n%s", out.String())
	}
}

func TestPartly_NamesWhatExists(t *testing.T) {
	b, err := Open(t.Context(), Options{Data: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Stop()
	for name := range partlyApplications {
		if b.Switch.Application(name) == nil {
			t.Errorf("there is no application %s", name)
		}
	}
	for name := range partlyCommands {
		if b.Switch.Command(name) == nil {
			t.Errorf("there is no command %s", name)
		}
	}
}
