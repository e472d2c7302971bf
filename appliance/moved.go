package appliance

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"slices"
	"strconv"

	"github.com/switchlet/switchlet/conf"
)

// literalPorts are the ports of a tree that --port-offset does not reach through
// global variables, because numbers are written where variables could be.
type literalPorts struct {
	params []conf.Param    // with the offset added
	binds  map[string]bool // bind-local of verto.conf: addresses to be moved when they are opened
}

// findLiteralPorts reads the tree twice, with different values of the variables:
// a port that is the same both times is written as a number, and is moved by n.
func findLiteralPorts(ctx context.Context, o conf.Options, n int) (literalPorts, error) {
	o.StunLookup = nil
	probe := func(offset int) (*conf.Tree, error) {
		o := o
		o.Sets = slices.Concat(o.Sets, offsetPorts(offset))
		return conf.Load(ctx, o)
	}
	before, err := probe(1)
	if err != nil {
		return literalPorts{}, err
	}
	after, err := probe(2)
	if err != nil {
		return literalPorts{}, err
	}
	out := literalPorts{binds: map[string]bool{}}
	param := func(file string, path []string, a, b *conf.Node, name string, otherwise int) {
		was, is := conf.Params(a).Get(name), conf.Params(b).Get(name)
		if was != is || was == "" && otherwise == 0 {
			return
		}
		port := otherwise
		if was != "" {
			var err error
			if port, err = strconv.Atoi(was); err != nil || port == 0 {
				return // auto
			}
		}
		out.params = append(out.params, conf.Param{File: file, Path: path, Name: name, Value: strconv.Itoa(port + n)})
	}
	a, b := before.Configuration("event_socket.conf"), after.Configuration("event_socket.conf")
	if a != nil && b != nil {
		param("event_socket.conf", nil, a, b, "listen-port", 8021)
	}
	phones := after.Configuration("sofia.conf").Child("profiles")
	for _, p := range before.Configuration("sofia.conf").Child("profiles").ChildrenNamed("profile") {
		if q := phones.Find("profile", "name", p.Attr("name")); q != nil {
			param("sofia.conf", []string{p.Attr("name")}, p, q, "sip-port", 5060)
			param("sofia.conf", []string{p.Attr("name")}, p, q, "tls-sip-port", 5061)
		}
	}
	browsers := after.Configuration("verto.conf").Child("profiles")
	for _, p := range before.Configuration("verto.conf").Child("profiles").ChildrenNamed("profile") {
		q := browsers.Find("profile", "name", p.Attr("name"))
		if q == nil {
			continue
		}
		was, is := conf.Params(p).All("bind-local"), conf.Params(q).All("bind-local")
		for i := range min(len(was), len(is)) {
			if a, err := netip.ParseAddrPort(is[i]); was[i] == is[i] && err == nil {
				out.binds[a.String()] = true
			}
		}
	}
	return out, nil
}

// addresses are what other commands of the program need to find a running box;
// they stand in DATA/run/switchlet.json, for its owner alone, while it runs.
type addresses struct {
	PID         int    `json:"pid"`
	HTTP        int    `json:"http_port,omitempty"`
	EventSocket string `json:"event_socket"` // host
	Port        int    `json:"event_socket_port"`
	Password    string `json:"event_socket_password"`
}

func (d data) addressFile() string { return d.path("run", "switchlet.json") }

// writeAddresses tells the other commands where this box listens.
func (b *Box) writeAddresses() error {
	p := conf.Params(b.store.Tree().Configuration("event_socket.conf"))
	a := addresses{PID: os.Getpid(), HTTP: b.port("http_port", 8080), EventSocket: firstOf(p.Get("listen-ip"), "127.0.0.1"), Port: p.Int("listen-port", 8021),
		Password: firstOf(p.Get("password"), "ClueCon")}
	if ip, err := netip.ParseAddr(a.EventSocket); err == nil && ip.IsUnspecified() {
		a.EventSocket = "127.0.0.1"
	}
	text, err := json.MarshalIndent(a, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(b.data.addressFile(), append(text, '\n'), 0o600)
}

// removeAddresses takes back what writeAddresses told.
func (b *Box) removeAddresses() error {
	if err := os.Remove(b.data.addressFile()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// runningAddresses are those of the box that runs in a data directory.
func (d data) runningAddresses() (a addresses, ok bool) {
	text, err := os.ReadFile(d.addressFile())
	if err != nil {
		return a, false
	}
	return a, json.Unmarshal(text, &a) == nil
}
