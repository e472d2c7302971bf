package box

import "testing"

func TestFreeOffset_IsNobodyElses(t *testing.T) {
	taken := make(map[int]bool)
	for range offsets / 3 {
		n := FreeOffset(t)
		if taken[n] {
			t.Fatalf("offset %d was given twice", n)
		}
		taken[n] = true
	}
}

func TestFreeOffset_NoPortIsAnotherOffsets(t *testing.T) {
	of := make(map[int]int)
	for _, p := range portsOfABox {
		if q, ok := of[p%offsetStep]; ok {
			t.Errorf("%d of one offset is %d of another", p, q)
		}
		of[p%offsetStep] = p
	}
	if top := WebRTC + offsetLow + (offsets-1)*offsetStep; top >= rtpLow {
		t.Errorf("port %d may be one for sound", top)
	}
}
