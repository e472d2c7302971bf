package webrtc

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/dtls/v3/pkg/crypto/prf"
	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"
	pion "github.com/pion/webrtc/v4"
)

// shortcut takes the sound of one call past pion. A packet that comes through
// pion changes goroutine three times, and waking those costs several times what
// the packet's decryption does. So the socket's own goroutine decrypts it, with
// the keys of the same DTLS handshake (RFC 5764 §4.2), and hands it on; what is
// sent is encrypted by who sends it and goes to the address that ICE chose.
// ICE, DTLS and RTCP stay pion's.
//
// The keys follow from two things: the master secret, which pion's key log gives,
// and the random values of both hellos, which pass in the clear. The key log is
// written before pion has seen that there is a certificate at all, and nobody
// vouches for a hello that was overheard. So the shortcut is tried only when pion
// calls the handshake done, which it does once the certificate is the one that the
// description names, and it is open, both ways, only from the first packet on that
// these keys authenticate. Until then, and for good if none comes, pion carries the
// sound.
type shortcut struct {
	state  atomic.Int32 // shut, tried, open
	proven atomic.Bool  // the handshake is done, with the certificate of the description
	route  atomic.Pointer[route]

	mu     sync.Mutex // guards what the keys are made of, while shut
	secret []byte     // master secret
	client []byte     // random of the client's hello
	server serverHello
	active bool // we are the client
	heard  bool // server is known

	// Under wire.receiving.
	remote  *srtp.Context
	arrived rtp.Header
	ssrcs   []uint32
	misses  int

	// Under wire.sending.
	local *srtp.Context
	own   bool // local has sent: pion's counters are behind from then on
	begun bool
	last  uint16
	roc   uint32 // rollover counter of what pion sent
	left  rtp.Header
	out   []byte
}

// States of a shortcut.
const (
	shut int32 = iota
	tried
	open
)

const (
	replayWindow = 64 // packets, as RFC 3711 §3.3.2 has it at least
	maxMisses    = 50 // packets that fail before the first that does not
	rtpFixed     = 12 // bytes of an RTP header
	tagRoom      = 32 // bytes that encryption adds at most
)

// route is where a call's packets go.
type route struct {
	path interface {
		WriteToAddrPort([]byte, netip.AddrPort) (int, error)
	}
	addr netip.AddrPort
}

// Write takes a line of pion's key log, "CLIENT_RANDOM random secret" in
// hexadecimal (io.Writer).
func (s *shortcut) Write(line []byte) (int, error) {
	words := bytes.Fields(line)
	if len(words) == 3 && string(words[0]) == "CLIENT_RANDOM" {
		s.mu.Lock()
		if s.secret == nil {
			client, err1 := hex.DecodeString(string(words[1]))
			secret, err2 := hex.DecodeString(string(words[2]))
			if err1 == nil && err2 == nil {
				s.client, s.secret = client, secret
			}
		}
		s.mu.Unlock()
	}
	return len(line), nil
}

// hello looks for the server's hello in a datagram of DTLS that came in or goes
// out.
func (s *shortcut) hello(b []byte, incoming bool) {
	if s.state.Load() != shut {
		return
	}
	// A profile that was not offered is nobody's answer. With that of no encryption
	// the keys of another would fit.
	h, ok := findServerHello(b)
	if !ok || !slices.Contains(srtpProfiles, dtls.SRTPProtectionProfile(h.profile)) {
		return
	}
	s.mu.Lock()
	s.server, s.active, s.heard = h, incoming, true
	s.mu.Unlock()
}

// ExportKeyingMaterial is RFC 5705 §4 with what was overheard
// (srtp.KeyingMaterialExporter).
func (s *shortcut) ExportKeyingMaterial(label string, _ []byte, length int) ([]byte, error) {
	seed := slices.Concat([]byte(label), s.client, s.server.random[:])
	return prf.PHash(s.secret, seed, length, s.server.hash())
}

// handshake takes the state of DTLS.
func (s *shortcut) handshake(state pion.DTLSTransportState) {
	s.proven.Store(state == pion.DTLSTransportStateConnected)
}

// derive makes the keys when all they are made of is there. Caller holds
// wire.receiving.
func (w *wire) derive() bool {
	s := &w.short
	if !s.proven.Load() {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.secret) == 0 || !s.heard {
		return false
	}
	c := srtp.Config{Profile: srtp.ProtectionProfile(s.server.profile)}
	err := c.ExtractSessionKeysFromDTLS(s, s.active)
	clear(s.secret)
	s.secret, s.client = []byte{}, nil // once is all
	if err != nil {
		return false
	}
	k := c.Keys
	remote, err1 := srtp.CreateContext(k.RemoteMasterKey, k.RemoteMasterSalt, c.Profile, srtp.SRTPReplayProtection(replayWindow))
	local, err2 := srtp.CreateContext(k.LocalMasterKey, k.LocalMasterSalt, c.Profile)
	if err1 != nil || err2 != nil {
		return false
	}
	s.remote = remote
	w.sending.Lock()
	s.local = local
	w.sending.Unlock()
	s.state.Store(tried)
	return true
}

// take handles a packet of RTP as it came from the network, at a moment. It reports
// false if pion is to have it.
func (w *wire) take(b []byte, at time.Time) bool {
	s := &w.short
	w.receiving.Lock()
	defer w.receiving.Unlock()
	var plain []byte
	var err error
	switch s.state.Load() {
	case shut:
		if !w.derive() {
			return false
		}
		fallthrough
	case tried:
		if s.remote == nil {
			return false
		}
		// pion gets the packet as it came if these keys are wrong.
		if plain, err = s.remote.DecryptRTP(make([]byte, len(b)), b, &s.arrived); err != nil {
			if s.misses++; s.misses == maxMisses {
				s.remote = nil
			}
			return false
		}
		s.state.Store(open)
	default:
		if !s.admits(b) {
			return true
		}
		if plain, err = s.remote.DecryptRTP(b, b, &s.arrived); err != nil {
			return true
		}
	}
	if !slices.Contains(s.ssrcs, s.arrived.SSRC) {
		s.ssrcs = append(s.ssrcs, s.arrived.SSRC)
	}
	w.deliver(plain, at)
	return true
}

