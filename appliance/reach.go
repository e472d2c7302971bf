package appliance

import (
	"io/fs"
	"net"
	"net/netip"
	"os"
	"strings"

	"github.com/switchlet/switchlet/call"
)

// tellWhatIsOutOfReach warns of an address that others are told and cannot reach:
// that of a container behind a bridge. There signalling would work, as its ports
// are published, and nobody would hear anything.
func (b *Box) tellWhatIsOutOfReach(root fs.FS) {
	g := b.store.Globals()
	own, err := netip.ParseAddr(g.Get("local_ip_v4"))
	if err != nil || own.IsLoopback() || b.rehearsal != nil {
		return
	}
	switch told := g.Get("external_rtp_ip"); told {
	case "", "auto", "auto-nat", own.String():
	default:
		return // an address, or what stands for one: host:NAME, stun:HOST
	}
	if bridged(root, interfaceOf(own)) {
		b.log.Printf(call.LogWarning, "this container is behind a bridge: phones and browsers are told to send sound to %s, which only its host can reach. Say the host's address with "+
			"--set external_rtp_ip=ADDRESS --set external_sip_ip=ADDRESS (in the environment SWITCHLET_SET_external_rtp_ip=ADDRESS, SWITCHLET_SET_external_sip_ip=ADDRESS), or run it in the host's network", own)
	}
}

// bridged says whether the root is that of a container whose interface is one end
// of a pair, the other end of which is the host's.
func bridged(root fs.FS, name string) bool {
	if name == "" {
		return false
	}
	_, docker := fs.Stat(root, ".dockerenv")
	_, other := fs.Stat(root, "run/.containerenv") // podman
	if docker != nil && other != nil {
		return false
	}
	dir := "sys/class/net/" + name + "/"
	index, err := fs.ReadFile(root, dir+"ifindex")
	if err != nil {
		return false
	}
	link, err := fs.ReadFile(root, dir+"iflink")
	return err == nil && strings.TrimSpace(string(index)) != strings.TrimSpace(string(link))
}

// interfaceOf is the name of the interface with that address, "" if there is none.
func interfaceOf(ip netip.Addr) string {
	list, err := net.Interfaces()
	if err != nil {
		return ""
	}
	for _, i := range list {
		addrs, err := i.Addrs()
		if err != nil {
			continue
		}
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr() == ip {
				return i.Name
			}
		}
	}
	return ""
}

// systemRoot is where the files are that tell about the machine.
func systemRoot() fs.FS { return os.DirFS("/") }
