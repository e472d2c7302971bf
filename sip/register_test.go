package sip

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/test/phone"
)

func TestRegister_Digest_ContactsAndEvents(t *testing.T) {
	h := newHouse(t, houseOptions{})
	a := h.phone("1000")
	res, err := a.Register(120)
	ok(t, err)
	if res.StatusCode != 200 {
		t.Fatalf("%d %s", res.StatusCode, res.Reason)
	}
	contact := "<sip:1000@" + a.Addr().String() + ">;expires=120"
	if got := header(res, "Contact"); got != contact {
		t.Errorf("Contact %s, want %s", got, contact)
	}
	for _, name := range []string{"Date", "Allow", "Supported"} {
		if header(res, name) == "" {
			t.Errorf("no %s", name)
		}
	}
	h.waitCustom("sofia::pre_register")
	if e := h.waitCustom("sofia::register_attempt"); e.Get("auth-result") != "RENEWED" {
		t.Errorf("auth-result %s", e.Get("auth-result"))
	}
	if e := h.waitCustom("sofia::register"); e.Get("status") != "Registered(UDP)" || e.Get("from-host") != "test.local" {
		t.Errorf("register: %s", e.Plain())
	}
	if got, want := h.api("sofia_contact 1000@test.local"), "sofia/internal/sip:1000@"+a.Addr().String(); got != want {
		t.Errorf("sofia_contact %q, want %q", got, want)
	}
	if got := h.api("sofia_count_reg 1000@test.local"); got != "1" {
		t.Errorf("sofia_count_reg %q", got)
	}
	status := h.api("sofia status profile internal reg")
	if !strings.Contains(status, "Status:     \tRegistered(UDP)(unknown) EXP(") || !strings.Contains(status, "Total items returned: 1\n") {
		t.Error(status)
	}
	if _, err := a.Register(0); err != nil {
		t.Fatal(err)
	}
	h.waitCustom("sofia::unregister")
	if got := h.api("sofia_contact 1000@test.local"); got != "error/user_not_registered" {
		t.Errorf("sofia_contact %q", got)
	}
}

func TestRegister_WrongSecrets_Refused(t *testing.T) {
	h := newHouse(t, houseOptions{})
	for name, change := range map[string]func(*phone.Options){
		"wrong password": func(o *phone.Options) { o.Password = "guess" },
		"unknown user":   func(o *phone.Options) { o.User, o.AuthUser = "4711", "4711" },
		"another's name": func(o *phone.Options) { o.AuthUser = "1001" },
	} {
		res, err := h.phone("1000", change).Register(60)
		if err != nil {
			t.Fatal(err)
		}
		if res.StatusCode != 403 {
			t.Errorf("%s: %d %s, want 403", name, res.StatusCode, res.Reason)
		}
	}
	res, err := h.phone("1002", func(o *phone.Options) { o.Password = "hashed" }).Register(60)
	ok(t, err)
	if res.StatusCode != 200 {
		t.Errorf("a1-hash: %d %s", res.StatusCode, res.Reason)
	}
}

func TestRegister_Restart_BindingsAreKept(t *testing.T) {
	db, err := sql.Open("sqlite", filepath.Join(t.TempDir(), "core.db"))
	ok(t, err)
	t.Cleanup(func() { db.Close() })
	var port string
	t.Run("before", func(t *testing.T) {
		h := newHouse(t, houseOptions{db: db})
		p := h.registered("1000")
		port = p.Addr().String()
	})
	t.Run("after", func(t *testing.T) {
		h := newHouse(t, houseOptions{db: db})
		if got, want := h.api("sofia_contact 1000@test.local"), "sofia/internal/sip:1000@"+port; got != want {
			t.Errorf("sofia_contact %q, want %q", got, want)
		}
		if list := h.stack.Registrations(); len(list) != 1 || list[0].NetworkProto != "udp" {
			t.Errorf("%+v", list)
		}
	})
}

