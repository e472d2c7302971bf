package media_test

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/switchlet/switchlet/media"
)

// TestPorts_Churn does everything to a few ports from many goroutines at once.
// Run with -race, it holds the locks; it ends only if none is taken twice.
func TestPorts_Churn(t *testing.T) {
	bubble(t, func(t *testing.T, e *media.Engine) {
		formats := []media.Format{format(t, e, "PCMU", 0), format(t, e, "PCMA", 8), format(t, e, "G722", 9)}
		var phones []*phone
		for i := range 6 {
			p := newPhone(t, e, "p", formats[i%2], events)
			p.say(440)
			phones = append(phones, p)
		}
		var all sync.WaitGroup
		for worker := range 8 {
			all.Go(func() {
				r := rand.New(rand.NewPCG(uint64(worker), 1))
				for range 150 {
					p, q := phones[r.IntN(6)], phones[r.IntN(6)]
					switch r.IntN(14) {
					case 0, 1, 2:
						if p != q {
							if err := media.Join(p.port, q.port); err != nil {
								t.Error(err)
							}
						}
					case 3:
						p.port.Leave()
					case 4:
						p.port.Play(&tone{rate: 16000, hz: 600, length: 3000}, media.PlayOptions{Mix: r.IntN(2) == 0})
					case 5:
						p.port.Record(&sink{rate: 8000, channels: 2}, media.RecordOptions{Limit: 100 * time.Millisecond})
					case 6:
						defer p.port.Tap(media.Both, 16000, func([]int16) {})()
					case 7:
						p.port.SendDigits([]media.Digit{{Char: '1', Duration: 400}})
					case 8:
						p.port.Hold(r.IntN(2) == 0)
					case 9:
						p.port.Mute(media.Both, r.IntN(2) == 0)
					case 10:
						p.port.Gain(media.Both, r.IntN(9)-4)
					case 11:
						p.port.Attach(p.inner, formats[r.IntN(3)], events)
					case 12:
						_ = p.port.Chain()
						_ = p.port.Stats()
					case 13:
						p.port.DelayEcho(r.IntN(3) * 40)
						p.port.SetJitter(r.IntN(3)*20, 200)
					}
					time.Sleep(time.Duration(r.IntN(30)) * time.Millisecond)
				}
			})
		}
		all.Wait()
		for _, p := range phones {
			p.close()
		}
		time.Sleep(200 * time.Millisecond)
		if n := e.Clock().Len(); n != 0 {
			t.Errorf("%d ports are left on the clock", n)
		}
	})
}
