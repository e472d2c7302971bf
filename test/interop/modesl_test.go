package interop

import (
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/switchlet/switchlet/test/box"
	"github.com/switchlet/switchlet/test/ports"
)

// modesl runs the Node script in one of its modes against a box.
func modesl(t *testing.T, b *box.Box, mode, password string, more ...string) {
	t.Helper()
	node := program(t, "node", "nodejs")
	if _, err := os.Stat("modesl/node_modules/modesl"); err != nil {
		t.Fatal("modesl is not installed: run test/interop/run.sh, or npm install --prefix test/interop/modesl --no-package-lock")
	}
	args := append([]string{"--no-deprecation", "modesl/drive.js", mode, "127.0.0.1",
		strconv.Itoa(box.EventSocket + b.Offset), password}, more...)
	cmd := exec.CommandContext(limited(t), node, args...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("modesl %s: %v\n%s", mode, err, out)
	}
}

func TestModesl_OriginatesExecutesHangsUpAndSeesEventsInOrder(t *testing.T) {
	b := start(t, nil)
	modesl(t, b, "inbound", b.Secrets.EventSocketPassword)
}

func TestModesl_ServesCallsOfTheSocketApplication(t *testing.T) {
	b := start(t, nil)
	modesl(t, b, "outbound", b.Secrets.EventSocketPassword, strconv.Itoa(ports.Free(t)))
}

func TestModesl_WrongPassword(t *testing.T) {
	modesl(t, start(t, nil), "refused", "wrong")
}
