package sip

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// nonceGrace is how much longer than its time to live a nonce is accepted.
const nonceGrace = 32 * time.Second

// maxNonces bounds the nonces whose count is remembered. They are those that
// were used with a right password, so a stranger cannot fill the table.
const maxNonces = 100000

// challenges issues nonces and remembers how far their counts went. A nonce
// looks like a UUID; it carries its time and our signature, so that issuing one
// stores nothing.
type challenges struct {
	ttl    time.Duration
	key    [32]byte
	serial atomic.Uint32

	mu    sync.Mutex
	used  map[string]usedNonce
	swept time.Time
}

type usedNonce struct {
	count   uint32
	expires time.Time
}

func newChallenges(ttl time.Duration) *challenges {
	c := &challenges{ttl: ttl, used: make(map[string]usedNonce)}
	rand.Read(c.key[:])
	return c
}

// issue returns a nonce that is good from now.
func (c *challenges) issue(now time.Time) string {
	var b [16]byte
	binary.BigEndian.PutUint32(b[:4], uint32(now.Unix()))
	binary.BigEndian.PutUint16(b[4:6], uint16(c.serial.Add(1)))
	c.sign(&b)
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// sign fills the rest of a nonce from its first six bytes.
func (c *challenges) sign(b *[16]byte) {
	m := hmac.New(sha256.New, c.key[:])
	m.Write(b[:6])
	sum := m.Sum(nil)
	copy(b[6:], sum)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
}

// errStale means that the nonce is unknown, too old, or its count was used.
var errStale = errors.New("stale nonce")

// issued returns when a nonce of ours was made.
func (c *challenges) issued(nonce string) (time.Time, error) {
	var b, want [16]byte
	raw := strings.ReplaceAll(nonce, "-", "")
	if len(nonce) != 36 || len(raw) != 32 {
		return time.Time{}, errStale
	}
	if _, err := hex.Decode(b[:], []byte(raw)); err != nil {
		return time.Time{}, errStale
	}
	copy(want[:6], b[:6])
	c.sign(&want)
	if subtle.ConstantTimeCompare(b[:], want[:]) != 1 {
		return time.Time{}, errStale
	}
	return time.Unix(int64(binary.BigEndian.Uint32(b[:4])), 0), nil
}

// check reports errStale for a nonce that may not be used with this count.
func (c *challenges) check(nonce string, count uint32, now time.Time) error {
	at, err := c.issued(nonce)
	if err != nil {
		return err
	}
	if now.Sub(at) > c.ttl+nonceGrace {
		return errStale
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if u, ok := c.used[nonce]; ok && count <= u.count {
		return errStale
	}
	return nil
}

// spend records the count of a nonce that authenticated somebody. It reports errStale
// if somebody else was faster.
func (c *challenges) spend(nonce string, count uint32, now time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if u, ok := c.used[nonce]; ok && count <= u.count {
		return errStale
	}
	if len(c.used) >= maxNonces || now.Sub(c.swept) > c.ttl {
		c.swept = now
		for n, u := range c.used {
			if now.After(u.expires) {
				delete(c.used, n)
			}
		}
	}
	if len(c.used) < maxNonces {
		c.used[nonce] = usedNonce{count, now.Add(c.ttl + nonceGrace)}
	}
	return nil
}

// credentials are the parameters of an Authorization header.
type credentials struct {
	username, realm, nonce, uri, response string
	algorithm, cnonce, nc, qop            string
}

// maxCredentials bounds an Authorization value, in bytes.
const maxCredentials = 4096

// parseCredentials reads an Authorization or Proxy-Authorization value. ok is
// false for another scheme than Digest and for what is too long.
func parseCredentials(value string) (c credentials, ok bool) {
	scheme, rest, found := strings.Cut(strings.TrimSpace(value), " ")
	if !found || !strings.EqualFold(scheme, "Digest") || len(value) > maxCredentials {
		return c, false
	}
	for name, v := range digestParams(rest) {
		switch strings.ToLower(name) {
		case "username":
			c.username = v
		case "realm":
			c.realm = v
		case "nonce":
			c.nonce = v
		case "uri":
			c.uri = v
		case "response":
			c.response = v
		case "algorithm":
			c.algorithm = v
		case "cnonce":
			c.cnonce = v
		case "nc":
			c.nc = v
		case "qop":
			c.qop = v
		}
	}
	return c, true
}

// digestParams yields the name=value pairs of a challenge or credentials.
func digestParams(s string) func(yield func(name, value string) bool) {
	return func(yield func(name, value string) bool) {
		for {
			s = strings.TrimLeft(s, " \t,")
			eq := strings.IndexByte(s, '=')
			if eq < 0 {
				return
			}
			name := strings.TrimSpace(s[:eq])
			s = strings.TrimLeft(s[eq+1:], " \t")
			var value string
			if strings.HasPrefix(s, `"`) {
				value, s = quotedString(s)
			} else {
				end := strings.IndexByte(s, ',')
				if end < 0 {
					end = len(s)
				}
				value, s = strings.TrimSpace(s[:end]), s[end:]
			}
			if !yield(name, value) {
				return
			}
		}
	}
}

// quotedString takes a quoted string off the front of s.
func quotedString(s string) (value, rest string) {
	var b []byte
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			if i+1 < len(s) {
				i++
				b = append(b, s[i])
			}
		case '"':
			return string(b), s[i+1:]
		default:
			b = append(b, s[i])
		}
	}
	return string(b), ""
}

// complete reports whether what a check needs is there.
func (c *credentials) complete() bool {
	return c.username != "" && c.realm != "" && c.nonce != "" && c.uri != "" && c.response != ""
}

// count is the nonce count, 1 without one.
func (c *credentials) count() uint32 {
	n, err := strconv.ParseUint(c.nc, 16, 32)
	if err != nil || n == 0 {
		return 1
	}
	return uint32(n)
}

// hashes are the algorithms that a challenge can name.
func hashes(algorithm string) func() hash.Hash {
	switch strings.ToUpper(algorithm) {
	case "SHA-256":
		return sha256.New
	case "SHA-512-256":
		return sha512.New512_256
	}
	return md5.New
}

func sum(h func() hash.Hash, parts ...string) string {
	d := h()
	for i, p := range parts {
		if i > 0 {
			d.Write([]byte{':'})
		}
		d.Write([]byte(p))
	}
	var buf [64]byte
	return hex.EncodeToString(d.Sum(buf[:0]))
}

// expected is the response that the credentials should have, for HA1 in
// hexadecimal.
func (c *credentials) expected(method, ha1 string, h func() hash.Hash) string {
	ha2 := sum(h, method, c.uri)
	if c.nc != "" && c.cnonce != "" && c.qop != "" {
		return sum(h, ha1, c.nonce, c.nc, c.cnonce, c.qop, ha2)
	}
	return sum(h, ha1, c.nonce, ha2)
}

// challenge is the text of a WWW- or Proxy-Authenticate header.
func challenge(realm, nonce, algorithm string, stale bool) string {
	s := ""
	if stale {
		s = "stale=true, "
	}
	return `Digest realm="` + display(realm) + `", nonce="` + nonce + `", ` + s + `algorithm=` + algorithm + `, qop="auth"`
}
