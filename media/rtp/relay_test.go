package rtp

import (
	"net"
	"runtime"
	"testing"

	"github.com/switchlet/switchlet/media"
)

// relay makes a joined pair of ports on real sockets, and a function that sends
// a packet in at one end and waits for it at the other.
func relay(tb testing.TB) (round func(), done func()) {
	tb.Helper()
	e := media.NewEngine(media.EngineOptions{})
	ports := newPorts(tb)
	f := media.Format{Codec: &media.Codec{Name: "PCMU", ClockRate: 8000, Rate: 8000}, Ptime: 20}
	a, b := listen(tb, ports, Options{}), listen(tb, ports, Options{})
	var far [2]*net.UDPConn
	for i := range far {
		c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(func() { c.Close() })
		far[i] = c
	}
	a.SetRemote(far[0].LocalAddr().(*net.UDPAddr).AddrPort(), Latch{})
	b.SetRemote(far[1].LocalAddr().(*net.UDPAddr).AddrPort(), Latch{})
	p, q := e.NewPort("p"), e.NewPort("q")
	p.Attach(a, f, media.DTMF{})
	q.Attach(b, f, media.DTMF{})
	if err := media.Join(p, q); err != nil {
		tb.Fatal(err)
	}
	datagram := make([]byte, 172)
	datagram[0] = 0x80
	in := make([]byte, 1500)
	to := a.Local()
	return func() {
			datagram[3]++
			if _, err := far[0].WriteToUDPAddrPort(datagram, to); err != nil {
				tb.Fatal(err)
			}
			if n, _, err := far[1].ReadFromUDPAddrPort(in); err != nil || n != 172 {
				tb.Fatal(n, err)
			}
		}, func() {
			p.Close()
			q.Close()
			a.Close()
			b.Close()
		}
}

func TestRelay_OverSockets_DoesNotAllocate(t *testing.T) {
	round, done := relay(t)
	defer done()
	round()
	if n := testing.AllocsPerRun(200, round); n > 0 {
		t.Errorf("%v allocations a packet", n)
	}
}

func TestRelay_MemoryOfACall(t *testing.T) {
	const calls = 50
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range calls {
		round, done := relay(t)
		defer done()
		round()
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	each := (int64(after.HeapInuse+after.StackInuse) - int64(before.HeapInuse+before.StackInuse)) / calls
	if each > 100_000 {
		t.Errorf("%d bytes a relayed call", each)
	}
	t.Logf("%d bytes a relayed call, the test's own sockets included", each)
}

func BenchmarkRelay(b *testing.B) {
	round, done := relay(b)
	defer done()
	b.ReportAllocs()
	for b.Loop() {
		round()
	}
}
