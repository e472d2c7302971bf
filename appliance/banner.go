package appliance

import (
	"fmt"
	"io"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"rsc.io/qr"

	"github.com/switchlet/switchlet/conf"
)

// banner tells a newcomer what to open, whom to sign in as and what to dial.
func (b *Box) banner(w io.Writer) {
	g := b.store.Globals()
	row := func(name, text string) { fmt.Fprintf(w, "  %-13s %s\n", name, text) }
	fmt.Fprintf(w, "\nSwitchlet is ready.\n\n")
	for _, a := range b.addresses() {
		row(a[0], a[1])
	}
	if b.Options.Conf == "" {
		if b.Fresh {
			row("sign in as", "1000 (to 1019), password "+g.Get("default_password"))
			row("", "event socket password "+g.Get("event_socket_password"))
			row("", "(shown once; \"switchlet secret\" prints them again)")
		} else {
			row("sign in as", "1000 (to 1019); \"switchlet secret\" prints the password")
		}
		row("dial", "9196 echo, 5000 demo, 9664 music, 3000 conference, 1000-1019 each other")
	}
	row("data", b.data.dir)
	fmt.Fprintln(w)
	if b.Fresh || attached(w) {
		b.pageCode(w)
	}
}

// forgetSecrets removes secrets that were made and shown to nobody, because the box
// did not start, or was not meant to: the next start makes others, and shows them.
func (b *Box) forgetSecrets() {
	if b.Fresh {
		_ = os.Remove(b.data.secretsFile()) // else "switchlet secret" prints them
	}
}

// pageCode draws the address of the page as a QR code, for the camera of a phone
// that shall call by it.
func (b *Box) pageCode(w io.Writer) {
	port := b.port("https_port", 8443)
	ip, err := netip.ParseAddr(firstOf(b.outerAddress(), b.store.Globals().Get("local_ip_v4")))
	if port == 0 || err != nil || ip.IsLoopback() {
		return // no other machine can open it
	}
	url := "https://" + joinHostPort(ip.String(), port) + "/"
	code, err := qr.Encode(url, qr.L)
	if err != nil {
		return // an address is never too long
	}
	fmt.Fprintf(w, "%s  %s\n\n", drawCode(code, attached(w)), url)
}

// quiet is the light margin of a code, in modules. Four are asked for, two do.
const quiet = 2

// drawCode draws two rows of modules a line. Light is drawn, dark left out, as
// terminals are dark; with colours it is right on light ones too.
func drawCode(code *qr.Code, colours bool) string {
	var out strings.Builder
	light := func(x, y int) bool {
		return x < code.Size+quiet && y < code.Size+quiet && !code.Black(x, y) // outside the code nothing is black
	}
	for y := -quiet; y < code.Size+quiet; y += 2 {
		out.WriteString("  ")
		if colours {
			out.WriteString("\x1b[40;97m")
		}
		for x := -quiet; x < code.Size+quiet; x++ {
			switch up, down := light(x, y), light(x, y+1); {
			case up && down:
				out.WriteRune('█')
			case up:
				out.WriteRune('▀')
			case down:
				out.WriteRune('▄')
			default:
				out.WriteByte(' ')
			}
		}
		if colours {
			out.WriteString("\x1b[0m")
		}
		out.WriteByte('\n')
	}
	return out.String()
}

// addresses are what the box listens on, for people.
func (b *Box) addresses() [][2]string {
	g, tree := b.store.Globals(), b.store.Tree()
	ip := g.Get("local_ip_v4")
	var out [][2]string
	if port := b.port("http_port", 8080); port != 0 {
		out = append(out, [2]string{"open", "http://localhost:" + strconv.Itoa(port) + "/ on this machine"})
	}
	out = append(out, b.secureAddresses(ip)...)
	for _, n := range tree.Configuration("sofia.conf").Child("profiles").ChildrenNamed("profile") {
		p := conf.Params(n.Child("settings"))
		out = append(out, [2]string{"SIP " + n.Attr("name"), "sip:" + joinHostPort(firstOf(p.Get("sip-ip"), ip), p.Int("sip-port", 5060)) + " (UDP and TCP)"})
	}
	p := conf.Params(tree.Configuration("event_socket.conf").Child("settings"))
	out = append(out, [2]string{"event socket", joinHostPort(firstOf(p.Get("listen-ip"), "127.0.0.1"), p.Int("listen-port", 8021))})
	return out
}

// outerAddress is where others reach the box from outside, if whoever started it said so:
// the IP address in external_sip_ip or external_rtp_ip. What a configuration finds out by
// itself (STUN) is not meant: that the page's port is open there is not known.
func (b *Box) outerAddress() string {
	for _, name := range []string{"external_sip_ip", "external_rtp_ip"} {
		for _, set := range b.Options.Sets {
			if _, err := netip.ParseAddr(set.Value); set.Name == name && err == nil && set.Value != b.store.Globals().Get("local_ip_v4") {
				return set.Value
			}
		}
	}
	return ""
}

// secureAddresses are those of https, with what to expect of the certificate.
func (b *Box) secureAddresses(ip string) [][2]string {
	port := b.port("https_port", 8443)
	if port == 0 {
		return nil
	}
	d, err := b.certificates.describe("")
	if err != nil {
		return nil
	}
	where, note := "https://"+joinHostPort(ip, port)+"/ from others", ""
	if d.SelfSigned {
		note = " (its certificate is self-signed)"
	}
	out := [][2]string{{"", where + note}}
	if outer := b.outerAddress(); outer != "" {
		out = append(out, [2]string{"", "https://" + joinHostPort(outer, port) + "/ from outside"})
	}
	if acme := b.certificates.acme; acme != nil {
		for _, name := range acme.Names() {
			out = append(out, [2]string{"", "https://" + joinHostPort(name, port) + "/ once its certificate is issued"})
		}
	}
	return append(out, [2]string{"certificate", "SHA-256 " + d.Fingerprint})
}
