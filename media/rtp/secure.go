package rtp

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	pion "github.com/pion/rtp"
	"github.com/pion/srtp/v3"
)

// replayWindow is how far back a packet may come, in packets (RFC 3711 §3.3.2).
const replayWindow = 64

// suite is one kind of encryption with its lengths of key and salt in bytes.
type suite struct {
	name      string
	profile   srtp.ProtectionProfile
	key, salt int
}

// suites are those of SDES (RFC 4568, RFC 7714) that we speak, best first.
var suites = []suite{
	{"AEAD_AES_256_GCM", srtp.ProtectionProfileAeadAes256Gcm, 32, 12},
	{"AEAD_AES_128_GCM", srtp.ProtectionProfileAeadAes128Gcm, 16, 12},
	{"AES_256_CM_HMAC_SHA1_80", srtp.ProtectionProfileAes256CmHmacSha1_80, 32, 14},
	{"AES_CM_128_HMAC_SHA1_80", srtp.ProtectionProfileAes128CmHmacSha1_80, 16, 14},
	{"AES_256_CM_HMAC_SHA1_32", srtp.ProtectionProfileAes256CmHmacSha1_32, 32, 14},
	{"AES_CM_128_HMAC_SHA1_32", srtp.ProtectionProfileAes128CmHmacSha1_32, 16, 14},
}

// Suites are the names of the suites that Secure knows, best first.
func Suites() []string {
	var names []string
	for _, s := range suites {
		names = append(names, s.name)
	}
	return names
}

// KeyLen is the length of a suite's master key and salt together, 0 for one that
// Secure does not know.
func KeyLen(name string) int {
	for _, s := range suites {
		if s.name == name {
			return s.key + s.salt
		}
	}
	return 0
}

// Keys are what SRTP needs of a negotiation: the suite, and for each direction
// master key and salt in one.
type Keys struct {
	Suite         string
	Local, Remote []byte
}

// opener decrypts what comes in. The readers of RTP and of RTCP have one each.
type opener struct {
	context *srtp.Context
	header  pion.Header
	sources int // that were heard; the context remembers each as long as it lives
}

// maxSources bounds the sources of one key: a far end that makes up a new one for every
// packet must not fill the memory.
const maxSources = 256

// sealer encrypts what goes out; Session.send guards it.
type sealer struct {
	context *srtp.Context
	header  pion.Header
	buf     []byte
}

// state makes that of one direction.
func state(name string, key []byte, options ...srtp.ContextOption) (*srtp.Context, error) {
	at := slices.IndexFunc(suites, func(s suite) bool { return s.name == name })
	if at < 0 {
		return nil, fmt.Errorf("rtp: unknown suite %q", name)
	}
	s := suites[at]
	if len(key) != s.key+s.salt {
		return nil, fmt.Errorf("rtp: %s wants %d bytes of key and salt, not %d", name, s.key+s.salt, len(key))
	}
	return srtp.CreateContext(key[:s.key], key[s.key:], s.profile, options...)
}

// Secure encrypts the session from the next packet on (RFC 3711), or changes the
// keys, when the far end does; what is the same as before goes on without a break.
// Plain packets are dropped from then on: there is no way back.
func (s *Session) Secure(k Keys) error {
	s.securing.Lock()
	defer s.securing.Unlock()
	if old := s.keys; old.Suite != k.Suite || !bytes.Equal(old.Remote, k.Remote) {
		var made [2]*opener
		for i := range made {
			c, err := state(k.Suite, k.Remote, srtp.SRTPReplayProtection(replayWindow), srtp.SRTCPReplayProtection(replayWindow))
			if err != nil {
				return err
			}
			made[i] = &opener{context: c}
		}
		s.opens.Store(made[0])
		s.opensRTCP.Store(made[1])
	}
	if old := s.keys; old.Suite != k.Suite || !bytes.Equal(old.Local, k.Local) {
		c, err := state(k.Suite, k.Local)
		if err != nil {
			return err
		}
		s.send.Lock()
		s.seal = &sealer{context: c, buf: make([]byte, 0, maxDatagram)}
		s.send.Unlock()
	}
	s.keys = k
	return nil
}

// rtp encrypts a packet into a buffer of its own.
func (s *sealer) rtp(b []byte) ([]byte, error) {
	return s.context.EncryptRTP(s.buf[:cap(s.buf)], b, &s.header)
}

// rtcp encrypts a report.
func (s *sealer) rtcp(b []byte) ([]byte, error) { return s.context.EncryptRTCP(nil, b, nil) }

// rtp decrypts a packet in its place; nil if it is not the far end's, or was here
// before.
func (o *opener) rtp(b []byte) []byte {
	if len(b) < headerLen {
		return nil
	}
	_, known := o.context.ROC(binary.BigEndian.Uint32(b[8:]))
	if !known && o.sources >= maxSources {
		return nil
	}
	plain, err := o.context.DecryptRTP(b, b, &o.header)
	if err != nil {
		return nil
	}
	if !known {
		o.sources++
	}
	return plain
}

// rtcp decrypts a report.
func (o *opener) rtcp(b []byte) []byte {
	if len(b) < rtcpHeaderLen {
		return nil
	}
	_, known := o.context.Index(binary.BigEndian.Uint32(b[4:]))
	if !known && o.sources >= maxSources {
		return nil
	}
	plain, err := o.context.DecryptRTCP(nil, b, nil)
	if err != nil {
		return nil
	}
	if !known {
		o.sources++
	}
	return plain
}

// rtcpHeaderLen is what of a report stays readable (RFC 3711 §3.4).
const rtcpHeaderLen = 8
