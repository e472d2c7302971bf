package appliance

import (
	"crypto/subtle"
	"net/http"
	"net/netip"
	"os"
	"runtime"
	runtimemetrics "runtime/metrics"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/switchlet/switchlet/appliance/cdr"
	"github.com/switchlet/switchlet/appliance/metrics"
	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/esl/server"
	"github.com/switchlet/switchlet/sip"
)

// maxCauses bounds the causes that are counted apart.
const maxCauses = 200

// counters are what /metrics remembers between two questions.
type counters struct {
	mos, billed           *metrics.Histogram
	packetsIn, packetsOut atomic.Uint64
	packetsLost           atomic.Uint64

	mu     sync.Mutex
	causes map[[2]string]uint64 // by direction and cause
}

func newCounters() *counters {
	return &counters{mos: metrics.NewHistogram(1.5, 2, 2.5, 3, 3.5, 4, 4.25, 4.5),
		billed: metrics.NewHistogram(1, 5, 15, 60, 300, 900, 3600), causes: map[[2]string]uint64{}}
}

// ended counts a leg that has ended.
func (c *counters) ended(r *cdr.Record) {
	c.packetsIn.Add(r.PacketsIn)
	c.packetsOut.Add(r.PacketsOut)
	c.packetsLost.Add(r.LostPackets)
	if r.MOS > 0 {
		c.mos.Observe(r.MOS)
	}
	if r.Billed > 0 {
		c.billed.Observe(r.Billed.Seconds())
	}
	key := [2]string{r.Direction, r.Cause}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.causes[key]; ok || len(c.causes) < maxCauses {
		c.causes[key]++
	}
}

// metricsPage answers whoever may ask: this machine, or the holder of the token.
func (b *Box) metricsPage(w http.ResponseWriter, r *http.Request) {
	if !b.mayReadMetrics(r) {
		http.Error(w, "metrics are for this machine, or for the token of the global variable metrics_token", http.StatusForbidden)
		return
	}
	var t metrics.Text
	b.countCalls(&t)
	b.countSound(&t)
	b.countRooms(&t)
	countProcess(&t)
	w.Header().Set("Content-Type", metrics.ContentType)
	w.Write([]byte(t.String()))
}

// mayReadMetrics lets loopback addresses in unless a proxy speaks for others, and
// everybody who knows metrics_token.
func (b *Box) mayReadMetrics(r *http.Request) bool {
	if token := b.store.Globals().Get("metrics_token"); token != "" {
		given, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if ok && subtle.ConstantTimeCompare([]byte(given), []byte(token)) == 1 {
			return true
		}
	}
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && from.Addr().Unmap().IsLoopback() && r.Header.Get("X-Forwarded-For") == "" && r.Header.Get("Forwarded") == ""
}

func (b *Box) countCalls(t *metrics.Text) {
	t.Family("switchlet_info", "gauge", "The running version.")
	t.Sample("switchlet_info", 1, "version", call.Version, "go", runtime.Version())
	t.One("switchlet_start_time_seconds", "gauge", "When the switch started, seconds since 1970.", float64(b.Switch.Started().Unix()))
	u := b.Switch.Limits.Usage()
	t.One("switchlet_legs_total", "counter", "Legs since the start.", float64(u.Total))
	t.One("switchlet_legs_limit", "gauge", "max-sessions.", float64(u.Max))
	t.One("switchlet_legs_peak", "gauge", "Most legs at once since the start.", float64(u.Peak))
	t.One("switchlet_legs_per_second", "gauge", "New legs in the last second.", float64(u.LastRate))
	t.One("switchlet_legs_per_second_limit", "gauge", "sessions-per-second.", float64(u.RateMax))
	type kind struct{ module, direction, state string }
	legs := map[kind]int{}
	bridged := 0
	for _, c := range b.Switch.Channels() {
		direction := "inbound"
		if c.Outbound() {
			direction = "outbound"
		}
		state := "ringing"
		if c.Answered() {
			state = "answered"
		}
		legs[kind{c.Profile().Source, direction, state}]++
		if c.Partner() != nil {
			bridged++
		}
	}
	t.Family("switchlet_legs", "gauge", "Legs that live now.")
	for k, n := range legs {
		t.Sample("switchlet_legs", float64(n), "endpoint", k.module, "direction", k.direction, "state", k.state)
	}
	t.One("switchlet_bridges", "gauge", "Pairs of legs that are connected with each other.", float64(bridged/2))
	c := b.counters
	t.Family("switchlet_legs_ended_total", "counter", "Legs that have ended, by cause.")
	c.mu.Lock()
	for k, n := range c.causes {
		t.Sample("switchlet_legs_ended_total", float64(n), "direction", k[0], "cause", k[1])
	}
	c.mu.Unlock()
	t.Histogram("switchlet_leg_answered_seconds", "How long ended legs were up.", c.billed)
}

