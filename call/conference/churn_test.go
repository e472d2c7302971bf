package conference

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/switchlet/switchlet/call"
)

// TestChurn lets many calls come, go, press keys and be commanded at once. A
// goroutine or a room that is left over fails the test.
func TestChurn(t *testing.T) {
	inHouse(t, func(h *house) {
		profiles := []string{"default", "full", "wideband", "small", "wait"}
		for round := range 6 {
			for i := range 12 {
				h.done.Go(func() {
					r := rand.New(rand.NewPCG(uint64(round), uint64(i)))
					room := fmt.Sprintf("room%d", r.IntN(3))
					p := h.newPhone(fmt.Sprintf("p%d-%d", round, i), false, nil, &call.Extension{Name: "x", Actions: []call.Action{
						{App: "conference", Data: room + "@" + profiles[r.IntN(len(profiles))]}, {App: "conference", Data: "lobby@full"}}})
					p.say(300 + 100*float64(i))
					p.ch.Start()
					for range 8 {
						time.Sleep(time.Duration(r.IntN(400)) * time.Millisecond)
						h.disturb(r, room, p)
					}
					p.ch.Hangup(call.CauseNormalClearing)
					<-p.ch.Done()
				})
			}
			time.Sleep(500 * time.Millisecond)
		}
		time.Sleep(10 * time.Second)
		h.sw.HangupAll(call.CauseNormalClearing, nil) // those that were called
		time.Sleep(time.Second)
		h.wants("count", "0")
		if n := h.engine.Clock().Len(); n != 0 {
			t.Errorf("%d left on the clock", n)
		}
	})
}

func (h *house) disturb(r *rand.Rand, room string, p *phone) {
	run := func(line string) { h.sw.Run(context.Background(), "conference", line, nil, nil) }
	switch r.IntN(14) {
	case 0:
		run(room + " kick last")
	case 1:
		run(room + " play tone_stream://%(300,0,440)")
	case 2:
		run(room + " play tone_stream://%(300,0,440) async")
	case 3:
		run(room + " stop all")
	case 4:
		run(room + " transfer other@full " + fmt.Sprint(1+r.IntN(20)))
	case 5:
		run(room + " mute all")
	case 6:
		run("list")
	case 7:
		run(room + " record " + h.path(fmt.Sprintf("churn%d.wav", r.IntN(5))))
	case 8:
		run(room + " norecord all")
	case 9:
		for _, d := range "09355#" {
			p.ch.ReceiveDigit(digit(byte(d)))
		}
	case 10:
		run(room + " bgdial phone/x" + fmt.Sprint(r.Int()))
	case 11:
		run("json_list")
	case 12:
		run("lobby hup all")
	case 13:
		run("other hup all")
	}
}

// TestMix_CostsNothingPerFrame holds the room to the mixer's bar: what a room adds
// to a frame allocates nothing.
func TestMix_CostsNothingPerFrame(t *testing.T) {
	c := newClip(&endless{}, "{vol=-6}", 0)
	pcm := make([]int16, 160)
	if n := testing.AllocsPerRun(100, func() { c.Read(pcm) }); n != 0 {
		t.Errorf("%.0f allocations a frame", n)
	}
}

// endless is a source of constant level.
type endless struct{}

func (*endless) Rate() int    { return 8000 }
func (*endless) Close() error { return nil }
func (*endless) Read(pcm []int16) (int, error) {
	for i := range pcm {
		pcm[i] = 1000
	}
	return len(pcm), nil
}