func TestRegister_MultipleContacts_EachItsOwn(t *testing.T) {
	h := newHouse(t, houseOptions{params: `<param name="multiple-registrations" value="contact"/><param name="max-registrations-per-extension" value="2"/>`})
	a, b := h.registered("1000"), h.registered("1000")
	res, err := h.phone("1000").Register(60)
	ok(t, err)
	if res.StatusCode != 403 {
		t.Errorf("third contact: %d, want 403", res.StatusCode)
	}
	if got := h.api("sofia_count_reg 1000@test.local"); got != "2" {
		t.Errorf("count %s", got)
	}
	got := h.api("sofia_contact 1000@test.local")
	for _, p := range []*phone.Phone{a, b} {
		if !strings.Contains(got, "sofia/internal/sip:1000@"+p.Addr().String()) {
			t.Errorf("%s is not in %s", p.Addr(), got)
		}
	}
}

func TestRegister_BehindNAT_PathToTheSource(t *testing.T) {
	h := newHouse(t, houseOptions{params: `<param name="local-network-acl" value="none"/><param name="apply-nat-acl" value="rfc1918.auto"/>`})
	a := h.phone("1000")
	res, err := a.RegisterContact("<sip:1000@192.168.7.7:5060>", 60)
	ok(t, err)
	if got := header(res, "Contact"); got != "<sip:1000@192.168.7.7:5060>;expires=60" {
		t.Errorf("Contact %s", got)
	}
	want := "sofia/internal/sip:1000@192.168.7.7:5060;fs_nat=yes;fs_path=sip%3A1000%40" + strings.Replace(a.Addr().String(), ":", "%3A", 1)
	if got := h.api("sofia_contact 1000@test.local"); got != want {
		t.Errorf("sofia_contact\n%s, want\n%s", got, want)
	}
	out := must[*phone.Call](t)(h.phone("1001").Dial("1000"))
	in := must[*phone.Call](t)(a.Next())
	if got := in.Invite().Recipient.String(); got != "sip:1000@192.168.7.7:5060" {
		t.Errorf("Request-URI %s", got)
	}
	answers(t, in, out)
	h.waitType(event.ChannelBridge)
	leaves(t, out, in)
}

func TestDigest_StaleNonceAndReplay_Challenged(t *testing.T) {
	c := newChallenges(60 * time.Second)
	now := time.Now()
	n := c.issue(now)
	if err := c.check(n, 1, now); err != nil {
		t.Fatal(err)
	}
	c.spend(n, 1, now)
	if c.check(n, 1, now) == nil {
		t.Error("the same count was taken twice")
	}
	if err := c.check(n, 2, now); err != nil {
		t.Error("the next count was refused")
	}
	if c.check(n, 3, now.Add(2*time.Minute)) == nil {
		t.Error("an old nonce was taken")
	}
	if c.check("11111111-2222-4333-8444-555555555555", 1, now) == nil || c.check("x", 1, now) == nil {
		t.Error("a made-up nonce was taken")
	}
}

// Registrations that come and go leave memory, rows and the queue of the saver as
// they were: those of 100,000 phones in ten rounds, of which the last weighs no more
// than the second.
func TestRegistrar_BindingsComeAndGo_NothingIsLeft(t *testing.T) {
	db, err := sql.Open("sqlite", filepath.Join(t.TempDir(), "sip.db"))
	ok(t, err)
	defer db.Close()
	h := newHouse(t, houseOptions{db: db, quiet: true})
	p := h.stack.Profile("internal")
	p.registrar.stop() // from here on the test scans and saves
	weight := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	var second, last uint64
	for round := range 10 {
		now := time.Now()
		for i := range 10000 {
			user := fmt.Sprintf("%d-%d", round, i)
			b := &binding{CallID: user, User: user, Host: "test.local", Contact: "<sip:" + user + "@192.0.2.1>", Status: "Registered(UDP)",
				Expires: now.Add(time.Minute), Registered: now}
			if stored, _ := p.registrar.put(b, "", 0); !stored {
				t.Fatalf("%s was not stored", user)
			}
		}
		if round == 0 {
			p.registrar.saver.flush(t.Context())
		}
		p.registrar.expire(now.Add(time.Hour))
		p.registrar.saver.flush(t.Context())
		if n := p.registrar.size(); n != 0 {
			t.Fatalf("%d bindings are left", n)
		}
		last = weight()
		if round == 1 {
			second = last
		}
	}
	var rows int
	ok(t, db.QueryRow("SELECT count(*) FROM sip_registrations").Scan(&rows))
	if rows != 0 {
		t.Errorf("%d rows are left", rows)
	}
	if last > second+2<<20 {
		t.Errorf("the heap grew from %d to %d kB", second>>10, last>>10)
	}
}
