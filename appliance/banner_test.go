package appliance

import (
	"slices"
	"strings"
	"testing"

	"rsc.io/qr"

	"github.com/switchlet/switchlet/conf"
)

// TestDrawCode_KeepsEveryModule reads the drawing back.
func TestDrawCode_KeepsEveryModule(t *testing.T) {
	code, err := qr.Encode("https://192.0.2.1:8443/", qr.L)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(drawCode(code, false), "\n"), "\n")
	if want := (code.Size + 2*quiet + 1) / 2; len(lines) != want {
		t.Fatalf("%d lines, want %d", len(lines), want)
	}
	for y := -quiet; y < code.Size+quiet; y++ {
		row := []rune(lines[(y+quiet)/2])[2:]
		for x := -quiet; x < code.Size+quiet; x++ {
			half := map[rune][2]bool{'█': {true, true}, '▀': {true, false}, '▄': {false, true}, ' ': {}}[row[x+quiet]]
			if light := half[(y+quiet)%2]; light == code.Black(x, y) {
				t.Fatalf("module %d,%d is drawn light %v", x, y, light)
			}
		}
	}
}

func TestBanner_TellsSecretsOnceAndDrawsThePage(t *testing.T) {
	data := t.TempDir()
	tell := func() (string, Secrets) {
		b, err := Open(t.Context(), Options{Data: data, Sets: []conf.Pair{{Name: "local_ip_v4", Value: "192.0.2.1"}}})
		if err != nil {
			t.Fatal(err)
		}
		defer b.Stop()
		var out strings.Builder
		b.banner(&out)
		return out.String(), b.Secrets
	}
	text, secrets := tell()
	for _, want := range []string{secrets.DefaultPassword, secrets.EventSocketPassword, "█", "  https://192.0.2.1:8443/\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("the first start does not say %s:\n%s", want, text)
		}
	}
	text, secrets = tell()
	for _, not := range []string{secrets.DefaultPassword, secrets.EventSocketPassword, "█"} {
		if strings.Contains(text, not) {
			t.Errorf("a later start says %s:\n%s", not, text)
		}
	}
}

// Behind Docker's bridge the box's own address leads nowhere for others: the one that
// was named is printed, drawn, and in the certificate.
func TestBanner_NamesTheOuterAddress(t *testing.T) {
	b, err := Open(t.Context(), Options{Data: t.TempDir(), Sets: []conf.Pair{{Name: "local_ip_v4", Value: "172.17.0.2"},
		{Name: "external_rtp_ip", Value: "192.0.2.10"}, {Name: "external_sip_ip", Value: "stun:stun.example.invalid"}}})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Stop()
	var out strings.Builder
	b.banner(&out)
	for _, want := range []string{"https://172.17.0.2:8443/ from others", "https://192.0.2.10:8443/ from outside\n", "\n  https://192.0.2.10:8443/\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("it does not say %q:\n%s", want, &out)
		}
	}
	d, err := b.certificates.describe("")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(d.Names, "192.0.2.10") {
		t.Errorf("the certificate is for %v", d.Names)
	}
}