func (b *Box) countSound(t *metrics.Text) {
	c := b.counters
	t.One("switchlet_rtp_received_packets_total", "counter", "Packets received, of legs that have ended.", float64(c.packetsIn.Load()))
	t.One("switchlet_rtp_sent_packets_total", "counter", "Packets sent, of legs that have ended.", float64(c.packetsOut.Load()))
	t.One("switchlet_rtp_lost_packets_total", "counter", "Packets lost, late or undecodable, of legs that have ended.", float64(c.packetsLost.Load()))
	t.Histogram("switchlet_mos", "Estimated quality of what ended legs sent us, 1 to 4.5.", c.mos)
	var n, loss, worst, mos, jitter, jitterMax float64
	low := 4.5
	for _, ch := range b.Switch.Channels() {
		s := ch.Port().Stats()
		if s.InMediaPackets == 0 {
			continue
		}
		n++
		loss += s.LossRate
		worst = max(worst, s.LossRate)
		mos += s.MOS
		low = min(low, s.MOS)
		jitter += s.Jitter
		jitterMax = max(jitterMax, s.Jitter)
	}
	t.One("switchlet_rtp_streams", "gauge", "Legs that live and send us sound.", n)
	if n == 0 {
		return
	}
	for _, row := range []struct {
		name, what    string
		mean, extreme float64
	}{
		{"switchlet_rtp_loss_percent", "Packets lost on the way of live legs", loss / n, worst},
		{"switchlet_rtp_jitter_milliseconds", "Jitter of live legs", jitter / n, jitterMax},
		{"switchlet_rtp_mos", "Estimated quality of live legs, 1 to 4.5", mos / n, low},
	} {
		t.Family(row.name, "gauge", row.what+": the mean and the worst.")
		t.Sample(row.name, row.mean, "of", "mean")
		t.Sample(row.name, row.extreme, "of", "worst")
	}
}

func (b *Box) countRooms(t *metrics.Text) {
	perProfile := map[string]int{}
	registrations := []sip.Registration{}
	if b.phones != nil {
		registrations = b.phones.Registrations()
	}
	for _, r := range registrations {
		perProfile[r.Realm]++
	}
	t.Family("switchlet_registrations", "gauge", "Phones that are registered, by domain.")
	for domain, n := range perProfile {
		t.Sample("switchlet_registrations", float64(n), "domain", domain)
	}
	if b.phones != nil {
		countGateways(t, b.phones.Gateways())
	}
	if b.socket != nil {
		countListeners(t, b.socket.Listeners(), b.socket.Lost())
	}
	if b.recorder != nil {
		dropped, failed := b.recorder.Lost()
		t.Family("switchlet_history_lost_total", "counter", "Legs that are missing in the call history.")
		t.Sample("switchlet_history_lost_total", float64(dropped), "reason", "queue")
		t.Sample("switchlet_history_lost_total", float64(failed), "reason", "disk")
	}
}

func countGateways(t *metrics.Text, list []sip.GatewayStatus) {
	t.Family("switchlet_gateway_up", "gauge", "1: calls can go out through the gateway.")
	for _, g := range list {
		up := 0.0
		if g.Up {
			up = 1
		}
		t.Sample("switchlet_gateway_up", up, "profile", g.Profile, "gateway", g.Name, "state", g.State)
	}
	t.Family("switchlet_gateway_calls_total", "counter", "Calls of the gateway.")
	for _, g := range list {
		for _, row := range []struct {
			direction, result string
			n                 uint64
		}{{"inbound", "all", g.CallsIn}, {"inbound", "failed", g.FailedIn}, {"outbound", "all", g.CallsOut}, {"outbound", "failed", g.FailedOut}} {
			t.Sample("switchlet_gateway_calls_total", float64(row.n), "profile", g.Profile, "gateway", g.Name, "direction", row.direction, "result", row.result)
		}
	}
}

// lostEvents is how many events slow clients of the event socket have lost.
func (b *Box) lostEvents() uint64 {
	if b.socket == nil {
		return 0
	}
	return b.socket.Lost()
}

func countListeners(t *metrics.Text, list []server.Listener, lost uint64) {
	kinds := map[[2]string]int{}
	waiting, longest := 0, 0
	for _, l := range list {
		kinds[[2]string{map[bool]string{false: "inbound", true: "outbound"}[l.Outbound], strconv.FormatBool(l.Authenticated)}]++
		waiting += l.Waiting
		longest = max(longest, l.Waiting)
	}
	t.Family("switchlet_esl_clients", "gauge", "Connections of the event socket.")
	for k, n := range kinds {
		t.Sample("switchlet_esl_clients", float64(n), "direction", k[0], "authenticated", k[1])
	}
	t.One("switchlet_esl_waiting_events", "gauge", "Events in the queues of all clients.", float64(waiting))
	t.One("switchlet_esl_longest_queue", "gauge", "Events in the longest of these queues.", float64(longest))
	t.One("switchlet_esl_lost_events_total", "counter", "Events that found the queue of a client full.", float64(lost))
}

// countProcess reads what the run-time and the kernel know of the process.
func countProcess(t *metrics.Text) {
	t.One("switchlet_goroutines", "gauge", "Goroutines.", float64(runtime.NumGoroutine()))
	samples := []runtimemetrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/total:bytes"}, {Name: "/gc/cycles/total:gc-cycles"}}
	runtimemetrics.Read(samples)
	for i, row := range []struct{ name, kind, help string }{
		{"switchlet_heap_bytes", "gauge", "Memory in use by objects, live ones and those not yet collected."},
		{"switchlet_memory_bytes", "gauge", "Memory that the run-time holds."},
		{"switchlet_gc_cycles_total", "counter", "Garbage collections."},
	} {
		if samples[i].Value.Kind() == runtimemetrics.KindUint64 {
			t.One(row.name, row.kind, row.help, float64(samples[i].Value.Uint64()))
		}
	}
	if resident, ok := residentBytes(); ok {
		t.One("process_resident_memory_bytes", "gauge", "Memory of the process that is in RAM.", float64(resident))
	}
	if fds, err := os.ReadDir("/proc/self/fd"); err == nil {
		t.One("process_open_fds", "gauge", "Open files and sockets.", float64(len(fds)))
	}
}

// residentBytes is the memory of this process that is in RAM, where the kernel
// tells.
func residentBytes() (int, bool) {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, false
	}
	f := strings.Fields(string(text))
	if len(f) < 2 {
		return 0, false
	}
	pages, err := strconv.Atoi(f[1])
	return pages * os.Getpagesize(), err == nil
}
