package phone

import (
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/pion/srtp/v3"

	"github.com/switchlet/switchlet/media/sdp"
)

// profiles are the suites that a phone knows, with the length of their keys and
// salts.
var profiles = map[string]struct {
	profile   srtp.ProtectionProfile
	key, salt int
}{
	"AES_CM_128_HMAC_SHA1_80": {srtp.ProtectionProfileAes128CmHmacSha1_80, 16, 14},
	"AEAD_AES_128_GCM":        {srtp.ProtectionProfileAeadAes128Gcm, 16, 12},
}

var errPlain = errors.New("phone: the other side wants plain RTP")

// sealed is the SRTP of a call.
type sealed struct {
	own []byte // key and salt
	in  *srtp.Context
	out *srtp.Context
}

// line is our a=crypto with a tag; s.mu is held.
func (s *Sound) line(tag int) []sdp.Crypto {
	suite := s.phone.Crypto
	if suite == "" {
		return nil
	}
	if s.sealed.own == nil {
		p := profiles[suite]
		s.sealed.own = make([]byte, p.key+p.salt)
		rand.Read(s.sealed.own)
	}
	return []sdp.Crypto{{Tag: tag, Suite: suite, Key: s.sealed.own}}
}

// unlock takes the other side's key and returns the tag of its line; s.mu is held.
func (s *Sound) unlock(lines []sdp.Crypto) (int, error) {
	suite := s.phone.Crypto
	if suite == "" {
		return 0, nil
	}
	p := profiles[suite]
	for _, c := range lines {
		if c.Suite != suite || len(c.Key) != p.key+p.salt {
			continue
		}
		s.line(c.Tag)
		if s.sealed.in != nil {
			return c.Tag, nil // the keys of a call do not change here
		}
		var err1, err2 error
		s.sealed.in, err1 = srtp.CreateContext(c.Key[:p.key], c.Key[p.key:], p.profile)
		s.sealed.out, err2 = srtp.CreateContext(s.sealed.own[:p.key], s.sealed.own[p.key:], p.profile)
		return c.Tag, errors.Join(err1, err2)
	}
	return 0, fmt.Errorf("%w: no line of %s", errPlain, suite)
}
