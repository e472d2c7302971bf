package directory

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"

	"github.com/switchlet/switchlet/conf"
)

// AccessLists are the lists of addresses of a running switch: the automatic
// ones and those of acl.conf. Checks are safe beside a Rebuild and do not
// allocate when the list exists.
type AccessLists struct {
	store *conf.Store
	lists atomic.Pointer[map[string]*accessList]
}

// NewAccessLists returns lists that know nothing until Rebuild is called, so
// that every check is denied.
func NewAccessLists(store *conf.Store) *AccessLists {
	a := &AccessLists{store: store}
	a.lists.Store(&map[string]*accessList{})
	return a
}

// accessList is one named list.
type accessList struct {
	allow bool
	nodes []accessNode
}

// accessNode is one line of a list. Ports is nil if it holds for all of them.
type accessNode struct {
	prefix netip.Prefix
	allow  bool
	token  string
	ports  *portRule
}

// Check reports whether an address is allowed by a list, and the token
// (id@domain) of the user whose cidr decided, "" if none did. In place of a
// name, networks may stand, joined by commas ("10.0.0.0/8,192.0.2.0/24"). A
// list that does not exist denies.
func (a *AccessLists) Check(ip netip.Addr, list string) (allowed bool, token string) {
	return a.CheckPort(netip.AddrPortFrom(ip, 0), list)
}

// CheckPort is Check for lists whose nodes are bound to ports; port 0 satisfies
// them all.
func (a *AccessLists) CheckPort(from netip.AddrPort, list string) (allowed bool, token string) {
	ip := from.Addr().Unmap().WithZone("")
	if !ip.IsValid() {
		return false, ""
	}
	if l, ok := (*a.lists.Load())[list]; ok {
		return l.check(ip, from.Port())
	}
	if strings.Contains(list, "/") {
		return literal(ip, list), ""
	}
	return false, ""
}

// CheckText is Check for an address as text; one that cannot be read is denied.
func (a *AccessLists) CheckText(ip, list string) (allowed bool, token string) {
	addr, err := netip.ParseAddr(strings.Trim(ip, "[]"))
	if err != nil {
		return false, ""
	}
	return a.Check(addr, list)
}

// Exists reports whether there is a list of exactly that name.
func (a *AccessLists) Exists(list string) bool {
	_, ok := (*a.lists.Load())[list]
	return ok
}

// maxLiterals bounds the networks that may stand in place of a list's name.
const maxLiterals = 100

func literal(ip netip.Addr, networks string) bool {
	for i := 0; networks != "" && i < maxLiterals; i++ {
		var one string
		one, networks, _ = strings.Cut(networks, ",")
		if p, ok := parseNetwork(one); ok && p.Contains(ip) {
			return true
		}
	}
	return false
}

// check lets the longest prefix that fits decide; among equal ones the one that
// was written first.
func (l *accessList) check(ip netip.Addr, port uint16) (bool, string) {
	allowed, token, best := l.allow, "", -1
	for i := range l.nodes {
		n := &l.nodes[i]
		if n.prefix.Bits() > best && n.prefix.Contains(ip) && n.ports.covers(port) {
			allowed, token, best = n.allow, n.token, n.prefix.Bits()
		}
	}
	return allowed, token
}

// Rebuild makes all lists anew from the configuration in force and swaps them
// in at once. It returns what there is to log.
func (a *AccessLists) Rebuild(ctx context.Context) []conf.Warning {
	b := &listBuilder{ctx: ctx, store: a.store, lists: automatic(a.store.Globals())}
	for _, lists := range a.store.Tree().Configuration("acl.conf").ChildrenNamed("network-lists") {
		for _, n := range lists.ChildrenNamed("list") {
			b.list(n)
		}
	}
	a.lists.Store(&b.lists)
	return b.log
}

// listBuilder reads acl.conf.
type listBuilder struct {
	ctx   context.Context
	store *conf.Store
	lists map[string]*accessList
	log   []conf.Warning
}

func (b *listBuilder) say(n *conf.Node, level conf.Level, format string, args ...any) {
	b.log = append(b.log, conf.Warning{Level: level, File: n.File, Line: n.Line, Text: fmt.Sprintf(format, args...)})
}

func word(allow bool) string {
	if allow {
		return "allow"
	}
	return "deny"
}

func (b *listBuilder) list(n *conf.Node) {
	name := n.Attr("name")
	if name == "" {
		b.say(n, conf.Warn, "a list without a name is ignored; write <list name=\"…\">")
		return
	}
	l := &accessList{allow: true}
	if v, ok := n.LookupAttr("default"); ok {
		l.allow = conf.True(v)
	}
	b.say(n, conf.Info, "Created ip list %s default (%s)", name, word(l.allow))
	for _, node := range n.ChildrenNamed("node") {
		b.node(l, name, node)
	}
	b.lists[name] = l
}

func (b *listBuilder) node(l *accessList, list string, n *conf.Node) {
	allow := l.allow
	if v, ok := n.LookupAttr("type"); ok {
		allow = conf.True(v)
	}
	ports, err := parsePorts(n)
	if err != nil {
		b.say(n, conf.Warn, "%v; the node is skipped", err)
		return
	}
	if domain := n.Attr("domain"); domain != "" {
		b.domain(l, list, n, domain, allow)
		return
	}
	if cidr := n.Attr("cidr"); cidr != "" {
		b.networks(l, list, n, cidr, accessNode{allow: allow, ports: ports})
		return
	}
	host, mask := n.Attr("host"), n.Attr("mask")
	prefix, ok := maskedNetwork(host, mask)
	if !ok {
		b.say(n, conf.Error, "Error Adding %s/%s (%s) to list %s", host, mask, word(allow), list)
		return
	}
	l.nodes = append(l.nodes, accessNode{prefix: prefix, allow: allow, ports: ports})
	b.say(n, conf.Info, "Adding %s/%s (%s) [] to list %s", host, mask, word(allow), list)
}

// networks adds a comma-separated list of networks, all with the same verdict.
func (b *listBuilder) networks(l *accessList, list string, n *conf.Node, cidrs string, verdict accessNode) {
	for cidr := range strings.SplitSeq(cidrs, ",") {
		p, ok := parseNetwork(cidr)
		if !ok {
			b.say(n, conf.Error, "Error Adding %s (%s) [%s] to list %s", cidr, word(verdict.allow), verdict.token, list)
			continue
		}
		verdict.prefix = p
		l.nodes = append(l.nodes, verdict)
		b.say(n, conf.Info, "Adding %s (%s) [%s] to list %s", cidr, word(verdict.allow), verdict.token, list)
	}
}

// domain adds the networks of all users of a domain.
func (b *listBuilder) domain(l *accessList, list string, n *conf.Node, domain string, allow bool) {
	dom := b.store.Lookup(b.ctx, "directory", "domain", "name", domain, map[string]string{"domain": domain, "purpose": "network-list"})
	if dom == nil {
		b.say(n, conf.Warn, "Cannot locate domain %s", domain)
		return
	}
	for _, u := range UserNodes(dom) {
		id, cidr := u.Attr("id"), u.Attr("cidr")
		if id != "" && cidr != "" {
			b.networks(l, list, u, cidr, accessNode{allow: allow, token: id + "@" + domain})
		}
	}
}
