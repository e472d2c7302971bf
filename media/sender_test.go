package media

import (
	"fmt"
	"testing"
	"time"
)

// numbers is a Wire that keeps the sequence numbers of what is sent.
type numbers struct {
	null
	got []uint16
}

func (n *numbers) Send(k *Packet) error { n.got = append(n.got, k.Sequence); return nil }

// from lists the numbers counted from the first one sent.
func (n *numbers) from() string {
	var out []int
	for _, s := range n.got {
		out = append(out, int(int16(s-n.got[0])))
	}
	return fmt.Sprint(out)
}

func testSender() (*sender, *numbers) {
	o, w := &sender{}, &numbers{}
	o.init()
	o.attach(w, Format{}, DTMF{PayloadType: 101})
	return o, w
}

func (o *sender) relayAll(at time.Time, ssrc uint32, list ...uint16) {
	for _, s := range list {
		o.relay(&Packet{Sequence: s, SSRC: ssrc, Payload: []byte{byte(s)}}, at)
	}
}

// Two packets of one number would be encrypted alike, which tells what is in both.
func TestSender_NoNumberIsUsedTwice(t *testing.T) {
	now := time.Now()
	for _, c := range []struct {
		name string
		send func(*sender)
		want string
	}{
		{"in order", func(o *sender) { o.relayAll(now, 1, 7, 8, 9) }, "[0 1 2]"},
		{"out of order", func(o *sender) { o.relayAll(now, 1, 7, 9, 8, 10) }, "[0 2 1 3]"},
		{"twice", func(o *sender) { o.relayAll(now, 1, 7, 8, 8, 7, 9) }, "[0 1 2]"},
		{"over the end of the numbers", func(o *sender) { o.relayAll(now, 1, 65535, 1, 0, 0, 65535, 2) }, "[0 2 1 3]"},
		{"late behind sound of our own", func(o *sender) {
			o.audio([]byte{1}, 0, now)
			o.relayAll(now, 1, 7, 6, 5, 8)
		}, "[0 1 2]"},
		{"late over a packet that was left out", func(o *sender) {
			o.relayAll(now, 1, 7, 8)
			o.swallow(&Packet{Sequence: 10, SSRC: 1})
			o.relayAll(now, 1, 9, 11, 9)
		}, "[0 1 3]"},
		{"too late to know", func(o *sender) { o.relayAll(now, 1, 100, 200, 130, 201) }, "[0 100 101]"},
		{"another source", func(o *sender) {
			o.relayAll(now, 1, 7, 8)
			o.relayAll(now, 2, 1000, 999, 1001)
		}, "[0 1 2 3]"},
		{"a source that begins anew", func(o *sender) {
			o.relayAll(now, 1, 30000, 30001)
			for s := range uint16(lateLimit + 2) {
				o.relayAll(now, 1, s+1)
			}
		}, "[0 1 2 3 4]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o, w := testSender()
			c.send(o)
			if w.from() != c.want {
				t.Errorf("sent %s, want %s", w.from(), c.want)
			}
		})
	}
}

// A far end may miss the first packets, but not a rollover: it would decrypt nothing
// for the rest of the call.
func TestSender_NumbersBeginInTheLowerHalf(t *testing.T) {
	for range 200 {
		o, w := testSender()
		o.relayAll(time.Now(), 1, 65535)
		again := &numbers{}
		o.detach()
		o.attach(w, Format{}, DTMF{})
		o.relayAll(time.Now(), 1, 0)
		if w.got[0] > 1<<15 || w.got[1] != w.got[0]+1 {
			t.Fatalf("began with %d", w.got)
		}
		o.seq = 60000
		o.attach(again, Format{}, DTMF{})
		o.relayAll(time.Now(), 1, 1)
		if again.got[0] > 1<<15 {
			t.Fatalf("another wire began with %d", again.got[0])
		}
	}
}
