package ports

import "testing"

func TestFree_IsNobodyElses(t *testing.T) {
	if top := low + (count-1)*step + guard; top > 65535 {
		t.Fatalf("there is no port %d", top)
	}
	taken := make(map[int]bool)
	for range count / 4 {
		p := Free(t)
		if taken[p] || p%2 != 0 {
			t.Fatalf("port %d was given twice, or is odd", p)
		}
		taken[p] = true
	}
}
