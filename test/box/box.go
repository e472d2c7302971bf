// Package box starts whole appliances inside a test, on free loopback ports and a
// data directory of their own, and stops them when the test ends.
package box

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/switchlet/switchlet/appliance"
	"github.com/switchlet/switchlet/conf"
	"github.com/switchlet/switchlet/esl"
)

// Ports of conf/default before the offset.
const (
	SIP         = 5060
	ExternalSIP = 5080
	sipTLS      = 5061
	externalTLS = 5081
	EventSocket = 8021
	VertoWS     = 8081
	VertoWSS    = 8082
	HTTP        = 8080
	HTTPS       = 8443
	WebRTC      = 10000
)

// Box is a running appliance.
type Box struct {
	*appliance.Box
	Offset   int
	Data     string
	Password string // of the users 1000 to 1019
}

// Setup is what a test wants different from the default.
type Setup struct {
	Files map[string]string // files of DATA/conf by path
	// Scripts are files of DATA/scripts.
	Scripts map[string]string
	Sets    map[string]string
	Params  []conf.Param
	Conf    string // a FreeSWITCH tree
}

// tries bounds the search for free ports.
const tries = 50

// Start starts a box and stops it at the end of the test.
func Start(t testing.TB, s Setup) *Box {
	t.Helper()
	data := t.TempDir()
	for dir, files := range map[string]map[string]string{"conf": s.Files, "scripts": s.Scripts} {
		for name, text := range files {
			file := filepath.Join(data, dir, filepath.FromSlash(name))
			if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(text), 0o640); err != nil {
				t.Fatal(err)
			}
		}
	}
	offset := FreeOffset(t)
	rtp := RTP()
	o := appliance.Options{Data: data, Conf: s.Conf, PortOffset: offset, LogLevel: "err", Params: s.Params, Sets: []conf.Pair{
		{Name: "local_ip_v4", Value: "127.0.0.1"}, {Name: "domain", Value: "127.0.0.1"},
		{Name: "rtp_start_port", Value: strconv.Itoa(rtp)}, {Name: "rtp_end_port", Value: strconv.Itoa(rtp + 400)},
	}}
	for name, value := range s.Sets {
		o.Sets = append(o.Sets, conf.Pair{Name: name, Value: value})
	}
	b, err := appliance.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	box := &Box{Box: b, Offset: offset, Data: data, Password: b.Secrets.DefaultPassword}
	t.Cleanup(func() {
		if err := b.Stop(); err != nil {
			t.Errorf("stopping the box: %v", err)
		}
	})
	if err := b.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return box
}

// Boxes of several processes run at once, tests of different packages above all.
// A port offset is theirs alone while they hold its guard, a port that nobody
// connects to: it cannot outlive its process. Offsets are multiples of a step at
// which no port of one is another port of the next.
const (
	guard      = 4999
	offsetStep = 44
	offsetLow  = 1012 // offsetStep * 23
	offsets    = 224
)

// portsOfABox are what is held or looked at for an offset; the guard comes first.
var portsOfABox = [...]int{guard, SIP, sipTLS, ExternalSIP, externalTLS, EventSocket, VertoWS, VertoWSS, HTTP, HTTPS, WebRTC}

// FreeOffset finds a port offset at which the ports of a box are free. Until the
// test ends no other test is given it, in whichever process.
func FreeOffset(t testing.TB) int {
	t.Helper()
	for range tries {
		offset := offsetLow + rand.IntN(offsets)*offsetStep
		held, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", guard+offset))
		if err != nil {
			continue
		}
		if free(offset) {
			t.Cleanup(func() { held.Close() })
			return offset
		}
		held.Close()
	}
	t.Fatal("no free ports for a box")
	return 0
}

func free(offset int) bool {
	for _, p := range portsOfABox[1:] {
		l, err := net.Listen("tcp", fmt.Sprintf(":%d", p+offset))
		if err != nil {
			return false
		}
		l.Close()
		u, err := net.ListenPacket("udp", fmt.Sprintf(":%d", p+offset))
		if err != nil {
			return false
		}
		u.Close()
	}
	return true
}

// rtpLow is above the ports of all offsets.
const rtpLow = 21000

// RTP is the first of 400 ports for the sound of a box, which passes over those
// that are taken.
func RTP() int { return rtpLow + rand.IntN(390)*100 }

// Addr is the loopback address of one of the ports above.
func (b *Box) Addr(port int) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port+b.Offset))
}

// ESL connects to the event socket until the end of the test.
func (b *Box) ESL(t testing.TB) *esl.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c, err := esl.Dial(ctx, b.Addr(EventSocket), b.Secrets.EventSocketPassword)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// API runs a command and returns its reply.
func (b *Box) API(t testing.TB, c *esl.Conn, command string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	out, err := c.API(ctx, command)
	if err != nil {
		t.Fatalf("api %s: %v", command, err)
	}
	return out
}

// Eventually waits until fn is true.
func Eventually(t testing.TB, limit time.Duration, what string, fn func() bool) {
	t.Helper()
	deadline := time.Now().Add(limit)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !fn() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", limit, what)
		}
		<-tick.C
	}
}
