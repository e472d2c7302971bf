//go:build e2e

package e2e

import (
	"bufio"
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/switchlet/switchlet/test/box"
)

// firstEcho is the longest from "go run ." on a warm module cache to the first echo.
const firstEcho = 2 * time.Minute

// TestReadme_FromGoRunToTheFirstEcho does what the README says a newcomer shall do,
// with nothing but what the switch prints.
func TestReadme_FromGoRunToTheFirstEcho(t *testing.T) {
	began := time.Now()
	cmd := exec.Command("go", "run", ".", "--data", t.TempDir(), "--port-offset", fmt.Sprint(box.FreeOffset(t)))
	cmd.Dir = "../.."
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var errs strings.Builder
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGINT)
		cmd.Wait()
	})
	kill := time.AfterFunc(firstEcho, func() { syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	defer kill.Stop()

	page := regexp.MustCompile(`\bopen +(http://localhost:\d+/)`)
	secret := regexp.MustCompile(`\bsign in as +1000 .*password (\w+)`)
	var url, password string
	printed := bufio.NewScanner(out)
	for (url == "" || password == "") && printed.Scan() {
		if m := page.FindStringSubmatch(printed.Text()); m != nil {
			url = m[1]
		}
		if m := secret.FindStringSubmatch(printed.Text()); m != nil {
			password = m[1]
		}
	}
	if url == "" || password == "" {
		t.Fatalf("it does not say what to open and whom to sign in as: %s", errs.String())
	}
	go func() {
		for printed.Scan() {
		}
	}()
	t.Logf("ready after %v", time.Since(began).Round(time.Millisecond))
	ctx, cancel := context.WithTimeout(t.Context(), firstEcho)
	defer cancel()
	call := exec.CommandContext(ctx, "node", "call.mjs", "--url", url, "--login", "1000", "--password", password,
		"--number", "9196", "--hz", fmt.Sprint(callerTone), "--expect-hz", fmt.Sprint(callerTone))
	if text, err := call.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	if took := time.Since(began); took > firstEcho {
		t.Errorf("the first echo was heard after %v", took)
	} else {
		t.Logf("the first echo was heard after %v", took.Round(time.Millisecond))
	}
}
