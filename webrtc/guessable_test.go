package webrtc

import (
	"net/netip"
	"strings"
	"testing"
)

func TestCheck_KnownPasswordsAreForThisMachine(t *testing.T) {
	b := newBox(t, func(tree string) string {
		return strings.Replace(tree, `<param name="password" value="secret"/>`, `<param name="password" value="1234"/>`, 1)
	})
	profile := &profile{name: "default-v4", userauth: "true", forceDomain: "test", context: "default", dialplan: "XML"}
	for _, c := range []struct {
		name, ip string
		proxied  bool
		allow    string
		want     string
	}{
		{"from outside", "192.0.2.1", false, "", "Authentication Failure"},
		{"from this machine", "127.0.0.1", false, "", ""},
		{"through a proxy on this machine", "127.0.0.1", true, "", "Authentication Failure"},
		{"from outside, where it is allowed", "192.0.2.1", false, "allow", ""},
	} {
		b.s.opts.Store.Globals().Set("insecure_passwords", c.allow)
		k := &socket{profile: profile, ip: netip.MustParseAddr(c.ip), proxied: c.proxied}
		if _, text := b.s.check(t.Context(), k, "1000", "1234", params{}); text != c.want {
			t.Errorf("%s: %q, want %q", c.name, text, c.want)
		}
	}
}
