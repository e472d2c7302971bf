package sip

import (
	"fmt"
	"strings"
	"testing"

	"github.com/switchlet/switchlet/conf"
)

func TestSettings_AddressNobodyReaches_IsWarnedOf(t *testing.T) {
	for _, tt := range []struct{ own, told, want string }{
		{"192.0.2.1", "127.0.0.1", "ext-rtp-ip: others are told to send to 127.0.0.1, which no other machine can reach"},
		{"192.0.2.1", "0.0.0.0", "ext-rtp-ip: others are told to send to 0.0.0.0"},
		{"192.0.2.1", "203.0.113.1", ""},
		{"192.0.2.1", "auto-nat", ""},
		{"127.0.0.1", "127.0.0.1", ""}, // a switch for its own machine only
	} {
		n, err := conf.Parse(fmt.Sprintf(`<profile name="p"><settings><param name="sip-ip" value="%s"/><param name="ext-rtp-ip" value="%s"/></settings></profile>`, tt.own, tt.told), "p.xml")
		ok(t, err)
		var said strings.Builder
		_, err = readSettings(n, conf.NewGlobals(), nil, func(format string, args ...any) { fmt.Fprintf(&said, format+"\n", args...) })
		ok(t, err)
		if got := said.String(); (tt.want == "") != (got == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%s tells %s: %q, want %q", tt.own, tt.told, got, tt.want)
		}
	}
}
