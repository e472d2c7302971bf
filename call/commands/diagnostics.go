package commands

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/call/expand"
)

const timerTestUsage = "<10|20|40|60|120> [<1..200>] [<timer_name>]"

func diagnostics(d Deps) []call.Command {
	const m = "mod_commands"
	return []call.Command{
		{Name: "banner", Syntax: "", Description: "Return the system banner", Module: m, Run: banner},
		{Name: "db_cache", Syntax: "status", Description: "Manage db cache", Module: m, Run: dbCache(d)},
		{Name: "getcputime", Syntax: "[reset]", Description: "Gets CPU time in milliseconds (user,kernel)", Module: m, Run: cpuTimes()},
		{Name: "interface_ip", Syntax: "[auto|ipv4|ipv6] <ifname>", Description: "Return the primary IP of an interface", Module: m, Run: interfaceIP},
		{Name: "json", Syntax: "JSON", Description: "JSON API", Module: m, Run: jsonTable(d).run},
		{Name: "memory", Syntax: "memory", Description: "Memory usage statistics", Module: m, Run: memory},
		{Name: "nat_map", Syntax: "[status|republish|reinit] | [add|del] <port> [tcp|udp] [static]", Description: "Manage NAT", Module: m, Run: natMap},
		{Name: "pool_stats", Syntax: "Core pool memory usage.", Description: "Core pool memory usage", Module: m, Run: poolStats},
		{Name: "reloadcert", Syntax: "", Description: "Reload SSL/TLS certificates", Module: m, Run: reloadCert},
		{Name: "stun", Syntax: "<stun_server>[:port] [<source_ip>[:<source_port]]", Description: "Execute STUN lookup", Module: m, Run: stun},
		{Name: "time_test", Syntax: "<mss> [count]", Description: "Show time jitter", Module: m, Run: timeTest},
		{Name: "timer_test", Syntax: timerTestUsage, Description: "Exercise FS timer", Module: m, Run: timerTest},
		{Name: "xml_wrap", Syntax: "<command> <args>", Description: "Wrap another api command in xml", Module: m, Run: xmlWrap},
	}
}

func banner(_ context.Context, _ *call.Switch, in *call.Invocation) error {
	fmt.Fprintf(in.Out, "\n.=======================================.\n"+
		"|  Switchlet %-27s|\n"+
		"|  answers phones, browsers, carriers   |\n"+
		".=======================================.\n\n", call.Version)
	return nil
}

// dbCache tells of the handles of the core's database.
func dbCache(d Deps) run {
	return func(_ context.Context, _ *call.Switch, in *call.Invocation) error {
		if !strings.Contains(in.Args, "status") {
			return reply(in, "parameter missing\n")
		}
		total := 0
		if d.DB != nil {
			total = 1
		}
		fmt.Fprintf(in.Out, "%d total. %d in use.\n", total, 0)
		return nil
	}
}

// cpuTimes prints the processor time of the program since the start or since the
// last reset, in ms.
func cpuTimes() run {
	var mu sync.Mutex
	var user0, kernel0 time.Duration
	return func(_ context.Context, _ *call.Switch, in *call.Invocation) error {
		user, kernel := cpuTime()
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(in.Out, "%d, %d", (user - user0).Milliseconds(), (kernel - kernel0).Milliseconds())
		if strings.HasPrefix(in.Args, "reset") {
			user0, kernel0 = user, kernel
		}
		return nil
	}
}

func interfaceIP(_ context.Context, _ *call.Switch, in *call.Invocation) error {
	f := expand.SplitSeparate(in.Args, ' ', 3)
	kind := strings.ToLower(word(f, 0))
	if len(f) < 2 || (kind != "auto" && kind != "ipv4" && kind != "ipv6") {
		return reply(in, "USAGE: interface_ip [auto|ipv4|ipv6] <ifname>\n")
	}
	nic, err := net.InterfaceByName(f[1])
	if err != nil {
		return nil
	}
	list, err := nic.Addrs()
	if err != nil {
		return nil
	}
	for _, a := range list {
		p, err := netip.ParsePrefix(a.String())
		if err != nil {
			continue
		}
		ip := p.Addr()
		if kind == "auto" || ip.Is4() == (kind == "ipv4") {
			return reply(in, ip.WithZone("").String())
		}
	}
	return nil
}

