package call

import "testing"

func TestProfile_WhatFarEndsSayIsTamed(t *testing.T) {
	for in, want := range map[string]string{
		"1000":                 "1000",
		"Jürgen $5 (Büro)":     "Jürgen $5 (Büro)",
		"${hupall()}":          "%{hupall()}",
		"../../etc/x":          ".._.._etc/x",
		"....//x":              "...._/x",
		"a\r\nX: y\x00\x7f\tb": "a  X: y   b",
	} {
		p := Profile{CallerName: in, CallerNumber: in, ANI: in, Destination: in, Username: in}
		p.inert()
		for _, got := range []string{p.CallerName, p.CallerNumber, p.ANI, p.Destination, p.Username} {
			if got != want {
				t.Errorf("%q: %q, want %q", in, got, want)
			}
		}
	}
	p := Profile{Dialplan: "inline", Destination: "set:x=${y}"}
	if p.inert(); p.Destination != "set:x=${y}" {
		t.Errorf("a program became %q", p.Destination)
	}
}
