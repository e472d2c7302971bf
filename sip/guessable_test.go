package sip

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/directory"
	"github.com/switchlet/switchlet/conf"
)

func userWith(params ...conf.Pair) *directory.User {
	node := &conf.Node{Name: "user", File: "directory/default/1000.xml", Line: 2}
	list := &conf.Node{Name: "params"}
	for _, p := range params {
		list.Add(&conf.Node{Name: "param", File: node.File, Line: 4,
			Attrs: []conf.Attr{{Name: "name", Value: p.Name}, {Name: "value", Value: p.Value}}})
	}
	node.Add(list)
	return &directory.User{ID: "1000", Domain: "test.local", Params: params, Node: node}
}

func TestTooOpen_KnownPasswordsAreForThisMachine(t *testing.T) {
	h := newHouse(t, houseOptions{})
	p := h.stack.Profile("internal")
	lines := h.sw.Log.Follow(call.LogWarning, 100)
	defer lines.Close()
	c := credentials{username: "1000", realm: "test.local"}
	hash := func(password string) conf.Pair {
		return conf.Pair{Name: "a1-hash", Value: sum(hashes("MD5"), "1000", "test.local", password)}
	}
	for _, k := range []struct {
		name, source string
		user         *directory.User
		allow        string
		refused      bool
	}{
		{"1234 from outside", "192.0.2.1:5060", userWith(conf.Pair{Name: "password", Value: "1234"}), "", true},
		{"1234 from this machine", "127.0.0.1:5060", userWith(conf.Pair{Name: "password", Value: "1234"}), "", false},
		{"1234 from this machine, IPv6", "[::1]:5060", userWith(conf.Pair{Name: "password", Value: "1234"}), "", false},
		{"the user's own name", "192.0.2.1:5060", userWith(conf.Pair{Name: "password", Value: "1000"}), "", true},
		{"a good one", "192.0.2.1:5060", userWith(conf.Pair{Name: "password", Value: "secret"}), "", false},
		{"the hash of 1234", "192.0.2.1:5060", userWith(hash("1234")), "", true},
		{"the hash of a good one", "192.0.2.1:5060", userWith(hash("secret")), "", false},
		{"1234 where it is allowed", "192.0.2.1:5060", userWith(conf.Pair{Name: "password", Value: "1234"}), "allow", false},
	} {
		h.stack.Store.Globals().Set("insecure_passwords", k.allow)
		if got := p.tooOpen(k.user, c, netip.MustParseAddrPort(k.source)); got != k.refused {
			t.Errorf("%s: refused %v, want %v", k.name, got, k.refused)
		}
	}
	h.stack.Store.Globals().Set("insecure_passwords", "")
	near := netip.MustParseAddrPort("127.0.0.1:5061")
	h.stack.proxied.Store(near, true)
	if !p.tooOpen(userWith(conf.Pair{Name: "password", Value: "1234"}), c, near) {
		t.Error("1234 is taken from whoever a proxy on this machine speaks for")
	}
	h.stack.proxied.Delete(near)
	select {
	case l := <-lines.Lines():
		for _, part := range []string{"directory/default/1000.xml:4", "1000@test.local", "192.0.2.1", "insecure_passwords=allow"} {
			if !strings.Contains(l.Text, part) {
				t.Errorf("line %q does not say %q", l.Text, part)
			}
		}
	default:
		t.Error("nothing was logged")
	}
	for range 2 { // the one of the proxy is another source
		select {
		case l := <-lines.Lines():
			if !strings.Contains(l.Text, "127.0.0.1") {
				t.Errorf("the same source is told of again at once: %q", l.Text)
			}
		default:
		}
	}
}
