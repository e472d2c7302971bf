package directory

import (
	"context"
	"strings"

	"github.com/switchlet/switchlet/conf"
)

// NoRoute is the dial string of a group that does not exist.
const NoRoute = "error/NO_ROUTE_DESTINATION"

// Group returns the elements of a group and its domain, nil if there is no such
// group. An empty domain means the default one.
func (d *Directory) Group(ctx context.Context, group, domain string, params map[string]string) (groupNode, domainNode *conf.Node) {
	sent := map[string]string{"group": group}
	for name, value := range params {
		sent[name] = value
	}
	dom := d.Domain(ctx, domain, sent)
	g := dom.Child("groups").Find("group", "name", group)
	if g == nil {
		return nil, nil
	}
	return g, dom
}

// Members returns the ids of the users of a group, pointers among them, in
// order.
func (d *Directory) Members(ctx context.Context, group, domain string) []string {
	g, _ := d.Group(ctx, group, domain, nil)
	var ids []string
	for _, u := range g.Child("users").ChildrenNamed("user") {
		ids = append(ids, u.Attr("id"))
	}
	return ids
}

// InGroup reports whether a user is a member of a group, also by a pointer.
func (d *Directory) InGroup(ctx context.Context, user, domain, group string) bool {
	g, _ := d.Group(ctx, group, domain, map[string]string{"user": user})
	return g.Child("users").Find("user", "id", user) != nil
}

// separators are what group_call's flags join members with: all at once, one
// after the other, each on its own.
var separators = map[byte]string{'A': ",", 'F': "|", 'E': ":_:"}

// GroupCall builds the dial string that calls a group; spec is what group_call
// is given, GROUP[@DOMAIN][+FLAGS]. For each member expand is called with its
// dial string and the variables that are to be seen in it (dialed_user,
// dialed_group, dialed_domain). Unknown groups give NoRoute.
func (d *Directory) GroupCall(ctx context.Context, spec string, expand func(dial string, vars Values) string) string {
	name, flags, _ := strings.Cut(spec, "+")
	group, domain := d.SplitUser(name)
	separator := separators['A']
	for i := range len(flags) {
		if s, ok := separators[flags[i]]; ok {
			separator = s
		}
	}
	params := map[string]string{"action": "group_call"}
	g, dom := d.Group(ctx, group, domain, params)
	if g.Child("users") == nil {
		return NoRoute
	}
	var legs []string
	for _, u := range g.Child("users").ChildrenNamed("user") {
		id := u.Attr("id")
		if strings.EqualFold(u.Attr("type"), "pointer") {
			real := d.pointee(ctx, dom, id, domain)
			if real == nil {
				continue
			}
			u = real
		}
		dial, ok := memberDial(dom, g, u)
		if !ok {
			legs = append(legs, "user/"+id+"@"+domain)
			continue
		}
		dial = expand(dial, Values{{Name: "dialed_user", Value: id}, {Name: "dialed_group", Value: group}, {Name: "dialed_domain", Value: domain}})
		if dial = flatten(dial); dial != "" {
			legs = append(legs, dial)
		}
	}
	return strings.Join(legs, separator)
}

// pointee finds the user that a pointer means: in the domain at hand, or
// through the bindings if that is only a part of it.
func (d *Directory) pointee(ctx context.Context, dom *conf.Node, id, domain string) *conf.Node {
	if real := findReal(dom, id); real != nil {
		return real
	}
	whole := d.Domain(ctx, domain, map[string]string{"key": "id", "user": id, "action": "group_call"})
	return findReal(whole, id)
}

func findReal(domain *conf.Node, id string) *conf.Node {
	for _, u := range UserNodes(domain) {
		if strings.EqualFold(u.Attr("id"), id) {
			return u
		}
	}
	return nil
}

// memberDial chooses between the dial strings of domain, group and user; the
// later wins, and group-dial-string beats dial-string beside it.
func memberDial(levels ...*conf.Node) (dial string, ok bool) {
	for _, level := range levels {
		params := conf.ParamList(level.Child("params").ChildrenNamed("param"))
		if v, found := params.Lookup("group-dial-string"); found {
			dial, ok = v, true
		} else if v, found := params.Lookup("dial-string"); found {
			dial, ok = v, true
		}
	}
	return dial, ok
}

// closers tells which bracket closes which.
var closers = map[byte]byte{'{': '}', '<': '>', '[': ']'}

// flatten turns the variables in front of a dial string, which are for all of
// its legs, into variables of each leg, so that the legs can stand in a list
// with others: {a=b}x,y becomes [a=b]x,[a=b]y.
func flatten(dial string) string {
	shared, rest := blocks(dial, "{<")
	if shared == "" && !strings.ContainsAny(rest, "{<") {
		return dial
	}
	var b strings.Builder
	for rest != "" {
		leg, separator, after := nextLeg(rest)
		own, target := blocks(strings.TrimLeft(leg, " "), "{<[")
		b.WriteString(shared)
		b.WriteString(own)
		b.WriteString(target)
		b.WriteString(separator)
		rest = after
	}
	return b.String()
}

// blocks takes the variables in front of s off that stand in one of the
// brackets, and writes each as [...].
func blocks(s, brackets string) (vars, rest string) {
	var b strings.Builder
	for s != "" {
		if strings.IndexByte(brackets, s[0]) < 0 {
			break
		}
		end := closing(s, s[0], closers[s[0]])
		if end < 0 {
			break
		}
		b.WriteByte('[')
		b.WriteString(s[1:end])
		b.WriteByte(']')
		s = s[end+1:]
	}
	return b.String(), s
}

// closing returns the index of the bracket that closes the one s begins with.
func closing(s string, opener, closer byte) int {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case opener:
			depth++
		case closer:
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

// nextLeg splits off the first leg at a comma, a bar or :_: that stands in no
// bracket.
func nextLeg(s string) (leg, separator, rest string) {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '{', '[', '<':
			if end := closing(s[i:], s[i], closers[s[i]]); end > 0 {
				i += end
			}
		case ',', '|':
			return s[:i], s[i : i+1], s[i+1:]
		case ':':
			if strings.HasPrefix(s[i:], ":_:") {
				return s[:i], ":_:", s[i+3:]
			}
		}
	}
	return s, "", ""
}
