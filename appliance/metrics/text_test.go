package metrics

import (
	"strings"
	"testing"
)

func TestText_Page(t *testing.T) {
	var p Text
	p.One("box_legs", "gauge", "Legs\nthat live.", 3)
	p.Family("box_up", "gauge", "Up.")
	p.Sample("box_up", 1, "name", "a\"b\\c\nd", "state", "REGED")
	h := NewHistogram(1, 2.5)
	for _, v := range []float64{0.5, 1, 2, 9} {
		h.Observe(v)
	}
	p.Histogram("box_mos", "MOS.", h)
	const want = `# HELP box_legs Legs\nthat live.
# TYPE box_legs gauge
box_legs 3
# HELP box_up Up.
# TYPE box_up gauge
box_up{name="a\"b\\c\nd",state="REGED"} 1
# HELP box_mos MOS.
# TYPE box_mos histogram
box_mos_bucket{le="1"} 2
box_mos_bucket{le="2.5"} 3
box_mos_bucket{le="+Inf"} 4
box_mos_sum 12.5
box_mos_count 4
`
	if p.String() != want {
		t.Errorf("got\n%s\nwant\n%s", p.String(), want)
	}
}

func FuzzText_LabelsStayInTheirLine(f *testing.F) {
	f.Add("x\ny")
	f.Fuzz(func(t *testing.T, label string) {
		var p Text
		p.Sample("n", 1, "l", label)
		if strings.Count(p.String(), "\n") != 1 || strings.Count(p.String(), `"} 1`) == 0 {
			t.Errorf("label %q gives %q", label, p.String())
		}
	})
}
