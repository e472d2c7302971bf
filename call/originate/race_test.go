package originate

import "testing"

// A limit that no clock could hold is no limit, and must not be over at once.
func TestSeconds(t *testing.T) {
	for text, want := range map[string]int{"": 0, "0": 0, "30": 30, "-1": -1, "soon": 0, "2147483647": 1<<31 - 1, "2147483648": 0, "99999999999999999999": 0} {
		if got := seconds(text); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
}
