package commands

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/switchlet/switchlet/call/directory"
	"github.com/switchlet/switchlet/conf"
)

const routes = `<document>
<section name="dialplan">
<context name="default">
<extension name="nights" continue="true"><condition field="${night}" expression="^true$">
<action application="set" data="closed=yes" inline="true"/>
<anti-action application="log" data="INFO day"/></condition></extension>
<extension name="local"><condition field="destination_number" expression="^(10\d\d)$"/>
<condition field="${closed}" expression="^yes$" break="never"><action application="playback" data="closed.wav"/></condition>
<condition><action application="bridge" data="user/$1"/></condition></extension>
</context>
<context name="sales"><extension name="all"><condition field="caller_id_number" expression="^bob$"><action application="park"/></condition></extension></context>
</section>
<section name="directory"><domain name="d.test"><users><user id="bob"><variables><variable name="user_context" value="sales"/></variables></user></users></domain></section>
</document>`

// newRoutes is a switch with the tree above.
func newRoutes(t *testing.T) *box {
	return newBox(t, func(d *Deps) {
		s, err := conf.NewStore(t.Context(), conf.Options{Base: fstest.MapFS{"freeswitch.xml": &fstest.MapFile{Data: []byte(routes)}},
			Globals: []conf.Pair{{Name: "domain", Value: "d.test"}}})
		if err != nil {
			t.Fatal(err)
		}
		d.Store = s
		d.Directory = directory.New(s)
	})
}

func TestDialplanTrace(t *testing.T) {
	b := newRoutes(t)
	for _, tt := range []struct{ args, want string }{
		{"trace 9", `- [nights] ${night}() =~ /^true$/ break=on-false freeswitch.xml:4
    log(INFO day) anti-action freeswitch.xml:6
- [local] destination_number(9) =~ /^(10\d\d)$/ break=on-false freeswitch.xml:7
9 in context default: nights, actions: 1, conditions tested: 2
`},
		{"trace 1001 night=true", `+ [nights] ${night}(true) =~ /^true$/ break=on-false freeswitch.xml:4
    set(closed=yes) inline freeswitch.xml:5
+ [local] destination_number(1001) =~ /^(10\d\d)$/ break=on-false freeswitch.xml:7
+ [local] ${closed}(yes) =~ /^yes$/ break=never freeswitch.xml:8
    playback(closed.wav) freeswitch.xml:8
+ [local] absolute break=on-false freeswitch.xml:9
    bridge(user/$1) freeswitch.xml:9
1001 in context default: local, actions: 2, conditions tested: 4
`},
		{"trace 1 nowhere", "! Context nowhere not found\n1 in context nowhere: no extension, the call ends with NO_ROUTE_DESTINATION, conditions tested: 0\n"},
		{"trace user:bob 1", `+ [all] caller_id_number(bob) =~ /^bob$/ break=on-false freeswitch.xml:11
    park() freeswitch.xml:11
1 in context sales: all, actions: 1, conditions tested: 1
`},
		{"trace 1 sales caller_id_number=eve", `- [all] caller_id_number(eve) =~ /^bob$/ break=on-false freeswitch.xml:11
1 in context sales: no extension, the call ends with NO_ROUTE_DESTINATION, conditions tested: 1
`},
		{"trace user:eve 1", "-ERR no such user\n"},
		{"trace uuid:none 1", noChannel},
		{"trace", "-USAGE: dialplan " + dialplanUsage + "\n"},
		{"trace a=b", "-USAGE: dialplan " + dialplanUsage + "\n"},
	} {
		if got := b.run("dialplan " + tt.args); got != tt.want {
			t.Errorf("%s:\n%s\nwant\n%s", tt.args, got, tt.want)
		}
	}
}

// A call that is up is traced with its own variables, which stay as they are.
func TestDialplanTrace_OfACall(t *testing.T) {
	b := newRoutes(t)
	uuid := strings.TrimSpace(strings.TrimPrefix(b.run("originate {night=true}null/x &park()"), "+OK "))
	got := b.run("dialplan trace uuid:" + uuid + " 1000 default")
	if !strings.Contains(got, "+ [local] ${closed}(yes)") {
		t.Errorf("got %s", got)
	}
	if got := b.run("uuid_getvar " + uuid + " closed"); got != "_undef_" {
		t.Errorf("the trace changed the call: closed is %s", got)
	}
}
