package interop

import (
	"encoding/binary"
	"math"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/switchlet/switchlet/esl"
	"github.com/switchlet/switchlet/test/ports"
)

const (
	rate = 8000 // samples a second of G.711
	tick = 20 * time.Millisecond
	// present and absent are shares of a frequency in the power of a piece of sound:
	// above the one it is the tone, below the other there is none of it.
	present, absent = 0.8, 0.05
)

// voice is the sound of a phone whose signalling another program does: G.711 µ-law
// over RTP, a tone out, and what comes in.
type voice struct {
	conn  *net.UDPConn
	mu    sync.Mutex
	heard []int16 // the last second
	last  time.Time
	gap   time.Duration // the longest time between two packets
}

func newVoice(t *testing.T) *voice {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: ports.Free(t)})
	if err != nil {
		t.Fatal(err)
	}
	v := &voice{conn: conn}
	done := make(chan struct{})
	go func() {
		defer close(done)
		v.listen()
	}()
	t.Cleanup(func() {
		conn.Close()
		<-done
	})
	return v
}

func (v *voice) port() int { return v.conn.LocalAddr().(*net.UDPAddr).Port }

func (v *voice) listen() {
	packet := make([]byte, 2048)
	for {
		n, err := v.conn.Read(packet)
		if err != nil {
			return
		}
		if n <= 12 || packet[1]&0x7f != 0 {
			continue
		}
		v.mu.Lock()
		now := time.Now()
		if !v.last.IsZero() {
			v.gap = max(v.gap, now.Sub(v.last))
		}
		v.last = now
		for _, b := range packet[12:n] {
			v.heard = append(v.heard, ulaw(b))
		}
		if extra := len(v.heard) - rate; extra > 0 {
			v.heard = append(v.heard[:0], v.heard[extra:]...)
		}
		v.mu.Unlock()
	}
}

// talk sends a tone of so many Hz (0 is silence) to where the switch takes in the
// sound of the call, which an event of the call tells, until the test ends.
func (v *voice) talk(t *testing.T, e *esl.Event, hz float64) {
	t.Helper()
	port, err := strconv.Atoi(e.Variable("local_media_port"))
	if err != nil {
		t.Fatalf("%s of %s has local_media_port %q", e.Name(), e.UUID(), e.Variable("local_media_port"))
	}
	to := &net.UDPAddr{IP: net.ParseIP(e.Variable("local_media_ip")), Port: port}
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		clock := time.NewTicker(tick)
		defer clock.Stop()
		packet := make([]byte, 12+rate/50)
		packet[0] = 0x80
		binary.BigEndian.PutUint32(packet[8:], uint32(port)<<8|1)
		for n := 0; ; n++ {
			binary.BigEndian.PutUint16(packet[2:], uint16(n))
			binary.BigEndian.PutUint32(packet[4:], uint32(n*rate/50))
			for i := range packet[12:] {
				s := 0.0
				if hz > 0 {
					s = 8000 * math.Sin(2*math.Pi*hz*float64(n*rate/50+i)/rate)
				}
				packet[12+i] = toUlaw(int(s))
			}
			if _, err := v.conn.WriteToUDP(packet, to); err != nil {
				return
			}
			select {
			case <-stop:
				return
			case <-clock.C:
			}
		}
	}()
	t.Cleanup(func() {
		close(stop)
		<-done
	})
}

// hears says whether the last 200 ms are that tone.
func (v *voice) hears(hz float64) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	n := rate / 5
	return len(v.heard) >= n && share(v.heard[len(v.heard)-n:], hz) > present
}

// longestGap is the longest time without a packet since it was last asked.
func (v *voice) longestGap() time.Duration {
	v.mu.Lock()
	defer v.mu.Unlock()
	d := v.gap
	if !v.last.IsZero() {
		d = max(d, time.Since(v.last))
	}
	v.gap = 0
	return d
}

// lacks says whether the last 200 ms have none of that tone.
func (v *voice) lacks(hz float64) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	n := rate / 5
	return len(v.heard) >= n && share(v.heard[len(v.heard)-n:], hz) < absent
}

// forget drops what was heard so far.
func (v *voice) forget() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.heard = v.heard[:0]
}

// share is the part of the power of the samples that is at one frequency
// (Goertzel), 0 to 1; silence has none.
func share(samples []int16, hz float64) float64 {
	c := 2 * math.Cos(2*math.Pi*hz/rate)
	var a, b float64
	for _, s := range samples {
		a, b = float64(s)+c*a-b, a
	}
	rms := level(samples)
	if rms < 100 {
		return 0
	}
	power := rms * rms * float64(len(samples))
	return 2 * (a*a + b*b - c*a*b) / (power * float64(len(samples)))
}

// ulaw decodes one sample (G.711).
func ulaw(b byte) int16 {
	b = ^b
	s := (int(b&0x0f)<<3 + 0x84) << (b >> 4 & 7)
	if b&0x80 != 0 {
		return int16(0x84 - s)
	}
	return int16(s - 0x84)
}

// toUlaw encodes one sample (G.711).
func toUlaw(s int) byte {
	sign := 0
	if s < 0 {
		s, sign = -s, 0x80
	}
	s = min(s, 32635) + 0x84
	exponent := 7
	for s&(0x80<<exponent) == 0 && exponent > 0 {
		exponent--
	}
	return ^byte(sign | exponent<<4 | s>>(exponent+3)&0x0f)
}

func TestUlaw_ComesBack(t *testing.T) {
	for s := -32000; s <= 32000; s += 7 {
		if got := int(ulaw(toUlaw(s))); math.Abs(float64(got-s)) > 8+math.Abs(float64(s))/16 {
			t.Fatalf("%d came back as %d", s, got)
		}
	}
}

// level is the root of the mean power of samples, in units of a sample.
func level(samples []int16) float64 {
	var power float64
	for _, s := range samples {
		power += float64(s) * float64(s)
	}
	return math.Sqrt(power / float64(max(1, len(samples))))
}
