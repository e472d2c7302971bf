package sip

import (
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"

	wire "github.com/emiago/sipgo/sip"
)

// maxURI bounds the URIs that are read from dial strings, headers and tables.
const maxURI = 4096

// errURI is returned for a text that is no SIP URI.
var errURI = errors.New("no SIP URI")

// parseURI reads a sip: or sips: URI.
func parseURI(s string) (wire.Uri, error) {
	var u wire.Uri
	if len(s) > maxURI || strings.ContainsAny(s, "\r\n\x00") {
		return u, errURI
	}
	if err := wire.ParseUri(strings.TrimSpace(s), &u); err != nil {
		return u, err
	}
	if (u.Scheme != "sip" && u.Scheme != "sips") || u.Host == "" || u.Port < 0 || u.Port > 65535 {
		return u, errURI
	}
	return u, nil
}

// nameAddr is a header value such as "Bob" <sip:bob@host;x=y>;tag=1.
type nameAddr struct {
	display string
	uri     wire.Uri
	params  wire.HeaderParams
}

// parseNameAddr reads a From, Contact, Remote-Party-ID or Refer-To value.
func parseNameAddr(s string) (nameAddr, error) {
	var a nameAddr
	if len(s) > maxURI {
		return a, errURI
	}
	var err error
	a.display, err = wire.ParseAddressValue(strings.TrimSpace(s), &a.uri, &a.params)
	if err == nil && a.uri.Host == "" && a.uri.Raw() == "" {
		err = errURI
	}
	return a, err
}

// unescape decodes %XX; what is no escape stays as it is.
func unescape(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				out = append(out, byte(n))
				i += 2
				continue
			}
		}
		out = append(out, s[i])
	}
	return string(out)
}

// unreserved are the characters that escape leaves alone, beside letters and
// digits.
const unreserved = "-_.!~*'()"

// escape encodes what may not stand in the value of a URI parameter.
func escape(s string) string {
	const hex = "0123456789ABCDEF"
	out := make([]byte, 0, len(s)+16)
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || strings.IndexByte(unreserved, c) >= 0 {
			out = append(out, c)
			continue
		}
		out = append(out, '%', hex[c>>4], hex[c&15])
	}
	return string(out)
}

// escapeUser encodes a user part; what users commonly dial stays readable.
func escapeUser(s string) string {
	const allowed = unreserved + "&=+$,;?/%#"
	clean := true
	for i := 0; i < len(s) && clean; i++ {
		c := s[i]
		clean = c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || strings.IndexByte(allowed, c) >= 0
	}
	if clean {
		return strings.ReplaceAll(s, "#", "%23")
	}
	return escape(s)
}

// display makes a display name safe to stand between quotes.
func display(s string) string {
	if !strings.ContainsAny(s, "\"\\\r\n\x00") {
		return s
	}
	var b strings.Builder
	for _, c := range s {
		switch c {
		case '\r', '\n', 0:
		case '"', '\\':
			b.WriteByte('\\')
			b.WriteRune(c)
		default:
			b.WriteRune(c)
		}
	}
	return b.String()
}

// clean removes what would end a header line.
func clean(s string) string {
	if !strings.ContainsAny(s, "\r\n\x00") {
		return s
	}
	return strings.NewReplacer("\r", "", "\n", "", "\x00", "").Replace(s)
}

// quoted writes "NAME" in front of an address, nothing for an empty name.
func quoted(name string) string {
	if name == "" {
		return ""
	}
	return `"` + display(name) + `" `
}

// hostPort writes host[:port].
func hostPort(host string, port int) string {
	if port == 0 {
		return host
	}
	return host + ":" + strconv.Itoa(port)
}

// uriAddress is user@host[:port] as the …_uri variables have it.
func uriAddress(u *wire.Uri) string {
	user := u.User
	if user == "" {
		user = "nobody"
	}
	host := u.Host
	if host == "" {
		host = "nowhere"
	}
	return unescape(user) + "@" + hostPort(host, u.Port)
}

// uriTransport is the transport that a URI asks for: udp, tcp, tls, ws or wss.
func uriTransport(u *wire.Uri) string {
	t := strings.ToLower(param(u.UriParams, "transport"))
	if u.Scheme == "sips" && (t == "" || t == "tcp") {
		return "tls"
	}
	if t == "" {
		return "udp"
	}
	return t
}

// param finds a parameter by name in any case.
func param(p wire.HeaderParams, name string) string {
	v, _ := lookupParam(p, name)
	return v
}

func lookupParam(p wire.HeaderParams, name string) (string, bool) {
	for _, kv := range p {
		if strings.EqualFold(kv.K, name) {
			return strings.Trim(kv.V, `"`), true
		}
	}
	return "", false
}

// addrOf is the address of "host:port", the zero value for a name.
func addrOf(s string) netip.Addr {
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap()
	}
	host := s
	if h, _, err := net.SplitHostPort(s); err == nil {
		host = h
	}
	a, _ := netip.ParseAddr(strings.Trim(host, "[]"))
	return a.Unmap()
}

// uriDestination is host:port where a request to u goes.
func uriDestination(u *wire.Uri) string {
	port := u.Port
	if port == 0 {
		port = 5060
		if uriTransport(u) == "tls" {
			port = 5061
		}
	}
	host := strings.Trim(u.Host, "[]")
	if m := param(u.UriParams, "maddr"); m != "" {
		host = m
	}
	return net.JoinHostPort(host, strconv.Itoa(port))
}
