package sdp

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Crypto is one a=crypto line (RFC 4568).
type Crypto struct {
	Tag   int
	Suite string // "AES_CM_128_HMAC_SHA1_80"
	Key   []byte // master key and salt
	// Lifetime and MKI are as written, "" if absent; SessionParams is the rest of the line.
	Lifetime      string
	MKI           string
	SessionParams string
}

// maxKey bounds the decoded key; the longest suite has 46 bytes.
const maxKey = 64

// ParseCrypto reads the value of an a=crypto line.
func ParseCrypto(value string) (Crypto, error) {
	f := strings.Fields(value)
	if len(f) < 3 {
		return Crypto{}, errors.New("sdp: crypto: expected tag, suite and key")
	}
	tag, err := strconv.Atoi(f[0])
	if err != nil || tag < 0 || tag > 999999999 {
		return Crypto{}, fmt.Errorf("sdp: crypto: %q is not a tag", clip(f[0]))
	}
	key, ok := strings.CutPrefix(f[2], "inline:")
	if !ok {
		return Crypto{}, fmt.Errorf("sdp: crypto: expected inline:KEY, not %q", clip(f[2]))
	}
	c := Crypto{Tag: tag, Suite: f[1], SessionParams: strings.Join(f[3:], " ")}
	key, _, _ = strings.Cut(key, ";") // only the first of several keys
	parts := strings.Split(key, "|")
	for _, p := range parts[1:] {
		if strings.Contains(p, ":") {
			c.MKI = p
		} else {
			c.Lifetime = p
		}
	}
	if len(parts[0]) > maxKey*2 {
		return Crypto{}, errors.New("sdp: crypto: key too long")
	}
	if c.Key, err = base64.RawStdEncoding.DecodeString(strings.TrimRight(parts[0], "=")); err != nil {
		return Crypto{}, errors.New("sdp: crypto: key is not base64")
	}
	return c, nil
}

// String is the value of the a=crypto line.
func (c Crypto) String() string {
	s := fmt.Sprintf("%d %s inline:%s", c.Tag, c.Suite, base64.StdEncoding.EncodeToString(c.Key))
	if c.Lifetime != "" {
		s += "|" + c.Lifetime
	}
	if c.MKI != "" {
		s += "|" + c.MKI
	}
	if c.SessionParams != "" {
		s += " " + c.SessionParams
	}
	return s
}

// Crypto returns the valid a=crypto lines of m in their order.
func (m *Media) Crypto() []Crypto {
	var list []Crypto
	for _, a := range m.Attributes {
		if !strings.EqualFold(a.Name, "crypto") {
			continue
		}
		if c, err := ParseCrypto(a.Value); err == nil {
			list = append(list, c)
		}
	}
	return list
}

// Secure reports whether the m-line's protocol is encrypted (SAVP, SAVPF).
func (m *Media) Secure() bool { return strings.Contains(strings.ToUpper(m.Proto), "SAVP") }
