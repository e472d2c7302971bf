package kv

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/switchlet/switchlet/store"
)

func TestObject_KeepsOrderAndSize(t *testing.T) {
	o := NewObject(100)
	for _, m := range [][2]string{{"a", `1`}, {"b", `{ "x": [1, 2] }`}, {"A", `"again"`}} {
		if err := o.Set(m[0], json.RawMessage(m[1])); err != nil {
			t.Fatal(err)
		}
	}
	if got := string(o.Text()); got != `{"b":{"x":[1,2]},"A":"again"}` {
		t.Errorf("%s", got)
	}
	if v, ok := o.Get("B"); !ok || string(v) != `{"x":[1,2]}` {
		t.Errorf("B is %s, %v", v, ok)
	}
	if err := o.Set("long", json.RawMessage(`"`+strings.Repeat("x", 90)+`"`)); !errors.Is(err, ErrFull) {
		t.Errorf("too long: %v", err)
	}
	if err := o.Set("bad", json.RawMessage(`{`)); err == nil {
		t.Error("half an object was taken")
	}
	for _, bad := range []string{``, `[]`, `{"a":1`, `{"a":1}x`, `null`, `{"a":1}{}`} {
		if err := o.Load([]byte(bad)); !errors.Is(err, ErrObject) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if err := o.Load([]byte(`{"a":"` + strings.Repeat("x", 100) + `"}`)); !errors.Is(err, ErrFull) {
		t.Errorf("too long a text: %v", err)
	}
	if got := string(o.Text()); got != `{"b":{"x":[1,2]},"A":"again"}` {
		t.Errorf("what failed has changed it to %s", got)
	}
	o.Delete("b")
	o.Delete("a")
	if string(o.Text()) != "{}" || o.size != 0 {
		t.Errorf("%s of %d bytes is left", o.Text(), o.size)
	}
}

func TestObjects_AreBounded(t *testing.T) {
	s := NewObjects(nil)
	set := func(name, key string, value json.RawMessage) error {
		return s.Use(name, func(o *Object) error { return o.Set(key, value) })
	}
	big := json.RawMessage(`"` + strings.Repeat("x", MaxObject-100) + `"`)
	n := 0
	for ; set("big"+strconv.Itoa(n), "k", big) == nil; n++ {
		if n > MaxAllObjects/(MaxObject-100) {
			t.Fatal("there is no end of room")
		}
	}
	if n != MaxAllObjects/(MaxObject-93) || s.bytes > MaxAllObjects {
		t.Errorf("%d objects of %d bytes, %d in all", n, MaxObject, s.bytes)
	}
	for i := range n {
		if err := s.Use("big"+strconv.Itoa(i), func(o *Object) error { o.Clear(); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	if len(s.named) != 0 || s.bytes != 0 {
		t.Errorf("%d objects of %d bytes are left", len(s.named), s.bytes)
	}
	for i := range MaxObjects {
		if err := set(strconv.Itoa(i), "k", json.RawMessage("1")); err != nil {
			t.Fatal(err)
		}
	}
	if err := set("more", "k", json.RawMessage("1")); !errors.Is(err, ErrFull) {
		t.Errorf("one more: %v", err)
	}
	if err := set("1", "other", json.RawMessage("1")); err != nil {
		t.Errorf("one that is there: %v", err)
	}
	o := NewObject(MaxObject)
	for i := range MaxMembers {
		o.members = append(o.members, objectMember{strconv.Itoa(i), json.RawMessage("1")})
	}
	if err := o.Set("more", json.RawMessage("1")); !errors.Is(err, ErrFull) {
		t.Errorf("one member more: %v", err)
	}
}

func TestObjects_Commit(t *testing.T) {
	databases, err := store.Open(store.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer databases.Close()
	db, err := OpenDB(t.Context(), databases.Core())
	if err != nil {
		t.Fatal(err)
	}
	s := NewObjects(db)
	for _, text := range []string{`{"a":1}`, `{"a":2}`} {
		if err := s.Commit("x-Y_1", []byte(text)); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Committed("x-Y_1"); err != nil || string(got) != text {
			t.Errorf("%s, %v; want %s", got, err, text)
		}
	}
	if _, err := s.Committed("nobody"); !errors.Is(err, ErrNoObject) {
		t.Errorf("what is not there: %v", err)
	}
	for _, name := range []string{"", "../x", "a b", "ä", "a'b", "a\x00", strings.Repeat("x", 129)} {
		if err := s.Commit(name, []byte("{}")); !errors.Is(err, ErrName) {
			t.Errorf("commit %q: %v", name, err)
		}
		if _, err := s.Committed(name); !errors.Is(err, ErrName) {
			t.Errorf("retrieve %q: %v", name, err)
		}
	}
	if err := db.exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) INSERT INTO json_store SELECT 'n' || i, '{}' FROM n`, MaxCommitted-1); err != nil {
		t.Fatal(err)
	}
	if err := s.Commit("more", []byte("{}")); !errors.Is(err, ErrFull) {
		t.Errorf("one more than %d: %v", MaxCommitted, err)
	}
	if err := s.Commit("n1", []byte(`{"new":1}`)); err != nil {
		t.Errorf("one that is there: %v", err)
	}
}

func FuzzObject_Load(f *testing.F) {
	for _, s := range []string{`{"a":1}`, `{}`, `{"a":{"b":[1,2]},"A":null}`, `[`, `{"<\u0000":1}x`, "{\"\xff\":\"\xff\"}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		o := NewObject(1000)
		if o.Load(text) != nil {
			return
		}
		again, out := NewObject(1000), o.Text()
		if len(out) > 1002 || again.Load(out) != nil || again.size != o.size || string(again.Text()) != string(out) {
			t.Errorf("%q became %q, then %q", text, out, again.Text())
		}
		for len(o.members) > 0 {
			o.Delete(o.members[0].name)
		}
		if o.size != 0 {
			t.Errorf("%q leaves %d bytes", text, o.size)
		}
	})
}
