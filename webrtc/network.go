package webrtc

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/logging"
	"github.com/pion/stun/v4"
	"github.com/pion/transport/v4/stdnet"
	pion "github.com/pion/webrtc/v4"

	"github.com/switchlet/switchlet/media"
	"github.com/switchlet/switchlet/media/udp"
)

// DefaultPort is the UDP port on which all browsers meet the switch.
const DefaultPort = 10000

// Times of ICE and the sizes of what pion buffers for one call.
const (
	iceDisconnected = 6 * time.Second
	iceFailed       = 20 * time.Second
	iceKeepalive    = 2 * time.Second
	receiveMTU      = 1500
)

// srtpProfiles are those of SRTP that we offer and take, best first.
var srtpProfiles = []dtls.SRTPProtectionProfile{dtls.SRTP_AEAD_AES_128_GCM, dtls.SRTP_AES128_CM_HMAC_SHA1_80}

// network is what all calls share: the sockets, the certificate of DTLS, and
// pion's settings.
type network struct {
	engine  *pion.MediaEngine
	set     pion.SettingEngine
	cert    pion.Certificate
	sockets udp.Group
	udp     []*udpSocket
	tcp     *streams         // nil: none
	locals  []localCandidate // our own addresses as descriptions offer them, best first
	outer   []localCandidate // the same with the addresses that others know us by in front
}

// listenNetwork opens the port on each local address. port 0 takes any free one,
// the same on every address. advertised addresses come before the local ones in
// descriptions.
func listenNetwork(locals, advertised []netip.Addr, port, tcpPort int) (*network, error) {
	n := &network{}
	if len(locals) == 0 {
		return nil, errors.New("webrtc: no rtp-ip: browsers have no address to send sound to")
	}
	fail := func(err error) (*network, error) {
		n.close()
		return nil, err
	}
	for _, ip := range locals {
		s, err := listenUDP(&n.sockets, netip.AddrPortFrom(ip, uint16(port)))
		if err != nil {
			return fail(fmt.Errorf("webrtc: rtp-ip %s: %w; it must be an address of this machine (the address that browsers see goes into ext-rtp-ip), and the port must be free", ip, err))
		}
		port = int(s.local.Port())
		n.udp = append(n.udp, s)
	}
	if tcpPort > 0 {
		l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.AddrPortFrom(locals[0], uint16(tcpPort))))
		if err != nil {
			return fail(fmt.Errorf("webrtc: TCP port for browsers: %w", err))
		}
		n.tcp = newStreams(l, n.udp[0])
	}
	n.advertise(locals, advertised, port, tcpPort)
	if err := n.certify(); err != nil {
		return fail(err)
	}
	if err := n.prepare(locals); err != nil {
		return fail(err)
	}
	return n, nil
}

// read hands out what has come from browsers by now, before a clock's tick takes it;
// next is when the clock ticks again (media.Clock.Before).
func (n *network) read(next time.Time) { n.sockets.Read(next, media.FrameTime) }

// advertise lists the candidates: priorities fall, hosts over UDP first.
func (n *network) advertise(locals, advertised []netip.Addr, port, tcpPort int) {
	n.locals = candidateList(locals, port, tcpPort)
	n.outer = candidateList(slices.Concat(advertised, locals), port, tcpPort)
}

func candidateList(ips []netip.Addr, port, tcpPort int) []localCandidate {
	var list []localCandidate
	seen := map[netip.Addr]bool{}
	preference := uint32(65535)
	add := func(ip netip.Addr, tcp bool, kind uint32, port int) {
		list = append(list, localCandidate{addr: netip.AddrPortFrom(ip, uint16(port)), tcp: tcp, priority: kind<<24 | preference<<8 | 255})
		preference--
	}
	for _, ip := range ips {
		if !seen[ip] && !ip.IsUnspecified() {
			seen[ip] = true
			add(ip, false, 126, port)
		}
	}
	if tcpPort > 0 {
		for _, c := range list[:len(list):len(list)] {
			add(c.addr.Addr(), true, 90, tcpPort)
		}
	}
	return list
}

func (n *network) certify() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("webrtc: key of DTLS: %w", err)
	}
	cert, err := pion.GenerateCertificate(key)
	if err != nil {
		return fmt.Errorf("webrtc: certificate of DTLS: %w", err)
	}
	n.cert = *cert
	return nil
}

