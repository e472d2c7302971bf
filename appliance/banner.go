package appliance

import (
	"fmt"
	"io"

	"github.com/switchlet/switchlet/conf"
)

// banner tells a newcomer what to open, whom to sign in as and what to dial.
func (b *Box) banner(w io.Writer) {
	g := b.store.Globals()
	fmt.Fprintf(w, "\nSwitchlet is ready.\n\n")
	for _, l := range b.addresses() {
		fmt.Fprintf(w, "  %-14s %s\n", l[0], l[1])
	}
	if b.Fresh && b.Options.Conf == "" {
		fmt.Fprintf(w, "  %-14s 1000 to 1019, password %s\n", "users", b.Secrets.DefaultPassword)
		fmt.Fprintf(w, "  %-14s %s\n", "event socket", "password "+b.Secrets.EventSocketPassword)
		fmt.Fprintf(w, "  %-14s %s\n", "", "(these secrets are shown once; \"switchlet secret\" prints them again)")
	} else if b.Options.Conf == "" {
		fmt.Fprintf(w, "  %-14s 1000 to 1019 (\"switchlet secret\" prints the password)\n", "users")
	}
	if b.Options.Conf == "" {
		fmt.Fprintf(w, "  %-14s 9196 echo, 5000 demo, 9664 hold music, 1000-1019 each other\n", "dial")
	}
	fmt.Fprintf(w, "  %-14s %s (domain %s)\n\n", "data", b.data.dir, g.Get("domain"))
}

// addresses are what the box listens on, by name.
func (b *Box) addresses() [][2]string {
	g := b.store.Globals()
	ip := g.Get("local_ip_v4")
	var out [][2]string
	if port := g.Get("internal_sip_port"); port != "" {
		out = append(out, [2]string{"phones", "sip:" + ip + ":" + port + " (UDP and TCP)"})
	}
	p := conf.Params(b.store.Tree().Configuration("event_socket.conf").Child("settings"))
	out = append(out, [2]string{"event socket", joinHostPort(firstOf(p.Get("listen-ip"), "127.0.0.1"), p.Int("listen-port", 8021))})
	return out
}
