package conference

import (
	"testing"
	"time"

	"github.com/switchlet/switchlet/conf"
)

func TestProfile_OfTheTreeThatComesWithTheBox(t *testing.T) {
	store, err := conf.NewStore(t.Context(), conf.Options{})
	if err != nil {
		t.Fatal(err)
	}
	rs := &Rooms{opts: Options{Store: store}}
	c := rs.configuration(t.Context(), request{name: "3000"}, "")
	for name, rate := range map[string]int{"default": 8000, "wideband": 16000, "ultrawideband": 32000, "cdquality": 48000} {
		p := c.profile(name)
		if p.name != name || p.rate != rate || p.energy != 100 || p.comfortNoise != comfortNoise || p.get("kicked-sound") == "" {
			t.Errorf("%s: %+v", name, p)
		}
	}
	p := c.profile("nosuch")
	if p.name != "none" || p.rate != 8000 || p.interval != 20 || p.energy != 0 || p.pinRetries != 3 ||
		p.get("pin-sound") != "conference/conf-pin.wav" || p.get("bad-pin-sound") != "conference/conf-bad-pin.wav" {
		t.Errorf("built-in defaults: %+v", p)
	}
	group := c.root.Child("caller-controls").Find("group", "name", "default").ChildrenNamed("control")
	if len(group) != 12 {
		t.Errorf("%d controls", len(group))
	}
	for _, n := range group {
		if _, ok := controls[n.Attr("action")]; !ok {
			t.Errorf("control %q is not known", n.Attr("action"))
		}
	}
}

func TestProfile_Bounds(t *testing.T) {
	for _, w := range []struct {
		name, value string
		ok          func(p *profile) bool
	}{
		{"rate", "auto", func(p *profile) bool { return p.rate == 0 }},
		{"rate", "11025", func(p *profile) bool { return p.rate == 8000 }},
		{"interval", "120", func(p *profile) bool { return p.interval == 120 }},
		{"interval", "25", func(p *profile) bool { return p.interval == 20 }},
		{"max-members", "1", func(p *profile) bool { return p.maxMembers == 0 }},
		{"max-members", "-3", func(p *profile) bool { return p.maxMembers == 0 }},
		{"comfort-noise", "400", func(p *profile) bool { return p.comfortNoise == 400 }},
		{"comfort-noise", "false", func(p *profile) bool { return p.comfortNoise == 0 }},
		{"auto-energy-level", "600", func(p *profile) bool { return p.autoEnergy == 600 && p.energy == 300 }},
		{"ivr-dtmf-timeout", "100", func(p *profile) bool { return p.digitTimeout == 500*time.Millisecond }},
		{"heartbeat-period-sec", "5", func(p *profile) bool { return p.heartbeat == 0 }},
		{"min-required-recording-participants", "3", func(p *profile) bool { return p.recordMin == 1 }},
		{"suppress-events", "add-member, lock", func(p *profile) bool { return p.suppresses("lock") && !p.suppresses("") }},
	} {
		if p := newProfile("x", map[string]string{w.name: w.value}); !w.ok(p) {
			t.Errorf("%s=%s: %+v", w.name, w.value, p)
		}
	}
}
