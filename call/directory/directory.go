package directory

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/switchlet/switchlet/conf"
)

// ErrNotFound is wrapped when a user, group or domain does not exist.
var ErrNotFound = errors.New("not found")

// maxCached bounds the users that are kept because they are cacheable; further
// ones are looked up each time.
const maxCached = 10000

// Directory answers look-ups against the configuration in force. It is safe
// for concurrent use.
type Directory struct {
	store *conf.Store
	now   func() time.Time
	mu    sync.Mutex
	cache map[string]cached
}

type cached struct {
	user *User
	// until is the moment the entry expires; zero means when it is flushed.
	until time.Time
}

// New returns a directory over the store.
func New(store *conf.Store) *Directory {
	return &Directory{store: store, now: time.Now, cache: make(map[string]cached)}
}

// DefaultDomain returns the domain that counts where none is written.
func (d *Directory) DefaultDomain() string { return d.store.Globals().Domain() }

// SplitUser takes user@domain apart; without a domain the default one is
// returned.
func (d *Directory) SplitUser(s string) (user, domain string) {
	user, domain, _ = strings.Cut(s, "@")
	if domain == "" {
		domain = d.DefaultDomain()
	}
	return user, domain
}

// Domain returns the element of a domain, nil if there is none. An empty name
// means the default domain. The params go to scripts and web services that
// answer look-ups.
func (d *Directory) Domain(ctx context.Context, name string, params map[string]string) *conf.Node {
	if name == "" {
		name = d.DefaultDomain()
	}
	sent := maps.Clone(params)
	if sent == nil {
		sent = make(map[string]string, 1)
	}
	sent["domain"] = name
	return d.store.Lookup(ctx, "directory", "domain", "name", name, sent)
}

// DomainExists reports whether there is such a domain.
func (d *Directory) DomainExists(ctx context.Context, name string) bool {
	return d.Domain(ctx, name, nil) != nil
}

// Domains returns the names of the domains that the files define, in order.
func (d *Directory) Domains() []string {
	var names []string
	for _, n := range d.store.Tree().Section("directory").ChildrenNamed("domain") {
		names = append(names, n.Attr("name"))
	}
	return names
}

// User finds a user and merges what it inherits. The key names the attribute
// that user is compared with: "" means id, and a list such as id:number-alias
// is tried in turn; an empty domain means the default one. With params["ip"] a
// user whose ip attribute is that address is found as well. The error wraps
// ErrNotFound.
func (d *Directory) User(ctx context.Context, key, user, domain string, params map[string]string) (*User, error) {
	if key == "" {
		key = "id"
	}
	if domain == "" {
		domain = d.DefaultDomain()
	}
	name := cacheKey(key, user, domain)
	if u := d.cachedUser(name); u != nil {
		return u, nil
	}
	sent := maps.Clone(params)
	if sent == nil {
		sent = make(map[string]string, 3)
	}
	sent["user"] = user
	for one := range strings.SplitSeq(key, ":") {
		sent["key"] = one
		dom := d.Domain(ctx, domain, sent)
		if dom == nil {
			continue
		}
		if found, group := find(dom, one, user, params["ip"]); found != nil {
			u := merge(found, group, dom)
			if matches(found, one, user, "") {
				d.keep(name, u)
			}
			return u, nil
		}
	}
	return nil, fmt.Errorf("directory: can't find user [%s@%s]: %w", user, domain, ErrNotFound)
}

// UserExists reports whether there is such a user.
func (d *Directory) UserExists(ctx context.Context, key, user, domain string) bool {
	_, err := d.User(ctx, key, user, domain, nil)
	return err == nil
}

// find looks through the groups in order, then the domain's <users>, then the
// users directly in the domain.
func find(domain *conf.Node, key, name, ip string) (user, group *conf.Node) {
	for _, g := range domain.Child("groups").ChildrenNamed("group") {
		if u := findIn(g.Child("users"), key, name, ip); u != nil {
			return u, g
		}
	}
	if u := findIn(domain.Child("users"), key, name, ip); u != nil {
		return u, nil
	}
	return findIn(domain, key, name, ip), nil
}

func findIn(users *conf.Node, key, name, ip string) *conf.Node {
	if users == nil {
		return nil
	}
	for _, u := range users.Children {
		if u.Name == "user" && matches(u, key, name, ip) {
			return u
		}
	}
	return nil
}

// matches applies the reference's rule, of which any part is enough.
func matches(u *conf.Node, key, name, ip string) bool {
	if v, ok := u.LookupAttr("ip"); ok && ip != "" && strings.EqualFold(v, ip) {
		return true
	}
	if v, ok := u.LookupAttr(key); ok && strings.EqualFold(v, name) {
		return true
	}
	if v, ok := u.LookupAttr("number-alias"); ok && key == "id" && strings.EqualFold(v, name) {
		return true
	}
	kind := u.Attr("type")
	return kind != "" && !strings.EqualFold(kind, "pointer")
}

// UserNodes returns the <user> elements of a domain as they were written, in
// order: domain's <users>, direct ones, those of all groups. Pointers are left
// out.
func UserNodes(domain *conf.Node) []*conf.Node {
	var all []*conf.Node
	add := func(holder *conf.Node) {
		for _, u := range holder.ChildrenNamed("user") {
			if !strings.EqualFold(u.Attr("type"), "pointer") {
				all = append(all, u)
			}
		}
	}
	add(domain.Child("users"))
	add(domain)
	for _, g := range domain.Child("groups").ChildrenNamed("group") {
		for _, users := range g.ChildrenNamed("users") {
			add(users)
		}
	}
	return all
}

func cacheKey(key, user, domain string) string {
	return strings.ToLower(key + "\x00" + user + "\x00" + domain)
}

func (d *Directory) cachedUser(name string) *User {
	d.mu.Lock()
	defer d.mu.Unlock()
	c, ok := d.cache[name]
	if !ok {
		return nil
	}
	if !c.until.IsZero() && !d.now().Before(c.until) {
		delete(d.cache, name)
		return nil
	}
	return c.user
}

// keep stores a user that says it is cacheable.
func (d *Directory) keep(name string, u *User) {
	how := u.Cacheable()
	if how == "" {
		return
	}
	c := cached{user: u}
	if ms, err := strconv.ParseUint(how, 10, 31); err == nil {
		if ms == 0 {
			return
		}
		c.until = d.now().Add(time.Duration(ms) * time.Millisecond)
	} else if !conf.True(how) {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.cache) < maxCached {
		d.cache[name] = c
	}
}

// Flush forgets cached users: all with an empty user, else that one. It
// returns how many there were (xml_flush_cache).
func (d *Directory) Flush(key, user, domain string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	if user == "" {
		n := len(d.cache)
		clear(d.cache)
		return n
	}
	name := cacheKey(key, user, domain)
	if _, ok := d.cache[name]; !ok {
		return 0
	}
	delete(d.cache, name)
	return 1
}
