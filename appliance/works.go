package appliance

import (
	"fmt"
	"strings"

	"github.com/switchlet/switchlet/conf"
)

// works counts what of a configuration is in force, in one line for people.
func (b *Box) works() string {
	tree := b.store.Tree()
	profiles := func(file string) []*conf.Node {
		return tree.Configuration(file).Child("profiles").ChildrenNamed("profile")
	}
	var parts []string
	add := func(n int, one, many string) {
		if n == 1 {
			parts = append(parts, "1 "+one)
		} else if n > 1 {
			parts = append(parts, fmt.Sprintf("%d %s", n, many))
		}
	}
	gateways := 0
	for _, p := range profiles("sofia.conf") {
		gateways += count(p.Child("gateways"), "gateway")
	}
	domains := tree.Section("directory").ChildrenNamed("domain")
	users := 0
	for _, d := range domains {
		users += count(d, "user")
		gateways += count(d, "gateway")
	}
	dialplan := tree.Section("dialplan")
	actions, known := 0, 0
	eachNamed(dialplan, func(n *conf.Node) {
		if n.Name == "action" || n.Name == "anti-action" {
			actions++
			if b.Switch.Application(strings.ToLower(n.Attr("application"))) != nil {
				known++
			}
		}
	})
	add(len(profiles("sofia.conf")), "SIP profile", "SIP profiles")
	add(gateways, "gateway", "gateways")
	add(len(profiles("verto.conf")), "Verto profile", "Verto profiles")
	add(users, "user", "users")
	add(len(domains), "domain", "domains")
	add(count(dialplan, "context"), "dialplan context", "dialplan contexts")
	add(count(dialplan, "extension"), "extension", "extensions")
	add(count(tree.Configuration("ivr.conf"), "menu"), "menu", "menus")
	if actions > 0 {
		parts = append(parts, fmt.Sprintf("the applications of %d of %d actions", known, actions))
	}
	if len(parts) == 0 {
		return "nothing"
	}
	return strings.Join(parts, ", ")
}

// eachNamed calls f for every element below n.
func eachNamed(n *conf.Node, f func(*conf.Node)) {
	if n == nil {
		return
	}
	for _, child := range n.Children {
		f(child)
		eachNamed(child, f)
	}
}

// count is how many elements of a name there are below n; pointers to users of
// another group do not count.
func count(n *conf.Node, name string) int {
	found := 0
	eachNamed(n, func(c *conf.Node) {
		if c.Name == name && c.Attr("type") != "pointer" {
			found++
		}
	})
	return found
}
