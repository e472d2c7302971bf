package appliance_test

import (
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/switchlet/switchlet/appliance"
	"github.com/switchlet/switchlet/test/box"
)

func TestBox_StartsAnswersAndLeavesNothing(t *testing.T) {
	before := runtime.NumGoroutine()
	t.Run("box", func(t *testing.T) {
		b := box.Start(t, box.Setup{})
		c := b.ESL(t)
		if got := b.API(t, c, "status"); !strings.Contains(got, "is ready") {
			t.Errorf("status says %q", got)
		}
		resp, err := http.Get("http://" + b.Addr(box.HTTP) + "/healthz")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		http.DefaultClient.CloseIdleConnections()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("health: %s", resp.Status)
		}
		out := b.API(t, c, "originate null/x &park()")
		if !strings.HasPrefix(out, "+OK ") {
			t.Fatalf("originate: %q", out)
		}
	})
	box.Eventually(t, 5*time.Second, "all goroutines of the box ended", func() bool {
		return runtime.NumGoroutine() <= before
	})
}

func TestSecrets_AreMadeOnceAndKept(t *testing.T) {
	dir := t.TempDir()
	first, err := appliance.Open(t.Context(), appliance.Options{Data: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Stop(); err != nil {
		t.Fatal(err)
	}
	second, err := appliance.Open(t.Context(), appliance.Options{Data: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Stop(); err != nil {
		t.Fatal(err)
	}
	if !first.Fresh || second.Fresh {
		t.Errorf("fresh: first %v, second %v; want true, false", first.Fresh, second.Fresh)
	}
	if first.Secrets != second.Secrets {
		t.Error("the second start has other secrets")
	}
	if len(first.Secrets.DefaultPassword) < 10 || first.Secrets.DefaultPassword == "1234" {
		t.Errorf("default password %q is weak", first.Secrets.DefaultPassword)
	}
	info, err := os.Stat(filepath.Join(dir, "secrets.json"))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("secrets.json has mode %v, want 0600", info.Mode().Perm())
	}
}

func TestOpen_TellsWhatIsWrongWithTheTree(t *testing.T) {
	dir := t.TempDir()
	_, err := appliance.Open(t.Context(), appliance.Options{Data: t.TempDir(), Conf: dir})
	if err == nil || !strings.Contains(err.Error(), "freeswitch.xml") {
		t.Errorf("an empty tree gives %v, want an error that names freeswitch.xml", err)
	}
	file := filepath.Join(dir, "freeswitch.xml")
	if err := os.WriteFile(file, []byte("<document>\n<section name=\"a\">\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = appliance.Open(t.Context(), appliance.Options{Data: t.TempDir(), Conf: dir})
	if err == nil || !strings.Contains(err.Error(), "freeswitch.xml") {
		t.Errorf("a tree cut in half gives %v, want an error that names the file", err)
	}
}