func (n *network) prepare(locals []netip.Addr) error {
	engine := &pion.MediaEngine{}
	for _, c := range []pion.RTPCodecParameters{
		{PayloadType: offerOpus, RTPCodecCapability: pion.RTPCodecCapability{MimeType: pion.MimeTypeOpus, ClockRate: 48000, Channels: 2}},
		{PayloadType: 9, RTPCodecCapability: pion.RTPCodecCapability{MimeType: pion.MimeTypeG722, ClockRate: 8000}},
		{PayloadType: 0, RTPCodecCapability: pion.RTPCodecCapability{MimeType: pion.MimeTypePCMU, ClockRate: 8000}},
		{PayloadType: 8, RTPCodecCapability: pion.RTPCodecCapability{MimeType: pion.MimeTypePCMA, ClockRate: 8000}},
		{PayloadType: offerEvents48, RTPCodecCapability: pion.RTPCodecCapability{MimeType: "audio/telephone-event", ClockRate: 48000}},
		{PayloadType: offerEvents8, RTPCodecCapability: pion.RTPCodecCapability{MimeType: "audio/telephone-event", ClockRate: 8000}},
	} {
		if err := engine.RegisterCodec(c, pion.RTPCodecTypeAudio); err != nil {
			return fmt.Errorf("webrtc: %s: %w", c.MimeType, err)
		}
	}
	own, err := stdnet.NewNet()
	if err != nil {
		return fmt.Errorf("webrtc: interfaces: %w", err)
	}
	s := &n.set
	s.LoggerFactory = quietLogs{}
	s.SetNet(own)
	s.SetNetworkTypes([]pion.NetworkType{pion.NetworkTypeUDP4, pion.NetworkTypeUDP6})
	s.DisableActiveTCP(true)
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	s.SetIncludeLoopbackCandidate(true)
	s.SetIPFilter(func(ip net.IP) bool {
		a, ok := netip.AddrFromSlice(ip)
		for _, local := range locals {
			if ok && a.Unmap() == local {
				return true
			}
		}
		return false
	})
	s.SetICETimeouts(iceDisconnected, iceFailed, iceKeepalive)
	s.SetICEBindingRequestHandler(follow)
	s.SetReceiveMTU(receiveMTU)
	s.SetSRTPProtectionProfiles(srtpProfiles...)
	s.SetFireOnTrackBeforeFirstRTP(true)
	n.engine = engine
	return nil
}

// api is pion as one call needs it: what is received goes straight to its wire.
func (n *network) api(w *wire) *pion.API {
	s := n.set
	s.SetICEUDPMux(udpPaths{n.udp, w})
	s.SetDTLSKeyLogWriter(&w.short)
	s.BufferFactory = w.inlet
	return pion.NewAPI(pion.WithMediaEngine(n.engine), pion.WithSettingEngine(s),
		pion.WithInterceptorRegistry(&interceptor.Registry{}))
}

// follow changes to the pair that the browser nominates, whatever its priority:
// browsers move to a cheaper network while the call runs, and sound sent to the
// old address would be lost. The request was authenticated already.
func follow(m *stun.Message, _, _ ice.Candidate, pair *ice.CandidatePair) bool {
	return m.Contains(stun.AttrUseCandidate) && pair.ResponsesReceived() > 0
}

func (n *network) close() {
	if n.tcp != nil {
		n.tcp.close()
	}
	for _, u := range n.udp {
		u.close()
	}
}

// fingerprint is that of our DTLS certificate.
func (n *network) fingerprint() (fingerprint, error) {
	prints, err := n.cert.GetFingerprints()
	if err != nil || len(prints) == 0 {
		return fingerprint{}, fmt.Errorf("webrtc: fingerprint of DTLS: %w", err)
	}
	return fingerprint{strings.ToLower(prints[0].Algorithm), strings.ToUpper(prints[0].Value)}, nil
}

// gathered waits until pion has its addresses, which takes no network.
func gathered(ctx context.Context, pc *pion.PeerConnection, set func() error) error {
	done := pion.GatheringCompletePromise(pc)
	if err := set(); err != nil {
		return err
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// quiet discards pion's own log: what matters comes back as errors and states.
type quiet struct{}

func (quiet) Trace(string)          {}
func (quiet) Tracef(string, ...any) {}
func (quiet) Debug(string)          {}
func (quiet) Debugf(string, ...any) {}
func (quiet) Info(string)           {}
func (quiet) Infof(string, ...any)  {}
func (quiet) Warn(string)           {}
func (quiet) Warnf(string, ...any)  {}
func (quiet) Error(string)          {}
func (quiet) Errorf(string, ...any) {}

type quietLogs struct{}

func (quietLogs) NewLogger(string) logging.LeveledLogger { return quiet{} }
