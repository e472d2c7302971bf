package kv

import (
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/switchlet/switchlet/store"
)

func TestHash(t *testing.T) {
	h := NewHash()
	if !h.Insert("r", "k", "1") || h.InsertIfEmpty("r", "k", "2") || !h.InsertIfEmpty("r", "other", "2") {
		t.Fatal("insert")
	}
	if v, ok := h.Select("r", "k"); !ok || v != "1" {
		t.Errorf("select gives %q %v", v, ok)
	}
	if found, deleted := h.DeleteIfMatch("r", "k", "2"); !found || deleted {
		t.Errorf("another value: found %v, deleted %v", found, deleted)
	}
	if found, deleted := h.DeleteIfMatch("r", "nosuch", ""); found || deleted {
		t.Errorf("no value: found %v, deleted %v", found, deleted)
	}
	if all := h.All(); len(all) != 2 || all[0].Name != "r_k" || all[1].Name != "r_other" {
		t.Errorf("all: %v", all)
	}
	if found, deleted := h.DeleteIfMatch("r", "k", "1"); !found || !deleted {
		t.Errorf("the value: found %v, deleted %v", found, deleted)
	}
	if !h.Delete("r", "other") || h.Delete("r", "other") {
		t.Error("delete")
	}
}

func TestLimits_AtOnce(t *testing.T) {
	l := NewLimits()
	for i, c := range []struct {
		owner string
		max   int
		total int
		ok    bool
	}{
		{"a", 2, 1, true}, {"a", 2, 1, true}, {"b", 2, 2, true}, {"c", 2, 2, false}, {"c", -1, 3, true}, {"d", 0, 3, false},
	} {
		u, ok := l.Take("hash", "r", "i", c.owner, c.max, 0)
		if u.Total != c.total || ok != c.ok {
			t.Errorf("step %d: usage %d, %v; want %d, %v", i, u.Total, ok, c.total, c.ok)
		}
	}
	l.Release("hash", "r", "other", "a")
	l.Release("db", "", "", "a")
	if n := l.Usage("hash", "r", "i").Total; n != 3 {
		t.Errorf("%d after releasing other resources, want 3", n)
	}
	l.Release("hash", "r", "i", "a")
	l.Release("", "", "", "b")
	l.Release("hash", "", "", "c")
	if n := l.Usage("hash", "r", "i").Total; n != 0 {
		t.Errorf("%d after releasing all, want 0", n)
	}
	if all := l.All("hash"); len(all) != 0 {
		t.Errorf("left: %v", all)
	}
}

func TestLimits_Rate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimits()
		took := 0
		for i := range 10 {
			if _, ok := l.Take("hash", "r", "i", strconv.Itoa(i), 3, 5*time.Second); ok {
				took++
			}
		}
		if took != 3 {
			t.Errorf("%d in one interval, want 3", took)
		}
		time.Sleep(5 * time.Second)
		if _, ok := l.Take("hash", "r", "i", "x", 3, 5*time.Second); !ok {
			t.Error("refused in the next interval")
		}
		l.ResetInterval("hash", "r", "i")
		if u := l.Usage("hash", "r", "i"); u.Rate != 0 || u.Total != 4 {
			t.Errorf("after the reset: %+v", u)
		}
		if all := l.All("hash"); len(all) != 1 || all[0].Interval != 5*time.Second || all[0].Since == 0 {
			t.Errorf("all: %+v", all)
		}
	})
}

func TestLimits_ManyAtOnce_NeverMoreThanMax(t *testing.T) {
	l := NewLimits()
	var mu sync.Mutex
	var wg sync.WaitGroup
	in := 0
	for i := range 100 {
		wg.Go(func() {
			if _, ok := l.Take("hash", "r", "i", strconv.Itoa(i), 7, 0); ok {
				mu.Lock()
				in++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if in != 7 {
		t.Errorf("%d got in, want 7", in)
	}
}

func openDB(t *testing.T, dir string) (*DB, *store.Store) {
	t.Helper()
	s, err := store.Open(store.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	db, err := OpenDB(t.Context(), s.Core())
	if err != nil {
		t.Fatal(err)
	}
	return db, s
}

func TestDB_OutlivesTheProgram(t *testing.T) {
	dir := t.TempDir()
	db, s := openDB(t, dir)
	for _, v := range []string{"1", "2"} {
		if err := db.Insert("r", "k", v); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Insert("r", "long", strings.Repeat("x", 300)); err != nil {
		t.Fatal(err)
	}
	if err := db.GroupInsert("g", "null/1"); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	db, s = openDB(t, dir)
	defer s.Close()
	if v, ok, err := db.Select("r", "k"); v != "2" || !ok || err != nil {
		t.Errorf("select: %q %v %v", v, ok, err)
	}
	if v, _, _ := db.Select("r", "long"); len(v) != valueMax {
		t.Errorf("a long value has %d bytes, want %d", len(v), valueMax)
	}
	if n, err := db.Count("r"); n != 2 || err != nil {
		t.Errorf("count: %d %v", n, err)
	}
	if list, err := db.List("r"); strings.Join(list, ",") != "k,long" || err != nil {
		t.Errorf("list: %v %v", list, err)
	}
	if list, err := db.Group("g"); strings.Join(list, ",") != "null/1" || err != nil {
		t.Errorf("group: %v %v", list, err)
	}
	if err := db.Delete("r", ""); err != nil {
		t.Fatal(err)
	}
	if _, ok, _ := db.Select("r", "k"); ok {
		t.Error("the realm is still there")
	}
}
