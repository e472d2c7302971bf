package directory

import (
	"context"
	"strings"

	"github.com/switchlet/switchlet/conf"
)

// UserData answers the command user_data: the value of an attribute (kind
// attr), a variable (var) or a parameter (any other kind) of a user, not
// expanded. "" if there is no such thing.
func (d *Directory) UserData(ctx context.Context, user, kind, name string) string {
	id, domain := d.SplitUser(user)
	u, err := d.User(ctx, "id:number-alias", id, domain, map[string]string{"type": kind})
	if err != nil {
		return ""
	}
	switch kind {
	case "attr":
		return u.Attributes.Get(name)
	case "var":
		return u.Variables.Get(name)
	}
	return u.Params.Get(name)
}

// DomainData answers the command domain_data in the same way for a domain.
func (d *Directory) DomainData(ctx context.Context, domain, kind, name string) string {
	dom := d.Domain(ctx, domain, map[string]string{"type": kind})
	switch kind {
	case "attr":
		return dom.Attr(name)
	case "var":
		return read(dom.Child("variables"), "variable").Get(name)
	}
	return read(dom.Child("params"), "param").Get(name)
}

// Filter chooses the rows of ListUsers; an empty field chooses all.
type Filter struct {
	Group, Domain, User, Context string
}

// maxFilterWords is how many words list_users takes.
const maxFilterWords = 8

// ParseFilter reads the arguments of list_users:
// [group G] [domain D] [user U] [context C]. false means wrong usage.
func ParseFilter(args string) (Filter, bool) {
	words := strings.Fields(args)
	if len(words) > maxFilterWords {
		return Filter{}, false
	}
	var f Filter
	for i := 0; i+1 < len(words); i++ {
		switch strings.ToLower(words[i]) {
		case "group":
			f.Group = words[i+1]
		case "domain":
			f.Domain = words[i+1]
		case "user":
			f.User = words[i+1]
		case "context":
			f.Context = words[i+1]
		}
	}
	return f, true
}

// row is a user as list_users shows it. Names are those of the header.
type row struct {
	id, context, domain, group, contact, callgroup, name, number string
}

func (r row) write(b *strings.Builder) {
	for i, field := range [...]string{r.id, r.context, r.domain, r.group, r.contact, r.callgroup, r.name, r.number} {
		if i > 0 {
			b.WriteByte('|')
		}
		b.WriteString(field)
	}
	b.WriteByte('\n')
}

// take lets the variables of an element override what the row has.
func (r row) take(n *conf.Node) row {
	for _, v := range n.Child("variables").ChildrenNamed("variable") {
		switch value := v.Attr("value"); strings.ToLower(v.Attr("name")) {
		case "user_context":
			r.context = value
		case "callgroup":
			r.callgroup = value
		case "effective_caller_id_name":
			r.name = value
		case "effective_caller_id_number":
			r.number = value
		}
	}
	return r
}

// ListUsers answers the command list_users: a header, a row for each user of
// the files, pointers with the data of the user they mean, and +OK. contact
// says where a user is registered (sofia_contact).
func (d *Directory) ListUsers(f Filter, contact func(user string) string) string {
	var b strings.Builder
	b.WriteString("userid|context|domain|group|contact|callgroup|effective_caller_id_name|effective_caller_id_number\n")
	same := func(want, is string) bool { return want == "" || strings.EqualFold(want, is) }
	for _, dom := range d.store.Tree().Section("directory").ChildrenNamed("domain") {
		inDomain := row{domain: dom.Attr("name")}.take(dom)
		if !same(f.Domain, inDomain.domain) {
			continue
		}
		list := func(base row, holder *conf.Node) {
			for _, users := range holder.ChildrenNamed("users") {
				for _, u := range users.ChildrenNamed("user") {
					if !same(f.User, u.Attr("id")) {
						continue
					}
					if strings.EqualFold(u.Attr("type"), "pointer") {
						if real := findReal(dom, u.Attr("id")); real != nil {
							u = real
						}
					}
					r := base.take(u)
					if !same(f.Context, r.context) {
						continue
					}
					r.id = u.Attr("id")
					r.contact = contact(r.id + "@" + r.domain)
					r.write(&b)
				}
			}
		}
		groups := dom.Child("groups")
		if groups == nil {
			if f.Group == "" {
				list(inDomain, dom)
			}
			continue
		}
		for _, g := range groups.ChildrenNamed("group") {
			r := inDomain.take(g)
			r.group = g.Attr("name")
			if same(f.Group, r.group) {
				list(r, g)
			}
		}
	}
	b.WriteString("\n+OK\n")
	return b.String()
}
