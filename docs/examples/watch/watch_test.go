package main

import (
	"bufio"
	"net/netip"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/switchlet/switchlet/test/box"
	"github.com/switchlet/switchlet/test/phone"
)

const (
	callerTone = 440
	farTone    = 1004 // extension 9197

	// patience bounds every wait.
	patience = 30 * time.Second
)

// programs are the command lines of the two examples, which do the same.
func programs(t *testing.T) map[string][]string {
	t.Helper()
	list := map[string][]string{}
	built := filepath.Join(t.TempDir(), "watch")
	if out, err := exec.Command("go", "build", "-o", built, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	list["Go"] = []string{built}
	if python, err := exec.LookPath("python3"); err == nil {
		list["Python"] = []string{python, "../watch.py"}
	} else {
		t.Log("the example in Python is left out: there is no python3")
	}
	return list
}

func TestExamples_LogACallAndTakeItOver(t *testing.T) {
	for name, command := range programs(t) {
		t.Run(name, func(t *testing.T) {
			b := box.Start(t, box.Setup{})
			dash := map[string]string{"Go": "-", "Python": "--"}[name]
			cmd := exec.CommandContext(t.Context(), command[0], append(command[1:], dash+"addr", b.Addr(box.EventSocket), dash+"password", b.Secrets.EventSocketPassword, dash+"to", "9197")...)
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
			lines := make(chan string, 100)
			go func() {
				defer close(lines)
				for scan := bufio.NewScanner(out); scan.Scan(); {
					lines <- scan.Text()
				}
			}()
			said := func(part string) {
				t.Helper()
				for limit := time.After(patience); ; {
					select {
					case line, ok := <-lines:
						if !ok {
							t.Fatalf("it ended before it said %q", part)
						}
						if strings.Contains(line, part) {
							return
						}
					case <-limit:
						t.Fatalf("it did not say %q", part)
					}
				}
			}
			said("watching")
			p, err := phone.New(phone.Options{User: "1000", Password: b.Password, Domain: "127.0.0.1", Server: netip.MustParseAddrPort(b.Addr(box.SIP))})
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			call, err := p.Call("9196")
			if err != nil {
				t.Fatal(err)
			}
			hears := func(freq float64) {
				t.Helper()
				box.Eventually(t, patience, "the tone", func() bool {
					call.Forget()
					h, err := call.Listen(freq, 200*time.Millisecond)
					return err == nil && h.Level > 0.05
				})
			}
			call.Say(callerTone, 0.3)
			said("1000 to 9196 begins")
			said("1000 to 9196 is answered")
			hears(callerTone)
			call.Say(0, 0)
			call.Press("*")
			said("1000 to 9196 pressed *")
			said("taken over to 9197 +OK")
			hears(farTone)
			if err := call.Hangup(); err != nil {
				t.Error(err)
			}
			said("ended: NORMAL_CLEARING after ")
		})
	}
}
