package directory

import (
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/switchlet/switchlet/conf"
)

const people = `<document>
<section name="configuration">
<configuration name="acl.conf"><network-lists>
  <list name="mixed" default="deny">
    <node type="allow" cidr="198.51.100.0/24"/>
    <node type="deny" cidr="198.51.100.128/25"/>
    <node type="allow" cidr="198.51.100.200/32,198.51.100.201"/>
    <node type="allow" host="203.0.113.7" mask="255.255.255.255"/>
    <node type="allow" host="203.0.113.8" mask="255.0.255.0"/>
    <node type="allow" cidr="garbage"/>
  </list>
  <list name="open"><node type="deny" cidr="203.0.113.0/24"/></list>
  <list name="users" default="deny"><node type="allow" domain="d.test"/><node type="allow" domain="nowhere"/></list>
  <list name="six" default="deny"><node type="allow" cidr="2001:db8::/32"/></list>
  <list name="first" default="deny"><node type="deny" cidr="10.0.0.0/8"/><node type="allow" cidr="10.0.0.0/8"/></list>
  <list name="ports" default="deny"><node type="allow" cidr="10.0.0.0/8" ports="5060,5080"/><node type="allow" cidr="11.0.0.0/8" port-min="100" port-max="200"/><node type="allow" cidr="12.0.0.0/8" port="x"/></list>
  <list name="loopback.auto" default="allow"/>
</network-lists></configuration>
</section>
<section name="directory">
<domain name="d.test">
  <params><param name="dial-string" value="{presence_id=${dialed_user}@${dialed_domain}}loopback/park"/><param name="shared" value="domain"/></params>
  <variables><variable name="dv" value="domain"/><variable name="shared" value="domain"/><variable name="user_context" value="outer"/></variables>
  <groups>
    <group name="team">
      <params><param name="gp" value="group"/><param name="shared" value="group"/></params>
      <variables><variable name="gv" value="group"/><variable name="shared" value="group"/></variables>
      <users>
        <user id="alice" number-alias="2001" cidr="10.99.2.0/24">
          <params><param name="password" value="secret"/><param name="shared" value="user"/><param name="dial-var-colour" value="red"/></params>
          <variables><variable name="shared" value="user"/><variable name="user_context" value="inner"/><variable name="effective_caller_id_name" value="Alice"/><variable name="effective_caller_id_number" value="2001"/></variables>
          <profile-variables><variable name="pv" value="user"/></profile-variables>
        </user>
        <user id="bob"><params><param name="dial-string" value="null/bob"/><param name="group-dial-string" value="loopback/bob"/></params></user>
        <user id="carol" cidr="10.99.1.0/24,10.99.3.1/32" ip="192.0.2.9" cacheable="true"><params><param name="a1-hash" value="0123"/><param name="dial-string" value="&lt;a=b&gt;{c=d}null/x,[e=f]null/y|null/z"/></params></user>
        <user id="timed" cacheable="1000"/>
      </users>
    </group>
    <group name="pointers"><users><user id="bob" type="pointer"/><user id="carol" type="pointer"/><user id="ghost" type="pointer"/></users></group>
    <group name="empty"/>
  </groups>
  <users><user id="dora"/></users>
  <user id="emil" cidr="10.99.4.0/24"/>
</domain>
<domain name="plain.test"><users><user id="x"/></users></domain>
</section></document>`

