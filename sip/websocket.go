package sip

import (
	"errors"
	"fmt"
	"net"
)

// errNoWebSocket refuses a profile that asks for what this switch was not given.
var errNoWebSocket = errors.New("SIP over WebSocket is not to be had here; remove the parameter")

// errNoCertificate refuses a secure binding without certificates: it never falls
// back to plain text.
var errNoCertificate = errors.New("there is no certificate")

// listenWeb binds ws-binding and wss-binding, and takes over the web ports if
// they are this profile's.
func (p *Profile) listenWeb() error {
	s := p.settings()
	for i, b := range []struct{ param, address string }{{"ws-binding", s.wsBinding}, {"wss-binding", s.wssBinding}} {
		if b.address == "" {
			continue
		}
		l, err := p.bindWeb(b.address, i == 1)
		if err != nil {
			return fmt.Errorf("sip: profile %s: %s %s: %w", s.name, b.param, b.address, err)
		}
		p.sockets[i] = l
	}
	if p.web {
		p.doors = [2]net.Listener{p.stack.Web(false), p.stack.Web(true)}
	}
	return nil
}

func (p *Profile) bindWeb(address string, secure bool) (net.Listener, error) {
	if p.stack.WebSocket == nil {
		return nil, errNoWebSocket
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("want ADDRESS:PORT or :PORT: %w", err)
	}
	if host == "" {
		host = p.settings().sipIP.String()
	}
	l, err := net.Listen("tcp", net.JoinHostPort(host, port))
	if err != nil {
		return nil, err
	}
	if secure {
		l = p.secured(l, "http/1.1")
	}
	return p.stack.WebSocket(l), nil
}

// serveWeb takes connections of all WebSocket listeners.
func (p *Profile) serveWeb() {
	for _, pair := range [][2]net.Listener{p.sockets, p.doors} {
		for i, l := range pair {
			if l == nil {
				continue
			}
			p.work.Go(func() {
				if i == 0 {
					p.transport.ServeWS(&listener{Listener: l, profile: p, name: "ws"})
				} else {
					p.transport.ServeWSS(&listener{Listener: l, profile: p, name: "wss"})
				}
			})
		}
	}
}
