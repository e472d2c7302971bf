package appliance

import (
	"net/netip"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/conf"
)

func TestBridged_OnlyAContainerWithOneEndOfAPair(t *testing.T) {
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	for _, tt := range []struct {
		what string
		root fstest.MapFS
		want bool
	}{
		{"Docker's bridge", fstest.MapFS{".dockerenv": file(""), "sys/class/net/eth0/ifindex": file("2\n"), "sys/class/net/eth0/iflink": file("17\n")}, true},
		{"podman's bridge", fstest.MapFS{"run/.containerenv": file(""), "sys/class/net/eth0/ifindex": file("2\n"), "sys/class/net/eth0/iflink": file("17\n")}, true},
		{"the host's network", fstest.MapFS{".dockerenv": file(""), "sys/class/net/eth0/ifindex": file("2\n"), "sys/class/net/eth0/iflink": file("2\n")}, false},
		{"a VLAN of a host", fstest.MapFS{"sys/class/net/eth0/ifindex": file("5\n"), "sys/class/net/eth0/iflink": file("2\n")}, false},
		{"no such interface", fstest.MapFS{".dockerenv": file("")}, false},
	} {
		if got := bridged(tt.root, "eth0"); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.what, got, tt.want)
		}
	}
}

func TestStart_WarnsOfAnAddressBehindABridge(t *testing.T) {
	own, err := netip.ParseAddr(localAddress("udp4", "192.0.2.1:9", "127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	name := interfaceOf(own)
	if own.IsLoopback() || name == "" {
		t.Skip("this machine has no address but that of its loopback interface")
	}
	container := fstest.MapFS{".dockerenv": {}, "sys/class/net/" + name + "/ifindex": {Data: []byte("2\n")}, "sys/class/net/" + name + "/iflink": {Data: []byte("9\n")}}
	for told, want := range map[string]bool{"": true, own.String(): true, "192.0.2.77": false, "host:box.example": false, "autonat:192.0.2.77": false} {
		o := Options{Data: t.TempDir()}
		if told != "" {
			o.Sets = []conf.Pair{{Name: "external_rtp_ip", Value: told}}
		}
		b, err := Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { b.Stop() })
		log := b.log.Follow(call.LogWarning, 100)
		b.tellWhatIsOutOfReach(container)
		log.Close()
		warned := false
		for line := range log.Lines() {
			warned = warned || strings.Contains(line.Text, own.String()) && strings.Contains(line.Text, "external_rtp_ip=ADDRESS")
		}
		if warned != want {
			t.Errorf("with external_rtp_ip=%q a warning: %v, want %v", told, warned, want)
		}
	}
}