func open(t *testing.T) (*Directory, *conf.Store) {
	t.Helper()
	base := fstest.MapFS{"freeswitch.xml": &fstest.MapFile{Data: []byte(people)}}
	store, err := conf.NewStore(context.Background(), conf.Options{Base: base, Globals: []conf.Pair{
		{Name: "domain", Value: "d.test"}, {Name: "local_ip_v4", Value: "192.168.7.3"}, {Name: "local_mask_v4", Value: "255.255.255.0"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return New(store), store
}

func TestUser_InheritsFromGroupAndDomain(t *testing.T) {
	d, _ := open(t)
	u, err := d.User(context.Background(), "", "ALICE", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	if u.ID != "alice" || u.Domain != "d.test" || u.Group != "team" || u.NumberAlias() != "2001" {
		t.Errorf("%+v", u)
	}
	if got, want := fmt.Sprint(u.Params), "[{gp group} {dial-string {presence_id=${dialed_user}@${dialed_domain}}loopback/park} {password secret} {shared user} {dial-var-colour red}]"; got != want {
		t.Errorf("params %s, want %s", got, want)
	}
	if got, want := fmt.Sprint(u.Variables), "[{gv group} {dv domain} {shared user} {user_context inner} {effective_caller_id_name Alice} {effective_caller_id_number 2001}]"; got != want {
		t.Errorf("variables %s, want %s", got, want)
	}
	if fmt.Sprint(u.ProfileVariables) != "[{pv user}]" || fmt.Sprint(u.DialVars()) != "[{colour red}]" {
		t.Errorf("profile variables %v, dial variables %v", u.ProfileVariables, u.DialVars())
	}
	if got := u.Attributes[len(u.Attributes)-1]; got.Name != "domain-name" || got.Value != "d.test" {
		t.Errorf("last attribute %v", got)
	}
	if text := u.Node.String(); !strings.HasPrefix(text, `<user id="alice" number-alias="2001" cidr="10.99.2.0/24" domain-name="d.test">`) || !strings.Contains(text, `<param name="gp" value="group"></param>`) {
		t.Errorf("node %s", text)
	}
	hash, ok := u.A1Hash("d.test")
	if want := fmt.Sprintf("%x", md5.Sum([]byte("alice:d.test:secret"))); !ok || hash != want {
		t.Errorf("hash %q", hash)
	}
	if u.DialString() == "" {
		t.Error("no dial string")
	}
}

func TestUser_Found(t *testing.T) {
	d, _ := open(t)
	for _, c := range []struct{ key, user, domain, ip, want string }{
		{"id", "2001", "", "", "alice"},
		{"number-alias", "2001", "d.test", "", "alice"},
		{"nothing:number-alias", "2001", "D.TEST", "", "alice"},
		{"id", "dora", "", "", "dora"},
		{"id", "emil", "", "", "emil"},
		{"id", "x", "plain.test", "", "x"},
		{"id", "unknown", "", "192.0.2.9", "carol"},
		{"id", "unknown", "", "", ""},
		{"id", "alice", "elsewhere", "", ""},
		{"id", "", "", "", ""},
	} {
		u, err := d.User(context.Background(), c.key, c.user, c.domain, map[string]string{"ip": c.ip})
		switch {
		case c.want == "" && !errors.Is(err, ErrNotFound):
			t.Errorf("%+v: %v, %v", c, u, err)
		case c.want != "" && (err != nil || u.ID != c.want):
			t.Errorf("%+v: %v, %v", c, u, err)
		}
	}
}

func TestUser_Cache(t *testing.T) {
	d, store := open(t)
	now := time.Unix(1000, 0)
	d.now = func() time.Time { return now }
	asked := 0
	store.Bind(conf.Binding{Name: "count", Answer: func(context.Context, conf.Request) (string, error) { asked++; return "", nil }})
	look := func(user string) {
		t.Helper()
		if _, err := d.User(context.Background(), "id", user, "d.test", nil); err != nil {
			t.Fatal(err)
		}
	}
	look("carol")
	look("carol")
	if asked != 1 {
		t.Errorf("asked %d times for a cacheable user", asked)
	}
	look("timed")
	look("timed")
	now = now.Add(time.Second)
	look("timed")
	if asked != 3 {
		t.Errorf("asked %d times", asked)
	}
	if n := d.Flush("id", "CAROL", "d.test"); n != 1 {
		t.Errorf("flushed %d", n)
	}
	if n := d.Flush("", "", ""); n != 1 {
		t.Errorf("flushed %d", n)
	}
	look("alice")
	look("alice")
	if asked != 5 {
		t.Errorf("asked %d times", asked)
	}
}

func TestReports(t *testing.T) {
	d, _ := open(t)
	ctx := context.Background()
	for _, c := range []struct{ user, kind, name, want string }{
		{"alice@d.test", "param", "gp", "group"}, {"alice", "var", "shared", "user"}, {"2001@d.test", "var", "dv", "domain"},
		{"alice", "attr", "number-alias", "2001"}, {"alice", "bogus", "password", "secret"}, {"alice", "param", "none", ""}, {"nobody", "param", "password", ""},
		{"bob", "var", "shared", "group"},
	} {
		if got := d.UserData(ctx, c.user, c.kind, c.name); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
	for _, c := range []struct{ domain, kind, name, want string }{{"d.test", "var", "dv", "domain"}, {"d.test", "param", "shared", "domain"}, {"d.test", "attr", "name", "d.test"}, {"none", "var", "dv", ""}} {
		if got := d.DomainData(ctx, c.domain, c.kind, c.name); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
	if !d.DomainExists(ctx, "D.test") || d.DomainExists(ctx, "none") || fmt.Sprint(d.Domains()) != "[d.test plain.test]" {
		t.Error("domains")
	}
	if !d.InGroup(ctx, "bob", "", "pointers") || d.InGroup(ctx, "alice", "", "pointers") || d.InGroup(ctx, "nobody", "", "team") || d.InGroup(ctx, "bob", "", "none") {
		t.Error("groups")
	}
	if got := fmt.Sprint(d.Members(ctx, "pointers", "d.test")); got != "[bob carol ghost]" {
		t.Errorf("members %s", got)
	}
}

func TestListUsers(t *testing.T) {
	d, _ := open(t)
	contact := func(user string) string { return "contact/" + user }
	f, ok := ParseFilter("domain d.test")
	if !ok {
		t.Fatal("refused")
	}
	want := `userid|context|domain|group|contact|callgroup|effective_caller_id_name|effective_caller_id_number
alice|inner|d.test|team|contact/alice@d.test||Alice|2001
bob|outer|d.test|team|contact/bob@d.test|||
carol|outer|d.test|team|contact/carol@d.test|||
timed|outer|d.test|team|contact/timed@d.test|||
bob|outer|d.test|pointers|contact/bob@d.test|||
carol|outer|d.test|pointers|contact/carol@d.test|||
ghost|outer|d.test|pointers|contact/ghost@d.test|||

+OK
`
	if got := d.ListUsers(f, contact); got != want {
		t.Errorf("got %s", got)
	}
	for args, rows := range map[string]int{"": 8, "user bob": 2, "group team": 4, "context inner": 1, "group team user bob domain d.test context outer": 1, "domain none": 0} {
		f, ok := ParseFilter(args)
		if got := strings.Count(d.ListUsers(f, contact), "contact/"); !ok || got != rows {
			t.Errorf("%q: %d rows, want %d", args, got, rows)
		}
	}
	if _, ok := ParseFilter("a b c d e f g h i"); ok {
		t.Error("nine words were taken")
	}
}

func TestGroupCall(t *testing.T) {
	d, _ := open(t)
	expand := func(dial string, vars Values) string {
		return strings.NewReplacer("${dialed_user}", vars.Get("dialed_user"), "${dialed_domain}", vars.Get("dialed_domain")).Replace(dial)
	}
	carol := "[a=b][c=d]null/x,[a=b][c=d][e=f]null/y|[a=b][c=d]null/z"
	alice, timed := "[presence_id=alice@d.test]loopback/park", "[presence_id=timed@d.test]loopback/park"
	for spec, want := range map[string]string{
		"team":              strings.Join([]string{alice, "loopback/bob", carol, timed}, ","),
		"team@d.test+A":     strings.Join([]string{alice, "loopback/bob", carol, timed}, ","),
		"TEAM@d.test+F":     strings.Join([]string{alice, "loopback/bob", carol, timed}, "|"),
		"team+E":            strings.Join([]string{alice, "loopback/bob", carol, timed}, ":_:"),
		"pointers":          "loopback/bob," + carol,
		"empty":             NoRoute,
		"nobody":            NoRoute,
		"team@no.such.test": NoRoute,
		"":                  NoRoute,
	} {
		if got := d.GroupCall(context.Background(), spec, expand); got != want {
			t.Errorf("%s: got %s, want %s", spec, got, want)
		}
	}
}

func TestFlatten(t *testing.T) {
	for in, want := range map[string]string{
		"a/b":               "a/b",
		"a/b,c/d":           "a/b,c/d",
		"{^^:x=1:y=2}a/b":   "[^^:x=1:y=2]a/b",
		"{x={y}}a,b":        "[x={y}]a,[x={y}]b",
		"{x=1}[y=2,z=3]a,b": "[x=1][y=2,z=3]a,[x=1]b",
		"{x=1}a:_:{y=2}b":   "[x=1]a:_:[x=1][y=2]b",
		"{broken":           "{broken",
		"":                  "",
	} {
		if got := flatten(in); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}

func TestAccessLists(t *testing.T) {
	_, store := open(t)
	lists := NewAccessLists(store)
	if ok, _ := lists.CheckText("10.0.0.1", "rfc1918.auto"); ok {
		t.Error("an empty set of lists allows")
	}
	var trouble []string
	for _, w := range lists.Rebuild(context.Background()) {
		if w.Level > conf.Info {
			trouble = append(trouble, w.Text)
		}
	}
	if got := strings.Join(trouble, "; "); got != `Error Adding 203.0.113.8/255.0.255.0 (allow) to list mixed; Error Adding garbage (allow) [] to list mixed; Cannot locate domain nowhere; port "x": ports are numbers from 1 to 65535; the node is skipped` {
		t.Errorf("trouble: %s", got)
	}
	for _, c := range []struct {
		ip, list string
		want     bool
		token    string
	}{
		{"198.51.100.5", "mixed", true, ""}, {"198.51.100.130", "mixed", false, ""}, {"198.51.100.200", "mixed", true, ""}, {"198.51.100.201", "mixed", true, ""},
		{"203.0.113.7", "mixed", true, ""}, {"203.0.113.8", "mixed", false, ""}, {"192.0.2.1", "mixed", false, ""},
		{"203.0.113.5", "open", false, ""}, {"203.0.114.5", "open", true, ""},
		{"10.99.1.5", "users", true, "carol@d.test"}, {"10.99.3.1", "users", true, "carol@d.test"}, {"10.99.2.5", "users", true, "alice@d.test"}, {"10.99.4.5", "users", true, "emil@d.test"}, {"10.98.2.5", "users", false, ""},
		{"2001:db8::1", "six", true, ""}, {"2001:db9::1", "six", false, ""}, {"[2001:db8::1]", "six", true, ""}, {"10.0.0.1", "six", false, ""},
		{"10.1.1.1", "first", false, ""},
		{"10.1.2.3", "rfc1918.auto", true, ""}, {"8.8.8.8", "rfc1918.auto", false, ""}, {"fe80::1%eth0", "rfc1918.auto", true, ""}, {"::ffff:10.1.2.3", "rfc1918.auto", true, ""},
		{"8.8.8.8", "wan.auto", true, ""}, {"192.168.1.1", "wan.auto", false, ""}, {"2001:db8::1", "wan.auto", true, ""}, {"2001:db8::1", "wan_v4.auto", false, ""}, {"8.8.8.8", "wan_v4.auto", true, ""},
		{"8.8.8.8", "wan_v6.auto", false, ""}, {"2001:db8::1", "wan_v6.auto", true, ""}, {"8.8.8.8", "any_v4.auto", true, ""}, {"::1", "any_v4.auto", false, ""}, {"8.8.8.8", "any_v6.auto", false, ""},
		{"100.64.1.1", "rfc6598.auto", true, ""}, {"192.168.7.9", "localnet.auto", true, ""}, {"192.168.8.9", "localnet.auto", false, ""},
		{"192.168.7.9", "nat.auto", false, ""}, {"192.168.8.9", "nat.auto", true, ""}, {"8.8.8.8", "nat.auto", false, ""},
		{"8.8.8.8", "loopback.auto", true, ""},
		{"192.0.2.77", "192.0.2.0/24", true, ""}, {"192.0.3.77", "192.0.2.0/24", false, ""}, {"192.0.3.77", "192.0.2.0/24,192.0.3.77/32", true, ""},
		{"10.1.2.3", "none", false, ""}, {"garbage", "mixed", false, ""}, {"", "open", false, ""},
	} {
		if ok, token := lists.CheckText(c.ip, c.list); ok != c.want || token != c.token {
			t.Errorf("%s in %s: %v %q", c.ip, c.list, ok, token)
		}
	}
	for from, want := range map[string]bool{"10.0.0.1:5060": true, "10.0.0.1:5061": false, "10.0.0.1:0": true, "11.0.0.1:150": true, "11.0.0.1:201": false} {
		if ok, _ := lists.CheckPort(netip.MustParseAddrPort(from), "ports"); ok != want {
			t.Errorf("%s: %v", from, ok)
		}
	}
	ip := netip.MustParseAddr("198.51.100.200")
	if n := testing.AllocsPerRun(100, func() { lists.Check(ip, "mixed") }); n != 0 {
		t.Errorf("%v allocations a check", n)
	}
}

func FuzzNetwork(f *testing.F) {
	f.Add("10.0.0.0/8", "255.0.0.0")
	f.Add("::ffff:1.2.3.4/100", "::ffff")
	f.Fuzz(func(t *testing.T, a, b string) {
		if p, ok := parseNetwork(a); ok && !p.IsValid() {
			t.Errorf("%q: %v", a, p)
		}
		if p, ok := maskedNetwork(a, b); ok && !p.IsValid() {
			t.Errorf("%q %q: %v", a, b, p)
		}
		literal(netip.IPv6Loopback(), a)
	})
}

func FuzzFlatten(f *testing.F) {
	f.Add("{a=b}<c=d>[e=f]x,y|z:_:w")
	f.Fuzz(func(t *testing.T, s string) { flatten(s) })
}
