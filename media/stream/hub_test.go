package stream_test

import (
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/switchlet/switchlet/media"
	"github.com/switchlet/switchlet/media/codec"
	"github.com/switchlet/switchlet/media/stream"
)

// counted is an encoder whose packets are counted.
type counted struct {
	media.Encoder
	packets *atomic.Int64
}

func (c counted) Encode(pcm []int16, out []byte) (int, error) {
	c.packets.Add(1)
	return c.Encoder.Encode(pcm, out)
}

func TestLocalStream_IsEncodedOnceForAllWhoHearNothingElse(t *testing.T) {
	dir := t.TempDir()
	makeTone(t, filepath.Join(dir, "1.wav"), 8000, 60000, 500)
	synctest.Test(t, func(t *testing.T) {
		pcma := *codec.Find(codec.Table(), "PCMA", 8000, 1)
		var encoded atomic.Int64
		make := pcma.NewEncoder
		pcma.NewEncoder = func(f media.Format, rate int) (media.Encoder, error) {
			e, err := make(f, rate)
			return counted{e, &encoded}, err
		}
		e := media.NewEngine(media.EngineOptions{Codecs: []*media.Codec{&pcma}})
		e.Start(t.Context())
		defer e.Close()
		o := &stream.Opener{LocalStreams: map[string]stream.LocalStream{"moh": {Path: dir}}}
		defer o.Close()
		const phones = 10
		var heard [phones][]int16
		var ports [phones]*media.Port
		for i := range phones {
			dec, err := pcma.NewDecoder(media.Format{}, 8000)
			if err != nil {
				t.Fatal(err)
			}
			inner, far := media.Pipe()
			far.Receive(func(k *media.Packet) {
				pcm := [160]int16{}
				n, err := dec.Decode(k.Payload, pcm[:])
				if err != nil {
					t.Error(err)
				}
				heard[i] = append(heard[i], pcm[:n]...)
			})
			defer inner.Close()
			defer far.Close()
			ports[i] = e.NewPort("listener")
			ports[i].Attach(inner, media.Format{Codec: &pcma, PayloadType: 8, Ptime: 20}, media.DTMF{})
			src, err := o.Open(t.Context(), "local_stream://moh", 8000)
			if err != nil {
				t.Fatal(err)
			}
			ports[i].Play(src, media.PlayOptions{})
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if n := encoded.Load(); n > 130 {
			t.Errorf("%d packets were encoded for %d listeners in two seconds", n, phones)
		}
		for i, p := range ports {
			p.Close()
			if len(heard[i]) < 15000 || !hears(heard[i][8000:12000], 8000, 500) {
				t.Errorf("listener %d heard %d samples", i, len(heard[i]))
			}
		}
		time.Sleep(2 * time.Second)
		if n := e.Clock().Len(); n != 0 {
			t.Errorf("%d tickers are left on the clock", n)
		}
	})
}