// admits reports whether a packet is of a known stream, or may begin a new one.
func (s *shortcut) admits(b []byte) bool {
	return len(s.ssrcs) < maxTracks || len(b) >= rtpFixed && slices.Contains(s.ssrcs, binary.BigEndian.Uint32(b[8:]))
}

// write sends a packet, or reports false if pion is to send it. Caller holds
// w.sending.
func (s *shortcut) write(h *rtp.Header, payload []byte) (sent bool, err error) {
	to := s.route.Load()
	if !s.own {
		if to == nil || s.local == nil || s.state.Load() != open {
			s.follow(h.SequenceNumber)
			return false, nil
		}
		if s.own = true; s.begun {
			s.local.SetROC(h.SSRC, s.roc)
		}
	}
	n := rtpFixed + len(payload)
	if cap(s.out) < n+tagRoom {
		s.out = make([]byte, n+tagRoom)
	}
	plain := s.out[:n]
	plain[0], plain[1] = 2<<6, h.PayloadType
	if h.Marker {
		plain[1] |= 0x80
	}
	binary.BigEndian.PutUint16(plain[2:], h.SequenceNumber)
	binary.BigEndian.PutUint32(plain[4:], h.Timestamp)
	binary.BigEndian.PutUint32(plain[8:], h.SSRC)
	copy(plain[rtpFixed:], payload)
	b, err := s.local.EncryptRTP(s.out[:cap(s.out)], plain, &s.left)
	if err != nil {
		return true, err
	}
	_, err = to.path.WriteToAddrPort(b, to.addr)
	return true, err
}

// follow counts the rollovers of what pion sends, to go on from there.
func (s *shortcut) follow(seq uint16) {
	if s.begun && int16(seq-s.last) <= 0 {
		return
	}
	if s.begun && seq < s.last {
		s.roc++
	}
	s.begun, s.last = true, seq
}

// chosen learns which pair of addresses ICE uses.
func (w *wire) chosen(pair *pion.ICECandidatePair) {
	if pair == nil || pair.Local == nil || pair.Remote == nil {
		return
	}
	local, err1 := netip.ParseAddr(pair.Local.Address)
	remote, err2 := netip.ParseAddr(pair.Remote.Address)
	if err1 != nil || err2 != nil {
		return
	}
	if p := w.paths.at(netip.AddrPortFrom(local, pair.Local.Port)); p != nil {
		w.short.route.Store(&route{p, netip.AddrPortFrom(remote, pair.Remote.Port)})
	}
}

// Numbers of DTLS 1.2 (RFC 6347 §4, RFC 5246 §7.4, RFC 5764 §4.1).
const (
	recordHandshake    = 22
	recordHeader       = 13
	handshakeHeader    = 12
	messageServerHello = 2
	extensionUseSRTP   = 14
)

// serverHello is what the keys need of a server's hello.
type serverHello struct {
	random  [32]byte
	suite   uint16
	profile uint16 // of SRTP
}

// hash is that of the cipher suite's pseudo-random function.
func (h serverHello) hash() func() hash.Hash {
	switch dtls.CipherSuiteID(h.suite) {
	case dtls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, dtls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384:
		return sha512.New384
	}
	return sha256.New
}

// findServerHello finds the hello in a datagram of plain DTLS records. One that
// was cut in fragments is not found.
func findServerHello(b []byte) (serverHello, bool) {
	for len(b) >= recordHeader {
		n := int(binary.BigEndian.Uint16(b[11:]))
		if len(b) < recordHeader+n {
			break
		}
		plain := b[0] == recordHandshake && binary.BigEndian.Uint16(b[3:]) == 0
		record := b[recordHeader : recordHeader+n]
		b = b[recordHeader+n:]
		for plain && len(record) >= handshakeHeader {
			size, offset, length := uint24(record[1:]), uint24(record[6:]), uint24(record[9:])
			if len(record) < handshakeHeader+length {
				break
			}
			body := record[handshakeHeader : handshakeHeader+length]
			if record[0] == messageServerHello && offset == 0 && length == size {
				return parseServerHello(body)
			}
			record = record[handshakeHeader+length:]
		}
	}
	return serverHello{}, false
}

func uint24(b []byte) int { return int(b[0])<<16 | int(b[1])<<8 | int(b[2]) }

// parseServerHello reports whether b is one that chose a profile of SRTP.
func parseServerHello(b []byte) (h serverHello, ok bool) {
	const version, random = 2, 32
	if len(b) < version+random+1 {
		return h, false
	}
	copy(h.random[:], b[version:])
	b = b[version+random:]
	session := int(b[0])
	if b = b[1:]; len(b) < session+5 { // suite, compression, length of the extensions
		return h, false
	}
	b = b[session:]
	h.suite = binary.BigEndian.Uint16(b)
	b = b[5:]
	for len(b) >= 4 {
		kind, n := binary.BigEndian.Uint16(b), int(binary.BigEndian.Uint16(b[2:]))
		if b = b[4:]; len(b) < n {
			return h, false
		}
		if kind == extensionUseSRTP && n >= 4 && binary.BigEndian.Uint16(b) == 2 {
			h.profile, ok = binary.BigEndian.Uint16(b[2:]), true
		}
		b = b[n:]
	}
	return h, ok
}
