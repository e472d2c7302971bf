package conf

import (
	"fmt"
	"strings"
)

// Known tells Check what this switch understands. A nil table is not checked.
// Parameter names ignore case.
type Known struct {
	// Modules are the module names that modules.conf may load.
	Modules map[string]bool
	// Applications are those the dialplan and IVR menus may name.
	Applications map[string]bool
	// Remarks are what to know of an application that exists, by its name in lower
	// case; each is told once.
	Remarks map[string]string
	// Params are the parameter names, in lower case, by the configuration they
	// stand in ("sofia.conf"). A key with an element behind it
	// ("sofia.conf/gateway") is for parameters inside that element and wins.
	// The key "directory" is for the users' parameters. A name that ends in *
	// stands for all that begin so.
	Params map[string]map[string]bool
}

// StockPasswords are those that FreeSWITCH's configuration is shipped with: of
// users, of the event socket, and of xml_rpc.conf.
var StockPasswords = [...]string{"1234", "ClueCon", "works"}

// WeakPassword reports whether everybody would guess the password of a user: it
// is a stock one, or the user's own name.
func WeakPassword(user, password string) bool {
	for _, stock := range StockPasswords {
		if strings.EqualFold(password, stock) {
			return true
		}
	}
	return password != "" && password == user
}

// Check looks through a tree for what this switch does not support and for
// passwords that everybody knows. Each warning says where it was written, what
// was read, and what happens.
func Check(t *Tree, known Known) []Warning {
	c := &checker{tree: t, known: known}
	c.modules()
	c.configurations()
	c.directoryParams()
	c.applications()
	c.passwords()
	return c.found
}

type checker struct {
	tree  *Tree
	known Known
	found []Warning
}

func (c *checker) say(n *Node, level Level, format string, args ...any) {
	if len(c.found) < maxWarnings {
		c.found = append(c.found, Warning{level, n.File, n.Line, fmt.Sprintf(format, args...)})
	}
}

func (c *checker) modules() {
	if c.known.Modules == nil {
		return
	}
	for _, file := range moduleFiles {
		for _, m := range c.tree.Configuration(file).Child("modules").ChildrenNamed("load") {
			name := m.Attr("module")
			if c.known.Modules[name] {
				continue
			}
			if True(m.Attr("critical")) {
				c.say(m, Error, "module %q is critical and not part of this switch; remove the line or critical=\"true\"", name)
				continue
			}
			c.say(m, Warn, "module %q is not part of this switch; the line is skipped", name)
		}
	}
}

func (c *checker) configurations() {
	if c.known.Params == nil {
		return
	}
	for _, n := range c.tree.Section("configuration").ChildrenNamed("configuration") {
		file := n.Attr("name")
		if c.known.Params[file] == nil {
			c.say(n, Info, "nothing in this switch reads %s", file)
			continue
		}
		c.params(n, file, c.known.Params[file])
	}
}

func (c *checker) directoryParams() {
	if table := c.known.Params["directory"]; table != nil {
		for _, dom := range c.tree.Section("directory").ChildrenNamed("domain") {
			c.params(dom, "directory", table)
			c.idleGateways(dom)
		}
	}
}

// idleGateways names the gateways of users that no SIP profile starts, because
// none parses their domain.
func (c *checker) idleGateways(dom *Node) {
	for _, p := range c.tree.Configuration("sofia.conf").Child("profiles").ChildrenNamed("profile") {
		for _, d := range p.Child("domains").ChildrenNamed("domain") {
			if name := d.Attr("name"); True(d.Attr("parse")) && (name == "all" || strings.EqualFold(name, dom.Attr("name"))) {
				return
			}
		}
	}
	c.eachGateway(dom, func(g *Node) {
		c.say(g, Warn, "gateway %q of a user is not started: no SIP profile has <domain name=%q parse=\"true\"/>", g.Attr("name"), dom.Attr("name"))
	})
}

func (c *checker) eachGateway(n *Node, found func(*Node)) {
	for _, child := range n.Children {
		if child.Name == "gateway" && n.Name == "gateways" {
			found(child)
			continue
		}
		c.eachGateway(child, found)
	}
}

// params goes down from n with the table that holds for it.
func (c *checker) params(n *Node, place string, table map[string]bool) {
	for _, child := range n.Children {
		if child.Name == "param" {
			if name := child.Attr("name"); !listed(table, name) {
				c.say(child, Warn, "%s: parameter %q (value %q) is not supported; it has no effect", place, name, shown(name, child.Attr("value")))
			}
			continue
		}
		root, _, _ := strings.Cut(place, "/")
		inner := root + "/" + child.Name
		if root == "directory" && child.Name == "gateway" {
			inner = "sofia.conf/gateway" // a user's gateway has the parameters of any other
		}
		if own := c.known.Params[inner]; own != nil {
			c.params(child, inner, own)
			continue
		}
		c.params(child, place, table)
	}
}

