package event

import "strings"

const upperHex = "0123456789ABCDEF"

// escaped marks the bytes that the event socket's URL encoding writes as %XX
// (spec/esl.md §3.1): controls, everything above '~', and the listed signs.
var escaped = func() (t [256]bool) {
	for c := range t {
		t[c] = c < 0x20 || c > 0x7e || strings.IndexByte(" \"#%&+:;<=>?@[\\]^`{|}", byte(c)) >= 0
	}
	return t
}()

// Encode returns s in the URL encoding of the plain event format. A percent sign
// that two upper-case hexadecimal digits follow is left alone, so what is encoded
// already does not change.
func Encode(s string) string {
	if !needsEncoding(s) {
		return s
	}
	return string(AppendEncode(make([]byte, 0, len(s)+len(s)/2), s))
}

// AppendEncode appends Encode(s) to dst.
func AppendEncode(dst []byte, s string) []byte {
	start := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !escaped[c] || c == '%' && isEncoded(s, i) {
			continue
		}
		dst = append(dst, s[start:i]...)
		dst = append(dst, '%', upperHex[c>>4], upperHex[c&15])
		start = i + 1
	}
	return append(dst, s[start:]...)
}

// Decode replaces every %XX, in either case, by its byte. A plus sign stays and
// so does a percent sign without two digits behind it.
func Decode(s string) string {
	first := strings.IndexByte(s, '%')
	if first < 0 {
		return s
	}
	out := make([]byte, 0, len(s))
	out = append(out, s[:first]...)
	for i := first; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			hi, lo := hexDigit(s[i+1]), hexDigit(s[i+2])
			if hi >= 0 && lo >= 0 {
				out = append(out, byte(hi<<4|lo))
				i += 2
				continue
			}
		}
		out = append(out, s[i])
	}
	return string(out)
}

func needsEncoding(s string) bool {
	for i := 0; i < len(s); i++ {
		if escaped[s[i]] {
			return true
		}
	}
	return false
}

func isEncoded(s string, i int) bool {
	return i+2 < len(s) && strings.IndexByte(upperHex, s[i+1]) >= 0 && strings.IndexByte(upperHex, s[i+2]) >= 0
}

func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	}
	return -1
}
