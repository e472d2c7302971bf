package directory

import (
	"errors"
	"fmt"
	"math/bits"
	"net/netip"
	"strconv"
	"strings"

	"github.com/switchlet/switchlet/conf"
)

// parseNetwork reads a.b.c.d/n or its IPv6 form; a single address stands for
// the network of itself.
func parseNetwork(s string) (netip.Prefix, bool) {
	s = strings.TrimSpace(s)
	if p, err := netip.ParsePrefix(s); err == nil {
		return normal(p)
	}
	ip, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{}, false
	}
	return normal(netip.PrefixFrom(ip, ip.BitLen()))
}

// normal writes a network of mapped IPv4 addresses as one of IPv4 and clears
// the bits of the host.
func normal(p netip.Prefix) (netip.Prefix, bool) {
	const mapped = 128 - 32
	ip := p.Addr().WithZone("")
	if ip.Is4In6() && p.Bits() >= mapped {
		return netip.PrefixFrom(ip.Unmap(), p.Bits()-mapped).Masked(), true
	}
	return netip.PrefixFrom(ip, p.Bits()).Masked(), true
}

// maskedNetwork reads an address and a mask such as 255.255.255.0.
func maskedNetwork(host, mask string) (netip.Prefix, bool) {
	ip, err := netip.ParseAddr(strings.TrimSpace(host))
	if err != nil {
		return netip.Prefix{}, false
	}
	m, err := netip.ParseAddr(strings.TrimSpace(mask))
	if err != nil || m.BitLen() != ip.BitLen() {
		return netip.Prefix{}, false
	}
	ones, ended := 0, false
	for _, b := range m.AsSlice() {
		n := bits.LeadingZeros8(^b)
		if b<<n != 0 || ended && n > 0 {
			return netip.Prefix{}, false
		}
		ones += n
		ended = ended || n < 8
	}
	return normal(netip.PrefixFrom(ip, ones))
}

// portRule is what a node says about ports.
type portRule struct {
	ports    []uint16
	min, max uint16
}

// covers reports whether the rule holds for a port; no rule and an unknown port
// (0) always do.
func (r *portRule) covers(port uint16) bool {
	if r == nil || port == 0 {
		return true
	}
	for _, p := range r.ports {
		if p == port {
			return true
		}
	}
	return r.max != 0 && port >= r.min && port <= r.max
}

var errPort = errors.New("ports are numbers from 1 to 65535")

// maxPorts bounds the ports of one node.
const maxPorts = 1000

// parsePorts reads port, ports, port-min and port-max of a node.
func parsePorts(n *conf.Node) (*portRule, error) {
	one := func(s string) (uint16, error) {
		p, err := strconv.ParseUint(strings.TrimSpace(s), 10, 16)
		if err != nil || p == 0 {
			return 0, fmt.Errorf("port %q: %w", s, errPort)
		}
		return uint16(p), nil
	}
	r := &portRule{}
	for _, attr := range [...]string{"port", "ports"} {
		list := n.Attr(attr)
		if list == "" {
			continue
		}
		for s := range strings.SplitSeq(list, ",") {
			p, err := one(s)
			if err != nil {
				return nil, err
			}
			if len(r.ports) >= maxPorts {
				return nil, fmt.Errorf("more than %d ports in one node", maxPorts)
			}
			r.ports = append(r.ports, p)
		}
	}
	low, high := n.Attr("port-min"), n.Attr("port-max")
	if low == "" && high == "" {
		if len(r.ports) == 0 {
			return nil, nil
		}
		return r, nil
	}
	r.min, r.max = 1, 65535
	var err error
	if low != "" {
		if r.min, err = one(low); err != nil {
			return nil, err
		}
	}
	if high != "" {
		if r.max, err = one(high); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// own stands in a table for the network that the box itself is in.
const own = "own"

// automaticLists are the lists that exist without being configured
// (spec/config.md §6). allow is the default; a network has the opposite verdict,
// unless it begins with !.
var automaticLists = [...]struct {
	name     string
	allow    bool
	networks string
}{
	{"rfc6598.auto", false, "100.64.0.0/10"},
	{"rfc1918.auto", false, "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 fe80::/10"},
	{"wan.auto", true, "0.0.0.0/8 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 169.254.0.0/16 100.64.0.0/10 fe80::/10"},
	{"wan_v6.auto", true, "0.0.0.0/0 fe80::/10"},
	{"wan_v4.auto", true, "0.0.0.0/8 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 169.254.0.0/16 100.64.0.0/10 ::/0"},
	{"any_v6.auto", true, "0.0.0.0/0"},
	{"any_v4.auto", true, "::/0"},
	{"nat.auto", false, "!" + own + " 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 100.64.0.0/10"},
	{"loopback.auto", false, "127.0.0.0/8 ::1/128"},
	{"localnet.auto", false, own},
}

// automatic builds those lists; the box's own network comes from the variables
// local_ip_v4 and local_mask_v4.
func automatic(g *conf.Globals) map[string]*accessList {
	lists := make(map[string]*accessList, len(automaticLists))
	home, atHome := maskedNetwork(g.Get("local_ip_v4"), g.Get("local_mask_v4"))
	for _, row := range automaticLists {
		l := &accessList{allow: row.allow}
		for _, text := range strings.Fields(row.networks) {
			text, same := strings.CutPrefix(text, "!")
			node := accessNode{allow: row.allow == same}
			ok := atHome
			if node.prefix = home; text != own {
				node.prefix, ok = parseNetwork(text)
			}
			if ok {
				l.nodes = append(l.nodes, node)
			}
		}
		lists[row.name] = l
	}
	return lists
}