func memory(_ context.Context, _ *call.Switch, in *call.Invocation) error {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	fmt.Fprintf(in.Out, "Heap in use: %d bytes\nHeap idle: %d bytes\nHeap objects: %d\nStacks: %d bytes\nFrom the system: %d bytes\n"+
		"Collections: %d\nGoroutines: %d\n+OK\n", m.HeapInuse, m.HeapIdle, m.HeapObjects, m.StackInuse, m.Sys, m.NumGC, runtime.NumGoroutine())
	return nil
}

// natMap answers as a switch that found no router to ask for mappings.
func natMap(_ context.Context, _ *call.Switch, in *call.Invocation) error {
	if in.Args == "" {
		return reply(in, "USAGE: nat_map [status|reinit|republish] | [add|del] <port> [tcp|udp] [sticky] | [mapping] <enable|disable>")
	}
	return reply(in, "false")
}

func poolStats(_ context.Context, _ *call.Switch, in *call.Invocation) error {
	return reply(in, "Unable to get core pool statictics. Please rebuild FreeSWITCH with --enable-pool-debug")
}

func reloadCert(_ context.Context, sw *call.Switch, in *call.Invocation) error {
	e := event.New(event.Trap, "")
	e.Add("condition", "ssl-cert-reload")
	sw.Bus.Publish(e, "mod_commands.c", "reload_cert_function", 2560)
	return reply(in, "+OK cert reload event sent\n")
}

// testPause bounds one pause of time_test, testRuns how many there are.
const (
	testPause = time.Second
	testRuns  = 100
)

// pause waits; false when ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func timeTest(ctx context.Context, _ *call.Switch, in *call.Invocation) error {
	if in.Args == "" {
		return reply(in, "parameter missing\n")
	}
	f := strings.Fields(in.Args)
	us, _ := strconv.Atoi(f[0])
	us = min(max(us, 0), int(testPause.Microseconds()))
	count := 10
	if n, err := strconv.Atoi(word(f, 1)); err == nil && n > 0 {
		count = min(n, testRuns)
	}
	var total int64
	for i := 1; i <= count; i++ {
		began := time.Now()
		if !pause(ctx, time.Duration(us)*time.Microsecond) {
			return nil
		}
		took := time.Since(began).Microseconds()
		total += took
		fmt.Fprintf(in.Out, "test %d sleep %d %d\n", i, us, took)
	}
	fmt.Fprintf(in.Out, "avg %d\n", total/int64(count))
	return nil
}

// timerTest measures the media clock's timer over some frames.
func timerTest(ctx context.Context, _ *call.Switch, in *call.Invocation) error {
	f := strings.Fields(in.Args)
	frame, runs := 20, 50
	if len(f) > 0 {
		frame, _ = strconv.Atoi(f[0])
	}
	if n, err := strconv.Atoi(word(f, 1)); err == nil && n > 0 && n <= 400 {
		runs = n
	}
	switch frame {
	case 10, 20, 30, 32, 40, 60, 120:
	default:
		return reply(in, "parameter missing: "+timerTestUsage+"\n")
	}
	if name := word(f, 2); name != "" && name != "soft" {
		return reply(in, "Timer Error!\n")
	}
	t := time.NewTicker(time.Duration(frame) * time.Millisecond)
	defer t.Stop()
	began := time.Now()
	for range runs {
		select {
		case <-t.C:
		case <-ctx.Done():
			return nil
		}
	}
	total := float64(time.Since(began).Microseconds()) / 1000
	fmt.Fprintf(in.Out, "Avg: %0.3fms Total Time: %0.3fms\n", total/float64(runs), total)
	return nil
}

func xmlWrap(ctx context.Context, sw *call.Switch, in *call.Invocation) error {
	line, encoded := in.Args, false
	if line == "" {
		return reply(in, "-ERR Invalid syntax\n")
	}
	if len(line) > 8 && strings.EqualFold(line[:8], "encoded ") {
		line, encoded = line[8:], true
	}
	name, args, _ := strings.Cut(line, " ")
	out, err := sw.Run(ctx, name, args, nil, nil)
	switch {
	case errors.Is(err, call.ErrNoCommand):
		out = "INVALID COMMAND!\n"
	case err != nil:
		out = "ERROR"
	}
	if encoded {
		out = event.Encode(out)
	}
	fmt.Fprintf(in.Out, "<result>\n  <row id=\"1\">\n    <data>%s</data>\n  </row>\n</result>\n", out)
	return nil
}

