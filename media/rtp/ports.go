package rtp

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"

	"github.com/switchlet/switchlet/media"
	"github.com/switchlet/switchlet/media/udp"
)

// ErrNoPorts means that every port of the range is in use.
//
//lint:ignore ST1005 the reference's words
var ErrNoPorts = errors.New("No RTP ports available!")

// Ports is a range of UDP ports for RTP: the even ones, each with the odd one
// after it for RTCP. The first is chosen at random, and all are used before any
// is used again (spec/sip.md §9.1). Each IP address has the range to itself. The
// sockets on them are read together.
type Ports struct {
	first uint16
	count int

	sockets udp.Group

	mu   sync.Mutex
	byIP map[netip.Addr]*portRing
}

type portRing struct {
	used []bool
	next int
	free int
}

// NewPorts returns the range from start to end, both included.
func NewPorts(start, end uint16) (*Ports, error) {
	first := int(start) + int(start&1)
	count := (int(end) - first + 1) / 2
	if start == 0 || count < 1 {
		return nil, fmt.Errorf("rtp: no pair of ports between %d and %d", start, end)
	}
	return &Ports{first: uint16(first), count: count, byIP: make(map[netip.Addr]*portRing)}, nil
}

// Len returns how many legs the range can carry on one address.
func (p *Ports) Len() int { return p.count }

// Read hands out what has come to all ports by now, before a clock's tick takes it;
// next is when the clock ticks again (media.Clock.Before).
func (p *Ports) Read(next time.Time) { p.sockets.Read(next, media.FrameTime) }

// InUse returns how many ports are taken on all addresses.
func (p *Ports) InUse() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, r := range p.byIP {
		n += p.count - r.free
	}
	return n
}

func (p *Ports) take(ip netip.Addr) (uint16, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.byIP[ip]
	if r == nil {
		r = &portRing{used: make([]bool, p.count), next: rand.IntN(p.count), free: p.count}
		p.byIP[ip] = r
	}
	if r.free == 0 {
		return 0, fmt.Errorf("rtp: %s: %w", ip, ErrNoPorts)
	}
	for r.used[r.next] {
		r.next = (r.next + 1) % p.count
	}
	i := r.next
	r.used[i] = true
	r.free--
	r.next = (i + 1) % p.count
	return p.first + uint16(2*i), nil
}

func (p *Ports) release(ip netip.Addr, port uint16) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r, i := p.byIP[ip], int(port-p.first)/2; r != nil && i < len(r.used) && r.used[i] {
		r.used[i] = false
		r.free++
	}
}
