package sip

import (
	"strings"
	"testing"

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
