package media_test

import (
	"encoding/binary"
	"testing"
	"testing/synctest"
	"time"

	"github.com/switchlet/switchlet/media"
)

var events = media.DTMF{PayloadType: 101, ClockRate: 8000}

func TestSendDigits_IsWhatRFC4733AndTheReferenceSay(t *testing.T) {
	bubble(t, func(t *testing.T, e *media.Engine) {
		f := format(t, e, "PCMU", 0)
		a, b := newPhone(t, e, "a", f, events), newPhone(t, e, "b", f, events)
		defer a.close()
		defer b.close()
		if err := media.Join(a.port, b.port); err != nil {
			t.Fatal(err)
		}
		a.say(440)
		time.Sleep(500 * time.Millisecond)
		b.port.SendDigits([]media.Digit{{Char: '5'}, {Char: '#', Duration: 800}})
		time.Sleep(time.Second)
		heard := b.packets()
		var five, hash []media.Packet
		for i, k := range heard {
			if i > 0 && k.Sequence != heard[i-1].Sequence+1 {
				t.Errorf("sequence %d after %d", k.Sequence, heard[i-1].Sequence)
			}
			if k.PayloadType != 101 {
				if i > 0 && heard[i-1].PayloadType == 101 && !k.Marker && k.Timestamp-heard[i-1].Timestamp > 1 {
					t.Error("the audio after a digit has no marker")
				}
				continue
			}
			if k.Payload[0] == 5 {
				five = append(five, k)
			} else {
				hash = append(hash, k)
			}
		}
		check := func(name string, ks []media.Packet, code byte, duration int) {
			if len(ks) == 0 {
				t.Fatalf("%s: no packets", name)
			}
			n := (duration + 159) / 160
			if len(ks) != n+2 {
				t.Errorf("%s: %d packets, want %d", name, len(ks), n+2)
			}
			for i, k := range ks {
				d := int(binary.BigEndian.Uint16(k.Payload[2:]))
				end := k.Payload[1]&0x80 != 0
				want := min((i+1)*160, duration)
				if k.Payload[0] != code || k.Payload[1]&0x3F != 13 || k.Marker != (i == 0) || k.Timestamp != ks[0].Timestamp || d != want || end != (i >= n-1) {
					t.Errorf("%s packet %d: %x marker %v ts %d", name, i, k.Payload, k.Marker, k.Timestamp)
				}
			}
		}
		check("5", five, 5, 2000)
		check("#", hash, 11, 800)
		for i, k := range heard {
			if k.PayloadType == 101 {
				if d := k.Timestamp - heard[i-1].Timestamp; d != 160 {
					t.Errorf("the event's timestamp is %d after the audio's", d)
				}
				break
			}
		}
		if !a.port.Relaying() || e.Clock().Len() != 0 {
			t.Error("not back in the relay gear")
		}
	})
}

func TestDigits_AreMadeAnewOnTheOtherLeg(t *testing.T) {
	bubble(t, func(t *testing.T, e *media.Engine) {
		f := format(t, e, "PCMU", 0)
		a, b := newPhone(t, e, "a", f, events), newPhone(t, e, "b", f, media.DTMF{PayloadType: 96})
		defer a.close()
		defer b.close()
		if err := media.Join(a.port, b.port); err != nil {
			t.Fatal(err)
		}
		far := newPhone(t, e, "far", f, events)
		defer far.close()
		// What far's port sends goes to a's port as if a's phone had sent it.
		far.wire.Receive(func(k *media.Packet) { a.wire.Send(k) })
		far.port.SendDigits([]media.Digit{{Char: '1', Duration: 1600}, {Char: 'D'}})
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if len(a.digits) != 2 || a.digits[0] != (media.Digit{Char: '1', Duration: 1600, Source: media.DigitRTP}) || a.digits[1].Char != 'D' || a.digits[1].Duration != 2000 {
			t.Fatalf("a received %+v", a.digits)
		}
		ends := ""
		var last uint32
		for _, k := range b.packets() {
			if k.PayloadType == 101 {
				t.Error("an event packet was relayed as it was")
			}
			if k.PayloadType == 96 && k.Payload[1]&0x80 != 0 && k.Timestamp != last {
				last = k.Timestamp
				ends += string("0123456789*#ABCD"[k.Payload[0]])
			}
		}
		if ends != "1D" {
			t.Errorf("b was sent %q", ends)
		}
	})
}

// With PassThrough events are relayed unread, where the other leg has such events.
func TestDigits_PassThrough(t *testing.T) {
	for name, c := range map[string]struct {
		other  media.DTMF
		passed bool
	}{
		"another payload type": {media.DTMF{PayloadType: 96}, true},
		"another clock":        {media.DTMF{PayloadType: 96, ClockRate: 48000}, false},
		"no events":            {media.DTMF{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, e *media.Engine) {
				f := format(t, e, "PCMU", 0)
				passing := events
				passing.PassThrough = true
				a, b, far := newPhone(t, e, "a", f, passing), newPhone(t, e, "b", f, c.other), newPhone(t, e, "far", f, events)
				defer a.close()
				defer b.close()
				defer far.close()
				if err := media.Join(a.port, b.port); err != nil {
					t.Fatal(err)
				}
				far.wire.Receive(func(k *media.Packet) { a.wire.Send(k) })
				far.port.SendDigits([]media.Digit{{Char: '1', Duration: 1600}})
				time.Sleep(time.Second)
				synctest.Wait()
				a.mu.Lock()
				defer a.mu.Unlock()
				if read := len(a.digits) == 1; read == c.passed {
					t.Errorf("read: %+v", a.digits)
				}
				if !c.passed {
					return
				}
				n, ends := 0, 0
				for _, k := range b.packets() {
					if k.PayloadType == 96 && k.Payload[0] == 1 {
						n++
						if k.Payload[1]&0x80 != 0 {
							ends++
						}
					}
				}
				if n < 10 || ends != 3 {
					t.Errorf("%d packets of the digit, %d of its end", n, ends)
				}
			})
		})
	}
}

func TestSendDigits_WithoutTelephoneEvent_FallsBack(t *testing.T) {
	bubble(t, func(t *testing.T, e *media.Engine) {
		a := newPhone(t, e, "a", format(t, e, "PCMU", 0), noDTMF)
		defer a.close()
		got := ""
		a.port.OnSendFallback(func(d media.Digit) { got += string(d.Char) })
		a.port.SendDigits([]media.Digit{{Char: '1'}, {Char: '2'}})
		if got != "12" {
			t.Errorf("fallback got %q", got)
		}
		a.port.Inject(media.Digit{Char: '7'})
		if len(a.digits) != 1 || a.digits[0].Source != media.DigitEndpoint {
			t.Errorf("injected: %+v", a.digits)
		}
	})
}

func TestSendDigits_LongOne_StartsANewSegment(t *testing.T) {
	bubble(t, func(t *testing.T, e *media.Engine) {
		a := newPhone(t, e, "a", format(t, e, "PCMU", 0), events)
		defer a.close()
		a.port.SendDigits([]media.Digit{{Char: '0', Duration: 80000}})
		time.Sleep(11 * time.Second)
		ks := a.packets()
		last := ks[len(ks)-1]
		if d := last.Timestamp - ks[0].Timestamp; d != 0xFFFF {
			t.Errorf("second segment begins %d after the first", d)
		}
		if d := int(binary.BigEndian.Uint16(last.Payload[2:])) + 0xFFFF; d != 80000 {
			t.Errorf("lasts %d in all", d)
		}
	})
}