func listed(table map[string]bool, name string) bool {
	name = strings.ToLower(name)
	if table[name] {
		return true
	}
	for i := range len(name) {
		if table[name[:i]+"*"] {
			return true
		}
	}
	return false
}

func (c *checker) applications() {
	if c.known.Applications == nil {
		return
	}
	c.actions(c.tree.Section("dialplan"))
	c.entries(c.tree.Configuration("ivr.conf"))
}

func (c *checker) actions(n *Node) {
	if n == nil {
		return
	}
	if n.Name == "action" || n.Name == "anti-action" {
		if app := n.Attr("application"); app != "" && !c.known.Applications[strings.ToLower(app)] {
			c.say(n, Warn, "application %q does not exist in this switch; a call that reaches it is hung up", app)
		} else if remark := c.known.Remarks[strings.ToLower(app)]; remark != "" {
			c.say(n, Info, "application %q is supported in part: %s", app, remark)
		}
		return
	}
	for _, child := range n.Children {
		c.actions(child)
	}
}

func (c *checker) entries(n *Node) {
	if n == nil {
		return
	}
	if n.Name == "entry" && n.Attr("action") == "menu-exec-app" {
		app, _, _ := strings.Cut(n.Attr("param"), " ")
		if !c.known.Applications[strings.ToLower(app)] {
			c.say(n, Warn, "application %q does not exist in this switch; pressing %s leaves the menu", app, n.Attr("digits"))
		}
		return
	}
	for _, child := range n.Children {
		c.entries(child)
	}
}

// passwordParams are the parameters that let somebody in.
var passwordParams = [...]string{"password", "jsonrpc-password", "esl-password"}

const consequence = "it is refused from off the box until it is changed, or insecure_passwords=allow is set"

// passwords names each weak password once: at the variable that many users
// share, else at the parameter.
func (c *checker) passwords() {
	var shared *assigned
	for i := range c.tree.sets {
		if s := &c.tree.sets[i]; strings.EqualFold(s.Name, "default_password") && WeakPassword("", s.Value) {
			shared = s
		}
	}
	users := 0
	for _, dom := range c.tree.Section("directory").ChildrenNamed("domain") {
		c.users(dom, func(user, param *Node) {
			if shared != nil && param.Attr("value") == shared.Value {
				users++
				return
			}
			c.say(param, Warn, "user %s has the password %q, which everybody knows; %s", user.Attr("id"), param.Attr("value"), consequence)
		})
	}
	if shared != nil && len(c.found) < maxWarnings {
		c.found = append(c.found, Warning{Warn, shared.file, shared.line,
			fmt.Sprintf("default_password is %q, which everybody knows, and %d users have it; %s", shared.Value, users, consequence)})
	}
	c.password(Params(c.tree.Configuration("event_socket.conf")), "password", "", "the event socket has the password")
	for _, p := range c.tree.Configuration("verto.conf").Child("profiles").ChildrenNamed("profile") {
		c.password(Params(p), "root-password", "root", "root of Verto's profile "+p.Attr("name")+" has the password")
	}
	if c.tree.Loads("mod_xml_rpc") {
		p := Params(c.tree.Configuration("xml_rpc.conf"))
		c.password(p, "auth-pass", p.Get("auth-user"), "commands by http want the password")
	}
}

// password names the parameter of a door that one password opens, if it is weak.
func (c *checker) password(params ParamList, name, user, what string) {
	for _, p := range params {
		if strings.EqualFold(p.Attr("name"), name) && WeakPassword(user, p.Attr("value")) {
			c.say(p, Warn, "%s %q, which everybody knows; %s", what, p.Attr("value"), consequence)
		}
	}
}

// users calls weak for each weak password of the users below n.
func (c *checker) users(n *Node, weak func(user, param *Node)) {
	for _, child := range n.Children {
		if child.Name != "user" {
			c.users(child, weak)
			continue
		}
		params := Params(child)
		for _, name := range passwordParams {
			for _, p := range params {
				if strings.EqualFold(p.Attr("name"), name) && WeakPassword(child.Attr("id"), p.Attr("value")) {
					weak(child, p)
				}
			}
		}
	}
}
