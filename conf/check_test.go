package conf

import (
	"context"
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	const tree = `<X-PRE-PROCESS cmd="set" data="default_password=1234"/>
<d><section name="configuration">
<configuration name="modules.conf"><modules>
<load module="mod_sofia"/>
<load module="mod_java"/>
<load module="mod_v8" critical="true"/>
</modules></configuration>
<configuration name="event_socket.conf"><settings>
<param name="Password" value="ClueCon"/>
<param name="odd" value="1"/>
</settings></configuration>
<configuration name="sofia.conf"><profiles><profile name="p"><gateways><gateway name="g">
<param name="realm" value="r"/>
<param name="sip-port" value="1"/>
</gateway></gateways><settings>
<param name="sip-port" value="1"/>
<param name="realm" value="r"/>
</settings></profile></profiles></configuration>
<configuration name="alsa.conf"/>
<configuration name="ivr.conf"><menus><menu name="m">
<entry action="menu-exec-app" digits="1" param="rxfax x"/>
<entry action="menu-exec-app" digits="2" param="bridge x"/>
</menu></menus></configuration>
</section>
<section name="dialplan"><context name="c"><extension name="e"><condition>
<action application="Bridge" data="x"/>
<anti-action application="rxfax" data="x"/><action application="System" data="x"/>
</condition></extension></context></section>
<section name="directory"><domain name="d"><groups><group name="g"><users>
<user id="1"><params><param name="password" value="$${default_password}"/></params></user>
<user id="2"><params><param name="password" value="$${default_password}"/></params></user>
<user id="3"><params><param name="password" value="good"/><param name="dial-var-x" value="y"/></params></user>
<user id="5"><gateways><gateway name="u"><param name="realm" value="r"/><param name="odd" value="r"/></gateway></gateways></user>
<user id="4"><params>
<param name="password" value="4"/>
<param name="secret-thing" value="hidden"/>
</params></user>
</users></group></groups></domain></section></d>
`
	loaded, err := Load(context.Background(), Options{Base: treeOf(map[string]string{rootFile: tree})})
	if err != nil {
		t.Fatal(err)
	}
	set := func(names ...string) map[string]bool {
		m := map[string]bool{}
		for _, n := range names {
			m[n] = true
		}
		return m
	}
	var got []string
	for _, w := range Check(loaded, Known{
		Modules:      set("mod_sofia"),
		Applications: set("bridge", "system"), Remarks: map[string]string{"system": "is off"},
		Params: map[string]map[string]bool{
			"modules.conf": {}, "ivr.conf": {}, "event_socket.conf": set("password"),
			"sofia.conf": set("sip-port"), "sofia.conf/gateway": set("realm"), "directory": set("password", "dial-var-*"),
		},
	}) {
		got = append(got, w.String())
	}
	want := []string{
		`freeswitch.xml:5: warning: module "mod_java" is not part of this switch; the line is skipped`,
		`freeswitch.xml:6: error: module "mod_v8" is critical and not part of this switch; remove the line or critical="true"`,
		`freeswitch.xml:10: warning: event_socket.conf: parameter "odd" (value "1") is not supported; it has no effect`,
		`freeswitch.xml:14: warning: sofia.conf/gateway: parameter "sip-port" (value "1") is not supported; it has no effect`,
		`freeswitch.xml:17: warning: sofia.conf: parameter "realm" (value "r") is not supported; it has no effect`,
		`freeswitch.xml:19: info: nothing in this switch reads alsa.conf`,
		`freeswitch.xml:33: warning: sofia.conf/gateway: parameter "odd" (value "r") is not supported; it has no effect`,
		`freeswitch.xml:36: warning: directory: parameter "secret-thing" (value "…") is not supported; it has no effect`,
		`freeswitch.xml:33: warning: gateway "u" of a user is not started: no SIP profile has <domain name="d" parse="true"/>`,
		`freeswitch.xml:27: warning: application "rxfax" does not exist in this switch; a call that reaches it is hung up`,
		`freeswitch.xml:27: info: application "System" is supported in part: is off`,
		`freeswitch.xml:21: warning: application "rxfax" does not exist in this switch; pressing 1 leaves the menu`,
		`freeswitch.xml:35: warning: user 4 has the password "4", which everybody knows; it is refused from off the box until it is changed, or insecure_passwords=allow is set`,
		`freeswitch.xml:1: warning: default_password is "1234", which everybody knows, and 2 users have it; it is refused from off the box until it is changed, or insecure_passwords=allow is set`,
		`freeswitch.xml:9: warning: the event socket has the password "ClueCon", which everybody knows; it is refused from off the box until it is changed, or insecure_passwords=allow is set`,
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if quiet := Check(loaded, Known{}); len(quiet) != 3 {
		t.Errorf("without tables only passwords are looked at: %v", quiet)
	}
}

func TestCheck_PasswordsThatOpenADoor(t *testing.T) {
	const stock = `which everybody knows; it is refused from off the box until it is changed, or insecure_passwords=allow is set`
	for _, tt := range []struct{ tree, want string }{
		{`<configuration name="event_socket.conf"><settings><param name="password" value="works"/></settings></configuration>`,
			`freeswitch.xml:2: warning: the event socket has the password "works", ` + stock},
		{`<configuration name="event_socket.conf"><settings><param name="password" value="1234"/></settings></configuration>`,
			`freeswitch.xml:2: warning: the event socket has the password "1234", ` + stock},
		{`<configuration name="event_socket.conf"><settings><param name="password" value="letme-9"/></settings></configuration>`, ``},
		{`<configuration name="verto.conf"><profiles><profile name="v"><param name="root-password" value="root"/></profile></profiles></configuration>`,
			`freeswitch.xml:2: warning: root of Verto's profile v has the password "root", ` + stock},
		{`<configuration name="xml_rpc.conf"><settings><param name="auth-user" value="freeswitch"/><param name="auth-pass" value="works"/></settings></configuration>`, ``}, // it is not loaded
		{`<configuration name="modules.conf"><modules><load module="mod_xml_rpc"/></modules></configuration><configuration name="xml_rpc.conf"><settings><param name="auth-user" value="freeswitch"/><param name="auth-pass" value="works"/></settings></configuration>`,
			`freeswitch.xml:2: warning: commands by http want the password "works", ` + stock},
		{`<configuration name="modules.conf"><modules><load module="mod_xml_rpc"/></modules></configuration><configuration name="xml_rpc.conf"><settings><param name="auth-user" value="me"/><param name="auth-pass" value="me"/></settings></configuration>`,
			`freeswitch.xml:2: warning: commands by http want the password "me", ` + stock},
	} {
		loaded, err := Load(context.Background(), Options{Base: treeOf(map[string]string{rootFile: "<d><section name=\"configuration\">\n" + tt.tree + "\n</section></d>"})})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, w := range Check(loaded, Known{}) {
			got = append(got, w.String())
		}
		if strings.Join(got, "\n") != tt.want {
			t.Errorf("%s\ngot  %s\nwant %s", tt.tree, strings.Join(got, "\n"), tt.want)
		}
	}
}