// stun asks a STUN server for our address (RFC 8489).
func stun(ctx context.Context, _ *call.Switch, in *call.Invocation) error {
	f := strings.Fields(in.Args)
	if len(f) == 0 {
		return reply(in, "-STUN Failed! NO STUN SERVER\n")
	}
	server := f[0]
	if !strings.Contains(server, ":") {
		server += ":3478"
	}
	addr, err := stunLookup(ctx, server, word(f, 1))
	if err != nil {
		fmt.Fprintf(in.Out, "-STUN Failed! [%v]\n", err)
		return nil
	}
	fmt.Fprintf(in.Out, "%s\n", addr)
	return nil
}

const (
	stunCookie   = 0x2112A442
	stunTries    = 3
	stunInterval = 500 * time.Millisecond
)

func stunLookup(ctx context.Context, server, source string) (netip.AddrPort, error) {
	d := net.Dialer{Timeout: 5 * time.Second}
	if source != "" {
		local, err := netip.ParseAddrPort(source)
		if err != nil {
			ip, err := netip.ParseAddr(source)
			if err != nil {
				return netip.AddrPort{}, fmt.Errorf("bad source %q", source)
			}
			local = netip.AddrPortFrom(ip, 0)
		}
		d.LocalAddr = net.UDPAddrFromAddrPort(local)
	}
	conn, err := d.DialContext(ctx, "udp", server)
	if err != nil {
		return netip.AddrPort{}, err
	}
	defer conn.Close()
	id := []byte(call.NewUUID())[:12]
	request := make([]byte, 20)
	binary.BigEndian.PutUint16(request, 0x0001)
	binary.BigEndian.PutUint32(request[4:], stunCookie)
	copy(request[8:], id)
	buf := make([]byte, 1500)
	for range stunTries {
		if _, err := conn.Write(request); err != nil {
			return netip.AddrPort{}, err
		}
		conn.SetReadDeadline(time.Now().Add(stunInterval))
		n, err := conn.Read(buf)
		if err != nil {
			if ctx.Err() != nil {
				break
			}
			continue
		}
		if addr, ok := stunAddress(buf[:n], id); ok {
			return addr, nil
		}
	}
	return netip.AddrPort{}, errors.New("Timeout")
}

// stunAddress reads the mapped address of a binding response.
func stunAddress(msg, id []byte) (netip.AddrPort, bool) {
	if len(msg) < 20 || binary.BigEndian.Uint16(msg) != 0x0101 || string(msg[8:20]) != string(id) {
		return netip.AddrPort{}, false
	}
	size := int(binary.BigEndian.Uint16(msg[2:]))
	if size > len(msg)-20 {
		return netip.AddrPort{}, false
	}
	const mapped, xorMapped = 0x0001, 0x0020
	for rest := msg[20 : 20+size]; len(rest) >= 4; {
		kind, n := binary.BigEndian.Uint16(rest), int(binary.BigEndian.Uint16(rest[2:]))
		if n > len(rest)-4 {
			return netip.AddrPort{}, false
		}
		if value := rest[4 : 4+n]; kind == mapped || kind == xorMapped {
			return stunValue(value, kind == xorMapped, id)
		}
		rest = rest[min(4+(n+3)&^3, len(rest)):]
	}
	return netip.AddrPort{}, false
}

func stunValue(value []byte, masked bool, id []byte) (netip.AddrPort, bool) {
	size := 0
	if len(value) >= 4 {
		size = map[byte]int{1: 4, 2: 16}[value[1]]
	}
	if size == 0 || len(value) < 4+size {
		return netip.AddrPort{}, false
	}
	port, ip := binary.BigEndian.Uint16(value[2:]), append([]byte(nil), value[4:4+size]...)
	if masked {
		port ^= stunCookie >> 16
		mask := append(binary.BigEndian.AppendUint32(nil, stunCookie), id...)
		for i := range ip {
			ip[i] ^= mask[i]
		}
	}
	addr, _ := netip.AddrFromSlice(ip)
	return netip.AddrPortFrom(addr, port), true
}
