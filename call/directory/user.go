package directory

import (
	"crypto/md5"
	"encoding/hex"
	"strings"

	"github.com/switchlet/switchlet/conf"
)

// Values are named values in order. Names are compared without regard to case.
type Values []conf.Pair

// Get returns the value of that name, "" if there is none. Of several the last
// one counts.
func (v Values) Get(name string) string {
	value, _ := v.Lookup(name)
	return value
}

// Lookup is Get that tells an empty value from an absent one.
func (v Values) Lookup(name string) (string, bool) {
	for i := len(v) - 1; i >= 0; i-- {
		if strings.EqualFold(v[i].Name, name) {
			return v[i].Value, true
		}
	}
	return "", false
}

// All returns every value of that name in order.
func (v Values) All(name string) []string {
	var all []string
	for _, p := range v {
		if strings.EqualFold(p.Name, name) {
			all = append(all, p.Value)
		}
	}
	return all
}

// User is one user with everything it inherits: its own values win over those
// of its group, those over the domain's. It must not be changed.
type User struct {
	// ID is the id attribute, Domain the name of the domain it was found in,
	// Group the group that holds it ("" if it stands in none).
	ID, Domain, Group string
	// Attributes are those of the <user> element, in order, then domain-name.
	Attributes Values
	// Params, Variables and ProfileVariables hold inherited values first, then
	// the user's own.
	Params, Variables, ProfileVariables Values
	// Node is the merged <user> element, which find_user_xml prints.
	Node *conf.Node
}

// NumberAlias returns the second name that the user is found by, "" if there is
// none.
func (u *User) NumberAlias() string { return u.Attributes.Get("number-alias") }

// Cacheable returns the cacheable attribute: "" (never kept), a word that means
// true (kept until flushed), or milliseconds.
func (u *User) Cacheable() string { return u.Attributes.Get("cacheable") }

// Password returns the parameter password; false if the user has none or an
// empty one.
func (u *User) Password() (string, bool) {
	p := u.Params.Get("password")
	return p, p != ""
}

// A1Hash returns the hexadecimal MD5 of user:realm:password that digest
// authentication begins with: the parameter a1-hash, which wins, or one made
// of the password. false if the user has neither.
func (u *User) A1Hash(realm string) (string, bool) {
	if h := u.Params.Get("a1-hash"); h != "" {
		return h, true
	}
	password, ok := u.Password()
	if !ok {
		return "", false
	}
	sum := md5.Sum([]byte(u.ID + ":" + realm + ":" + password))
	return hex.EncodeToString(sum[:]), true
}

// DialString returns the parameter dial-string as it was written, variables
// not expanded; "" if there is none.
func (u *User) DialString() string { return u.Params.Get("dial-string") }

// dialVarPrefix begins the parameters that set a variable on the leg of a call
// to the user.
const dialVarPrefix = "dial-var-"

// DialVars returns the variables that the parameters dial-var-X set, X first.
func (u *User) DialVars() Values {
	var vars Values
	for _, p := range u.Params {
		if len(p.Name) > len(dialVarPrefix) && strings.EqualFold(p.Name[:len(dialVarPrefix)], dialVarPrefix) {
			vars = append(vars, conf.Pair{Name: p.Name[len(dialVarPrefix):], Value: p.Value})
		}
	}
	return vars
}

// containers are the elements that users inherit, with what stands in them.
var containers = [...]struct{ container, element string }{
	{"params", "param"}, {"variables", "variable"}, {"profile-variables", "variable"},
}

// merge builds the user from its element and those it inherits from.
func merge(found, group, domain *conf.Node) *User {
	node := found.Clone()
	node.SetAttr("domain-name", domain.Attr("name"))
	u := &User{ID: node.Attr("id"), Domain: domain.Attr("name"), Group: group.Attr("name"), Node: node}
	for _, a := range node.Attrs {
		u.Attributes = append(u.Attributes, conf.Pair(a))
	}
	for _, c := range containers {
		inherit(node, c.container, c.element, group, domain)
	}
	u.Params = read(node.Child("params"), "param")
	u.Variables = read(node.Child("variables"), "variable")
	u.ProfileVariables = read(node.Child("profile-variables"), "variable")
	return u
}

// inherit puts what the user lacks before its own values: first the group's,
// then the domain's.
func inherit(user *conf.Node, container, element string, sources ...*conf.Node) {
	gained := &conf.Node{Name: container}
	own := user.Child(container)
	for _, from := range sources {
		for _, p := range from.Child(container).ChildrenNamed(element) {
			name := p.Attr("name")
			if own.Find(element, "name", name) == nil && gained.Find(element, "name", name) == nil {
				gained.Add(p.Clone())
			}
		}
	}
	if len(gained.Children) == 0 {
		return
	}
	if own == nil {
		own = &conf.Node{Name: container, File: user.File, Line: user.Line}
		user.Add(own)
	}
	children := own.Children
	own.Children = nil
	for _, c := range append(gained.Children, children...) {
		own.Add(c)
	}
}

func read(container *conf.Node, element string) Values {
	children := container.ChildrenNamed(element)
	values := make(Values, 0, len(children))
	for _, p := range children {
		values = append(values, conf.Pair{Name: p.Attr("name"), Value: p.Attr("value")})
	}
	return values
}
