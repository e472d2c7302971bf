//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/switchlet/switchlet/appliance"
	"github.com/switchlet/switchlet/esl"
	"github.com/switchlet/switchlet/test/box"
)

// patience is the longest that anything of the main job may take. Emulation is
// slow, and so is a machine that has other things to do.
const patience = 60 * time.Second

// site is a running switch, wherever it runs, as its users see it.
type site struct {
	offset           int
	data             string // its data directory
	password, socket string // of the users and of the event socket, as the first start made them
}

func (s site) addr(port int) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port+s.offset))
}

// console connects to the event socket until the end of the test.
func (s site) console(t *testing.T) *esl.Conn {
	t.Helper()
	var c *esl.Conn
	box.Eventually(t, patience, "the event socket answers", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		var err error
		c, err = esl.Dial(ctx, s.addr(box.EventSocket), s.socket)
		return err == nil
	})
	t.Cleanup(func() { c.Close() })
	return c
}

// gatewayTo is the gateway of a box to its carrier.
func gatewayTo(far *box.Box) string {
	return fmt.Sprintf(gateway, far.Password, far.Addr(box.SIP))
}

// freshBox starts a box in this process.
func freshBox(t *testing.T, far *box.Box) site {
	b := box.Start(t, box.Setup{
		Files: map[string]string{"sip_profiles/external/carrier.xml": gatewayTo(far)},
		Sets:  map[string]string{"default_provider": "carrier"},
	})
	return siteOf(b)
}

// siteOf is a box of this process.
func siteOf(b *box.Box) site {
	return site{offset: b.Offset, data: b.Data, password: b.Password, socket: b.Secrets.EventSocketPassword}
}

// emulated starts a built program of a processor.
func emulated(processor string) func(*testing.T, *box.Box) site {
	return func(t *testing.T, far *box.Box) site {
		command := binaries[processor]
		program := filepath.Join("..", "..", "dist", command[len(command)-1])
		if _, err := os.Stat(program); err != nil {
			t.Fatalf("%v; build it with \"just cross\"", err)
		}
		command = append(command[:len(command)-1:len(command)-1], program)
		data := t.TempDir()
		prepare(t, data, far)
		return launch(t, data, append(command, "--data", data))
	}
}

// prepare writes the configuration of a box that is not started yet.
func prepare(t *testing.T, data string, far *box.Box) {
	t.Helper()
	file := filepath.Join(data, "conf", "sip_profiles", "external", "carrier.xml")
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(gatewayTo(far)), 0o644); err != nil {
		t.Fatal(err)
	}
}

// launch starts a program whose data lies in a directory, and stops it at the end
// of the test. The secrets are those that its first start makes.
func launch(t *testing.T, data string, command []string) site {
	t.Helper()
	s := site{offset: box.FreeOffset(t), data: data}
	rtp := box.RTP()
	for name, value := range map[string]string{"local_ip_v4": "127.0.0.1", "domain": "127.0.0.1", "default_provider": "carrier",
		"rtp_start_port": strconv.Itoa(rtp), "rtp_end_port": strconv.Itoa(rtp + 400)} {
		command = append(command, "--set", name+"="+value)
	}
	command = append(command, "--port-offset", strconv.Itoa(s.offset))
	cmd := exec.Command(command[0], command[1:]...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	// Whatever starts the program is ended with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stopped := make(chan error, 1)
	go func() { stopped <- cmd.Wait() }()
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
		select {
		case <-stopped:
		case <-time.After(patience):
			syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			t.Errorf("it did not stop within %v", patience)
		}
		if t.Failed() {
			t.Log(out.String())
		}
	})
	box.Eventually(t, patience, "the first start made its secrets", func() bool {
		select {
		case err := <-stopped:
			stopped <- err
			t.Fatalf("it ended: %v\n%s", err, out.String())
		default:
		}
		var secrets appliance.Secrets
		text, err := os.ReadFile(filepath.Join(data, "secrets.json"))
		if err != nil || json.Unmarshal(text, &secrets) != nil {
			return false
		}
		s.password, s.socket = secrets.DefaultPassword, secrets.EventSocketPassword
		return true
	})
	return s
}

// imageUser is the user of the image.
const imageUser = 65532

// freshContainer builds the image and runs a container of it, as the image's own
// user and on its own volume, without a registry and without a daemon.
func freshContainer(t *testing.T, far *box.Box) site {
	if _, err := exec.LookPath("buildah"); err != nil || os.Getuid() != 0 {
		t.Skip("a container wants buildah, and root")
	}
	store := t.TempDir()
	command := func(args ...string) []string {
		return append([]string{"buildah", "--root", filepath.Join(store, "root"), "--runroot", filepath.Join(store, "run"), "--storage-driver", "vfs"}, args...)
	}
	buildah := func(args ...string) string {
		t.Helper()
		args = command(args...)
		cmd := exec.Command(args[0], args[1:]...)
		var errs bytes.Buffer
		cmd.Stderr = &errs
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, errs.String())
		}
		return strings.TrimSpace(string(out))
	}
	buildah("bud", "--isolation", "chroot", "--format", "docker", "--build-arg", "TARGETARCH="+runtime.GOARCH, "--build-arg", "TARGETVARIANT=", "-q", "-t", "switchlet", "../..")
	made := buildah("from", "switchlet")
	t.Cleanup(func() { buildah("rm", made) })
	run := []string{"run", "--isolation", "chroot", made, "--", "/switchlet"}
	buildah(append(run, "version")...) // makes the volume
	volumes, err := filepath.Glob(filepath.Join(store, "root", "vfs-containers", "*", "userdata", "buildah-volumes", "*"))
	if err != nil || len(volumes) != 1 {
		t.Fatalf("volumes %q, %v", volumes, err)
	}
	prepare(t, volumes[0], far)
	if err := filepath.WalkDir(volumes[0], func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chown(path, imageUser, imageUser)
	}); err != nil {
		t.Fatal(err)
	}
	s := launch(t, volumes[0], command(run...))
	box.Eventually(t, patience, "the health check of the image", func() bool {
		check := command(append(run, "health")...)
		out, err := exec.Command(check[0], check[1:]...).Output()
		return err == nil && strings.HasPrefix(string(out), "ok ")
	})
	owner, err := os.Stat(filepath.Join(volumes[0], "secrets.json"))
	if err != nil {
		t.Fatal(err)
	}
	if uid := owner.Sys().(*syscall.Stat_t).Uid; uid != imageUser {
		t.Errorf("the switch runs as user %d, want %d", uid, imageUser)
	}
	return s
}
