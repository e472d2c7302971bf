package webrtc

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	pion "github.com/pion/webrtc/v4"
)

// heap is what is in use after a collection, in bytes.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestHostile_DeepJSONIsRefusedAndTheSocketLives(t *testing.T) {
	b := newBox(t, nil)
	p := b.login("1000", "secret", "d1")
	p.next("verto.clientReady")
	for _, open := range []string{"[", `{"a":`} {
		p.write(`{"jsonrpc":"2.0","id":1,"method":"verto.ping","params":` + strings.Repeat(open, 10_000))
		m := p.message()
		if e, _ := m["error"].(map[string]any); e["message"] != "Invalid Request" {
			t.Errorf("10,000 times %s: %v", open, m)
		}
	}
	p.result("verto.ping", fields{})
}

// raw opens a socket whose frames the test writes itself.
func (b *box) raw() (net.Conn, *bufio.Reader) {
	b.t.Helper()
	host := strings.TrimSuffix(strings.TrimPrefix(b.url, "ws://"), "/verto")
	c, err := net.Dial("tcp", host)
	must(b.t, err)
	b.t.Cleanup(func() { c.Close() })
	must(b.t, c.SetDeadline(time.Now().Add(patience)))
	fmt.Fprintf(c, "GET /verto HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n", host)
	r := bufio.NewReader(c)
	resp, err := http.ReadResponse(r, nil)
	must(b.t, err)
	if resp.StatusCode != http.StatusSwitchingProtocols {
		b.t.Fatalf("upgrade: %s", resp.Status)
	}
	return c, r
}

func TestHostile_AnnouncedGigabyteClosesTheSocketAndTakesNoMemory(t *testing.T) {
	b := newBox(t, nil)
	before := heap()
	for range 20 {
		c, r := b.raw()
		frame := binary.BigEndian.AppendUint64([]byte{0x81, 0x80 | 127}, 1<<30)
		_, err := c.Write(append(frame, 0, 0, 0, 0))
		must(t, err)
		// More than is read of a stranger, less than was announced.
		c.Write(make([]byte, maxMessageBefore+4096))
		if _, err := io.Copy(io.Discard, r); err != nil && strings.Contains(err.Error(), "timeout") {
			t.Fatal("the socket stays open")
		}
	}
	until(t, "the heap has not grown by more than 8 MB", func() bool { return heap()-before <= 8<<20 })
}

func TestHostile_HundredsOfSilentSocketsLeaveRoomForUsers(t *testing.T) {
	b := newBox(t, nil)
	user := b.login("1000", "secret", "h1")
	user.next("verto.clientReady")
	let := 0
	for range 4 * maxStrangers { // in less than loginLimit
		ctx, stop := context.WithTimeout(context.Background(), patience)
		c, _, err := websocket.Dial(ctx, b.url, nil)
		stop()
		if err == nil {
			let++
			t.Cleanup(func() { c.CloseNow() })
		}
	}
	if let != maxStrangers {
		t.Errorf("%d silent sockets of one address were let in, want %d", let, maxStrangers)
	}
	user.result("verto.ping", fields{})
	b.s.tendOnce(time.Now().Add(loginLimit + time.Second))
	until(t, "the silent sockets are closed", func() bool {
		b.s.mu.Lock()
		defer b.s.mu.Unlock()
		return len(b.s.sockets) == 1
	})
	user.result("verto.ping", fields{})
	b.login("1002", "json", "h2").next("verto.clientReady")
}

func TestHostile_StrayPacketsAtTheMediaPortDisturbNoCall(t *testing.T) {
	b := newBox(t, nil)
	p := b.login("1000", "secret", "n1")
	w := newBrowser(t, pion.MimeTypeOpus, 48000, 2)
	p.result("verto.invite", fields{"sdp": w.offer(), "dialogParams": about("n-call", "9196")})
	if sdp, ok := p.next("verto.answer")["sdp"].(string); ok {
		w.accept(sdp)
	} else {
		t.Fatal("no description in the answer")
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go w.talk(ctx, 960)
	w.hear(patience)
	stray, err := net.Dial("udp", fmt.Sprintf("127.0.0.1:%d", b.s.Port()))
	must(t, err)
	defer stray.Close()
	routines, before := runtime.NumGoroutine(), heap()
	stun := append([]byte{0, 1, 0, 12, 0x21, 0x12, 0xa4, 0x42}, make([]byte, 12)...)
	stun = append(stun, 0, 6, 0, 7, 'x', ':', 'y', 'y', 'y', 'y', 'y', 0)
	for n := range 3000 {
		for _, packet := range [][]byte{
			append([]byte{22, 254, 253, 0, 0, 0, 0, 0, 0, byte(n >> 8), byte(n), 0, 4}, 1, 2, 3, 4), // DTLS
			append(stun[:8:8], append([]byte{byte(n >> 8), byte(n)}, stun[10:]...)...),              // STUN of no call
			append([]byte{0x80, 111, byte(n >> 8), byte(n)}, make([]byte, 60)...),                   // RTP
			{0x80}, {}, make([]byte, 1400),
		} {
			stray.Write(packet)
		}
	}
	for len(w.heard) > 0 {
		<-w.heard
	}
	w.hear(patience)
	until(t, "no more goroutines than before", func() bool { return runtime.NumGoroutine() <= routines+5 })
	until(t, "the heap has not grown by more than 4 MB", func() bool { return heap()-before <= 4<<20 })
	p.result("verto.ping", fields{})
}
