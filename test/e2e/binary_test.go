//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/switchlet/switchlet/esl"
	"github.com/switchlet/switchlet/test/box"
	"github.com/switchlet/switchlet/test/phone"
)

// binaries are the commands that start the built programs, by processor. Under
// emulation they are judged by what they do, not by how fast.
var binaries = map[string][]string{
	"amd64": {"switchlet-linux-amd64"},
	"arm64": {"qemu-aarch64", "switchlet-linux-arm64"},
	"armv7": {"qemu-arm", "-cpu", "cortex-a7", "switchlet-linux-armv7"},
}

// readyLimit is the longest that a program may take to start under emulation.
const readyLimit = 60 * time.Second

func TestBuiltPrograms_AnswerACall(t *testing.T) {
	for name, command := range binaries {
		t.Run(name, func(t *testing.T) {
			program := filepath.Join("..", "..", "dist", command[len(command)-1])
			if _, err := os.Stat(program); err != nil {
				t.Fatalf("%v; build it with \"just cross\"", err)
			}
			offset := box.FreeOffset(t)
			args := append(command[:len(command)-1:len(command)-1], program, "--data", t.TempDir(),
				"--port-offset", fmt.Sprint(offset), "--set", "local_ip_v4=127.0.0.1", "--set", "domain=127.0.0.1",
				"--set", "default_password=a-secret", "--set", "event_socket_password=a-secret")
			if command[0] != args[0] {
				args[0] = program
			}
			cmd := exec.Command(args[0], args[1:]...)
			var out bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &out
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			stopped := make(chan error, 1)
			go func() { stopped <- cmd.Wait() }()
			t.Cleanup(func() {
				cmd.Process.Signal(syscall.SIGTERM)
				select {
				case err := <-stopped:
					if err != nil {
						t.Errorf("stopping: %v\n%s", err, out.String())
					}
				case <-time.After(readyLimit):
					cmd.Process.Kill()
					t.Errorf("it did not stop within %v\n%s", readyLimit, out.String())
				}
			})
			addr := func(port int) string { return fmt.Sprintf("127.0.0.1:%d", port+offset) }
			ctx, cancel := context.WithTimeout(t.Context(), readyLimit)
			defer cancel()
			var console *esl.Conn
			box.Eventually(t, readyLimit, "the event socket answers", func() bool {
				var err error
				console, err = esl.Dial(ctx, addr(box.EventSocket), "a-secret")
				return err == nil
			})
			defer console.Close()
			p, err := phone.New(phone.Options{User: "1000", Password: "a-secret", Domain: "127.0.0.1",
				Server: netip.MustParseAddrPort(addr(box.SIP))})
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			call, err := p.Call("9196")
			if err != nil {
				t.Fatal(err)
			}
			call.Say(callerTone, 0.3)
			box.Eventually(t, readyLimit, "the echo of our tone", func() bool {
				call.Forget()
				h, err := call.Listen(callerTone, 300*time.Millisecond)
				return err == nil && h.Level > 0.1
			})
			if out, err := console.API(ctx, "show channels count"); err != nil || !strings.Contains(out, "1 total") {
				t.Errorf("show channels count: %q %v", out, err)
			}
			if err := call.Hangup(); err != nil {
				t.Error(err)
			}
		})
	}
}
