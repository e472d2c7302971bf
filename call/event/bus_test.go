package event

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"
)

func TestBus_DeliversInOrderOfPublication(t *testing.T) {
	b := fixedBus()
	defer b.Close()
	const writers, each = 8, 100
	first, second := b.Subscribe("first", writers*each), b.Subscribe("second", writers*each)
	first.ListenAll()
	second.Listen(Heartbeat)
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for range each {
				b.Publish(New(Heartbeat, ""), "f.c", "f", 1)
			}
		})
	}
	wg.Wait()
	for range writers * each {
		x, err1 := first.Next(context.Background())
		y, err2 := second.Next(context.Background())
		if err1 != nil || err2 != nil || x != y {
			t.Fatalf("subscribers see different events: %v %v", err1, err2)
		}
	}
}

func TestBus_Wanted(t *testing.T) {
	b := fixedBus()
	defer b.Close()
	s := b.Subscribe("s", 1)
	want := func(typ Type, subclass string, want bool) {
		t.Helper()
		if got := b.Wanted(typ, subclass); got != want {
			t.Errorf("%s %s: got %v", typ, subclass, got)
		}
		if got := s.Listens(typ, subclass); got != want && subclass != "" {
			t.Errorf("%s %s: subscription says %v", typ, subclass, got)
		}
	}
	want(Heartbeat, "", false)
	s.Listen(Heartbeat)
	want(Heartbeat, "", true)
	want(Custom, "a::b", false)
	s.ListenCustom("A::B")
	want(Custom, "a::b", true)
	want(Custom, "a::c", false)
	s.Listen(Custom)
	want(Custom, "a::c", true)
	s.Unlisten(Custom)
	want(Custom, "a::b", false)
	s.ListenAll()
	want(ChannelPark, "", true)
	s.Unlisten(ChannelPark)
	want(ChannelPark, "", false)
	want(ChannelUnpark, "", true)
	s.UnlistenAll()
	want(ChannelUnpark, "", false)
	s.ListenCustom("x::y")
	if !s.UnlistenCustom("X::Y") || s.UnlistenCustom("X::Y") {
		t.Error("unlisten of a subclass")
	}
	s.ListenAll()
	s.Close()
	want(Heartbeat, "", false)
	if n := testing.AllocsPerRun(100, func() { b.Wanted(ChannelPark, ""); b.Wanted(Custom, "a::b") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestSubscription_FullQueueDropsTheNewest(t *testing.T) {
	b := fixedBus()
	defer b.Close()
	s := b.Subscribe("s", 2)
	s.Listen(Heartbeat)
	s.SetWant(func(e *Event) bool { return e.Get("skip") == "" })
	for i := range 5 {
		e := New(Heartbeat, "")
		e.Add("n", strconv.Itoa(i))
		if i == 0 {
			e.Add("skip", "yes")
		}
		b.Publish(e, "f.c", "f", 1)
	}
	if got := (<-s.C()).Get("n"); got != "1" || s.Lost() != 2 {
		t.Errorf("first is %s, lost %d", got, s.Lost())
	}
	s.Flush()
	s.Close()
	if _, err := s.Next(context.Background()); !errors.Is(err, ErrClosed) {
		t.Errorf("after the end: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := b.Subscribe("t", 1).Next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestBus_HandlersRunInOrderAndEnd(t *testing.T) {
	b := fixedBus()
	const count = 200
	got := make(chan string, count)
	var cancel func()
	ready := make(chan struct{})
	cancel = b.Handle(Custom, "a::b", func(e *Event) {
		<-ready
		got <- e.Get("n")
		if len(got) == count {
			cancel()
		}
	})
	close(ready)
	for i := range count {
		for _, subclass := range []string{"a::b", "a::c"} {
			e := New(Custom, subclass)
			e.Add("n", strconv.Itoa(i))
			b.Publish(e, "f.c", "f", 1)
		}
	}
	for i := range count {
		if n := <-got; n != strconv.Itoa(i) {
			t.Fatalf("number %d is %s", i, n)
		}
	}
	b.Close()
	b.Handle(All, "", func(*Event) { t.Error("called after the end") })()
	b.Publish(New(Heartbeat, ""), "f.c", "f", 1)
	s := b.Subscribe("late", 1)
	s.ListenAll()
	if _, err := s.Next(context.Background()); !errors.Is(err, ErrClosed) {
		t.Errorf("late subscription: %v", err)
	}
}

func TestBus_StampAgainReplacesTheCommonHeaders(t *testing.T) {
	b := fixedBus()
	e := New(ChannelData, "")
	e.Add("x", "y")
	b.Stamp(e, "a.c", "f", 1)
	b.Stamp(e, "b.c", "g", 2)
	if e.Get("Event-Sequence") != "2" || e.Get("Event-Calling-File") != "b.c" || len(e.Headers) != 14 || e.Headers[13].Name != "x" {
		t.Errorf("got %v", e.Headers)
	}
}

func TestEvent_FormsAreMadeOnce(t *testing.T) {
	e := New(Heartbeat, "")
	e.Add("a", "b")
	e.Plain()
	if n := testing.AllocsPerRun(100, func() { e.Plain() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	buf := make([]byte, 0, 4096)
	if n := testing.AllocsPerRun(100, func() { buf = e.AppendPlain(buf[:0]) }); n != 0 {
		t.Errorf("AppendPlain: %v allocations", n)
	}
}

// channelEvent has as many headers as a channel event with its variables.
func channelEvent() *Event {
	e := New(ChannelAnswer, "")
	for i := range 90 {
		e.Headers = append(e.Headers, Header{Name: "variable_" + strconv.Itoa(i), Value: "some value " + strconv.Itoa(i)})
	}
	return e
}

func BenchmarkPublish(b *testing.B) {
	for _, subscribers := range []int{0, 1, 10} {
		b.Run(strconv.Itoa(subscribers), func(b *testing.B) {
			bus := fixedBus()
			defer bus.Close()
			for range subscribers {
				bus.Subscribe("s", 1).ListenAll()
			}
			own := channelEvent().Headers
			b.ReportAllocs()
			for b.Loop() {
				e := New(ChannelAnswer, "")
				e.Headers = own
				bus.Publish(e, "switch_channel.c", "f", 1)
			}
		})
	}
}

func BenchmarkAppendPlain(b *testing.B) {
	e := channelEvent()
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = e.AppendPlain(buf[:0])
	}
}

// The texts of a date are written once a second, and anew for the next.
func TestPublish_DatesFollowTheClock(t *testing.T) {
	t.Parallel()
	utc := time.Date(2026, 3, 1, 23, 59, 59, 400e6, time.UTC)
	now := utc
	b := NewBus(nil, func() time.Time { return now })
	defer b.Close()
	for _, c := range []struct {
		now        time.Time
		local, gmt string
	}{
		{utc, "2026-03-01 23:59:59", "Sun, 01 Mar 2026 23:59:59 GMT"},
		{utc.Add(500 * time.Millisecond), "2026-03-01 23:59:59", "Sun, 01 Mar 2026 23:59:59 GMT"},
		{utc.Add(600 * time.Millisecond), "2026-03-02 00:00:00", "Mon, 02 Mar 2026 00:00:00 GMT"},
		{utc.In(time.FixedZone("there", 3600)), "2026-03-02 00:59:59", "Sun, 01 Mar 2026 23:59:59 GMT"},
		{utc, "2026-03-01 23:59:59", "Sun, 01 Mar 2026 23:59:59 GMT"},
	} {
		now = c.now
		e := New(Heartbeat, "")
		b.Publish(e, "f", "g", 1)
		if got := e.Get("Event-Date-Local"); got != c.local {
			t.Errorf("%v: local %q, want %q", c.now, got, c.local)
		}
		if got := e.Get("Event-Date-GMT"); got != c.gmt {
			t.Errorf("%v: GMT %q, want %q", c.now, got, c.gmt)
		}
	}
}

func TestGet_NamesAreTheSameInAnyCase(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"Unique-ID", "unique-id", true}, {"X-é", "x-É", true}, {"X-Ā", "x-ā", true}, {"variable_a", "variable_b", false},
		{"a", "A", true}, {"a@", "a`", false}, {"n1", "nq", false}, {"", "", true}, {"ab", "abc", false},
	} {
		e := New(Custom, "")
		e.Headers = []Header{{Name: c.a, Value: "v"}}
		if got := e.Has(c.b); got != c.same {
			t.Errorf("%q and %q: %v", c.a, c.b, got)
		}
	}
}
