//go:build e2e

package e2e

import (
	"bufio"
	"context"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/switchlet/switchlet/test/box"
	"github.com/switchlet/switchlet/test/phone"
)

func TestSwitchPage_ShowsCallsHistoryLogEventsAndFailures(t *testing.T) {
	b := box.Start(t, box.Setup{Scripts: map[string]string{"broken.lua": "error('this script is broken')\n"}})
	c := b.ESL(t)
	b.API(t, c, "lua broken.lua")
	p, err := phone.New(phone.Options{User: "1000", Password: b.Password, Domain: "127.0.0.1", Server: netip.MustParseAddrPort(b.Addr(box.SIP))})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	call, err := p.Call("9664")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", "switch.mjs", "--url", "http://"+b.Addr(box.HTTP)+"/", "--password", b.Secrets.EventSocketPassword,
		"--destination", "9664", "--failure", "this script is broken")
	var out strings.Builder
	cmd.Stdout = &out
	told, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for said := bufio.NewScanner(told); said.Scan(); {
		if said.Text() != "ready" {
			t.Log(said.Text())
			continue
		}
		if err := call.Hangup(); err != nil {
			t.Error(err)
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v: %s", err, out.String())
	}
}
