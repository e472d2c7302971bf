package call_test

import (
	"strings"
	"testing"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/media"
)

func TestParseDigits(t *testing.T) {
	for _, c := range []struct {
		text, digits string
		durations    []int
		bad          bool
	}{
		{"12*#", "12*#", []int{2000, 2000, 2000, 2000}, false},
		{"1w2W", "1w2W", []int{2000, 2000, 2000, 2000}, false},
		{"abcdf", "ABCDF", []int{2000, 2000, 2000, 2000, 2000}, false},
		{"12@100", "12", []int{800, 800}, false},
		{"1@10", "1", []int{call.DigitDurationMin}, false},
		{"1@9999999", "1", []int{call.DigitDurationMax}, false},
		{"1@100+2", "12", []int{800, 2000}, false},
		{"", "", nil, false}, {"1x", "", nil, true}, {"1@", "", nil, true}, {"1@-5", "", nil, true}, {"e", "", nil, true},
	} {
		list, err := call.ParseDigits(c.text, media.DigitApp)
		if (err != nil) != c.bad {
			t.Errorf("%q: %v", c.text, err)
			continue
		}
		var got strings.Builder
		for i, d := range list {
			got.WriteByte(d.Char)
			if d.Duration != c.durations[i] || d.Source != media.DigitApp {
				t.Errorf("%q: digit %d is %+v", c.text, i, d)
			}
		}
		if got.String() != c.digits {
			t.Errorf("%q gives %q, want %q", c.text, got.String(), c.digits)
		}
	}
}

func FuzzParseDigits(f *testing.F) {
	for _, s := range []string{"12*#", "1@100+2w", "+", "@", "1@99999999999999999999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		list, err := call.ParseDigits(text, media.DigitApp)
		if err != nil {
			return
		}
		for _, d := range list {
			if d.Duration < call.DigitDurationMin || d.Duration > call.DigitDurationMax || strings.IndexByte("0123456789*#ABCDFwW", d.Char) < 0 {
				t.Fatalf("%q gives %+v", text, d)
			}
		}
	})
}
