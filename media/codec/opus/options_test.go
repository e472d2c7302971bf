package opus

import (
	"testing"

	"github.com/switchlet/switchlet/media"
	"github.com/thesyncim/gopus"
)

func TestOptions_FmtpIsWhatIsOffered(t *testing.T) {
	for want, o := range map[string]Options{
		"useinbandfec=1; maxaveragebitrate=30000; maxplaybackrate=48000; ptime=20; minptime=10; maxptime=40": {},
		"useinbandfec=0; usedtx=1; cbr=1; maxaveragebitrate=24000; maxplaybackrate=16000; sprop-maxcapturerate=16000; ptime=20; minptime=10; maxptime=40": {
			NoFEC: true, DTX: true, CBR: true, Bitrate: 24000, MaxPlaybackRate: 16000, MaxCaptureRate: 16000,
		},
	} {
		if got := o.Fmtp(); got != want {
			t.Errorf("%+v offers\n%s, want\n%s", o, got, want)
		}
	}
}

func TestOptions_WithSettingsOfALeg(t *testing.T) {
	base := Options{Bitrate: 30000, PacketLoss: 20, DTX: true}
	got := base.with("complexity=3; maxaveragebitrate=12000;usedtx=0; cbr=1;useinbandfec=0; packet-loss-percent=101; nonsense; x=y; complexity=11")
	want := Options{Bitrate: 12000, Complexity: 4, PacketLoss: 20, CBR: true, NoFEC: true}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if base.with("") != base {
		t.Error("no settings change something")
	}
}

func TestOptions_ComplexityOfNarrowSoundStaysLow(t *testing.T) {
	for _, c := range []struct {
		o    Options
		rate int
		want int
	}{
		{Options{}, 48000, 5}, {Options{}, 16000, 0}, {Options{MaxComplexity: 11}, 48000, 5},
		{Options{MaxComplexity: 3}, 48000, 2}, {Options{MaxComplexity: 11}, 8000, 0}, {Options{Complexity: 11}, 8000, 10},
		{Options{Complexity: 1, MaxComplexity: 6}, 48000, 0},
	} {
		if got := c.o.complexity(c.rate); got != c.want {
			t.Errorf("%+v at %d Hz: %d, want %d", c.o, c.rate, got, c.want)
		}
	}
}

// spoken is what an encoder makes of four seconds of voice: the packets and their
// bits a second.
func spoken(t *testing.T, o Options, f media.Format, rate int) (packets [][]byte, bits int) {
	t.Helper()
	if f.Ptime == 0 {
		f.Ptime = 20
	}
	enc, err := NewPool(o).NewEncoder(f, rate)
	if err != nil {
		t.Fatal(err)
	}
	defer enc.Close()
	pcm := make([]int16, rate*f.Ptime/1000)
	for i := range 4000 / f.Ptime {
		wire := make([]byte, 1500)
		voice(pcm, i*len(pcm), rate)
		n, err := enc.Encode(pcm, wire)
		if err != nil {
			t.Fatal(err)
		}
		packets = append(packets, wire[:n])
		bits += n * 8 / 4
	}
	return packets, bits
}

func TestEncoder_ObeysSettingsOfItsLegAndThePeer(t *testing.T) {
	_, free := spoken(t, Options{}, media.Format{}, 48000)
	_, leg := spoken(t, Options{}, media.Format{Settings: "maxaveragebitrate=12000"}, 48000)
	_, peer := spoken(t, Options{Bitrate: 60000}, media.Format{Fmtp: "maxaveragebitrate=12000"}, 48000)
	_, high := spoken(t, Options{}, media.Format{Settings: "maxaveragebitrate=64000"}, 48000)
	if leg > 14000 || peer > 14000 || free < 20000 || high < free*3/2 {
		t.Errorf("bits a second: %d, with 12000 for the leg %d, for the peer %d, with 64000 %d", free, leg, peer, high)
	}
	fixed, _ := spoken(t, Options{CBR: true}, media.Format{}, 16000)
	for i, p := range fixed {
		if len(p) != len(fixed[0]) {
			t.Fatalf("packet %d of a constant bit rate has %d bytes, the first %d", i, len(p), len(fixed[0]))
		}
	}
	narrow, _ := spoken(t, Options{MaxCaptureRate: 8000}, media.Format{}, 48000)
	if config := narrow[100][0] >> 3; config > 3 && (config < 16 || config > 19) {
		t.Errorf("configuration %d is not narrow band", config)
	}
}

func TestEncoder_KeepsFECWhereItIsToldTo(t *testing.T) {
	count := func(o Options, rate int) (n int) {
		packets, _ := spoken(t, o, media.Format{Fmtp: "useinbandfec=1"}, rate)
		for _, p := range packets {
			if HasFEC(p) {
				n++
			}
		}
		return n
	}
	for _, rate := range Rates() {
		for _, loss := range []int{5, 10, 20} {
			if n := count(Options{KeepFEC: true, PacketLoss: loss}, rate); n < 60 {
				t.Errorf("%d Hz, %d %%: %d of 200 packets have FEC", rate, loss, n)
			}
		}
	}
	if n := count(Options{}, 8000); n != 0 {
		t.Errorf("at 8 kHz %d packets have FEC untold: the table of bit rates is out of date", n)
	}
	if n := count(Options{KeepFEC: true, NoFEC: true}, 48000); n != 0 {
		t.Errorf("%d packets have FEC though it is off", n)
	}
}

// TestHasFEC_IsWhatTheLibrarySays compares with the library's own look, which needs
// memory, for packets of all kinds.
func TestHasFEC_IsWhatTheLibrarySays(t *testing.T) {
	with := 0
	for _, rate := range Rates() {
		for _, ptime := range []int{10, 20, 40, 60, 80, 120} {
			packets, _ := spoken(t, Options{Bitrate: 40000, PacketLoss: 20}, media.Format{Ptime: ptime, Fmtp: "useinbandfec=1"}, rate)
			for i, p := range packets {
				if got, want := HasFEC(p), gopus.PacketHasLBRR(p); got != want {
					t.Fatalf("%d Hz, %d ms, packet %d (% x): %v, want %v", rate, ptime, i, p[:4], got, want)
				} else if want {
					with++
				}
			}
		}
	}
	if with < 1000 {
		t.Errorf("only %d packets have FEC", with)
	}
	for _, p := range [][]byte{nil, {0}, {2, 252}, {1}, {2, 5}} {
		if HasFEC(p) {
			t.Errorf("% x has FEC", p)
		}
	}
	packet := [...]byte{0x78, 0x40, 1, 2, 3}
	if n := testing.AllocsPerRun(100, func() { HasFEC(packet[:]) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzHasFEC(f *testing.F) {
	f.Add([]byte{2, 252, 0})
	f.Add([]byte{3, 1})
	f.Fuzz(func(_ *testing.T, p []byte) { HasFEC(p); Silent(p) })
}

// TestEncoder_LowersItsBitrateWhileMuchIsLost measures what an encoder sends while
// loss comes and goes.
func TestEncoder_LowersItsBitrateWhileMuchIsLost(t *testing.T) {
	for name, c := range map[string]struct {
		options Options
		fmtp    string
		bad     float64 // bits a second after bad reports, at most
	}{
		"asked for":              {Options{CBR: true, Bitrate: 40000, AdjustBitrate: true}, "", 7000},
		"asked for, with FEC":    {Options{CBR: true, Bitrate: 40000, AdjustBitrate: true, KeepFEC: true}, "useinbandfec=1", 7000},
		"asked for, peer's rate": {Options{CBR: true, Bitrate: 64000, AdjustBitrate: true}, "maxaveragebitrate=30000", 7000},
		"not asked for":          {Options{CBR: true, Bitrate: 40000}, "", 41000},
	} {
		t.Run(name, func(t *testing.T) {
			enc, err := NewPool(c.options).NewEncoder(media.Format{Ptime: 20, Fmtp: c.fmtp}, 16000)
			if err != nil {
				t.Fatal(err)
			}
			defer enc.Close()
			pcm, wire, at := make([]int16, 320), make([]byte, 1500), 0
			rate := func(loss float64, reports int) float64 {
				for range reports {
					enc.(media.LossFollower).ExpectLoss(loss)
				}
				bits := 0
				for i := range 300 {
					voice(pcm, at, 16000)
					at += len(pcm)
					n, err := enc.Encode(pcm, wire)
					if err != nil {
						t.Fatal(err)
					}
					if i >= 100 { // by then the rate has settled
						bits += 8 * n
					}
				}
				return float64(bits) / 4
			}
			first := rate(0, 1)
			if first < 20000 {
				t.Fatalf("%.0f bits a second at first", first)
			}
			if bad := rate(30, 8); bad > c.bad {
				t.Errorf("%.0f bits a second after much loss, it was %.0f", bad, first)
			} else if some := rate(3, 8); some > 1.15*bad {
				t.Errorf("%.0f bits a second with some loss, it was %.0f", some, bad)
			}
			if again := rate(0, 10); again < 0.9*first || again > 1.1*first {
				t.Errorf("%.0f bits a second once all was well, it was %.0f", again, first)
			}
			follower := enc.(media.LossFollower)
			if n := testing.AllocsPerRun(10, func() { follower.ExpectLoss(20); follower.ExpectLoss(0) }); n != 0 {
				t.Errorf("%v allocations", n)
			}
		})
	}
}

// TestEncoder_FollowsTheLossThatIsReported tells an encoder of growing loss: at a bit
// rate at which it adds FEC for much loss only, FEC comes.
func TestEncoder_FollowsTheLossThatIsReported(t *testing.T) {
	enc, err := NewPool(Options{Bitrate: 24000}).NewEncoder(media.Format{Ptime: 20, Fmtp: "useinbandfec=1"}, 8000)
	if err != nil {
		t.Fatal(err)
	}
	defer enc.Close()
	pcm, wire, at := make([]int16, 160), make([]byte, 1500), 0
	count := func() (n int) {
		for range 200 {
			voice(pcm, at, 8000)
			at += len(pcm)
			size, err := enc.Encode(pcm, wire)
			if err != nil {
				t.Fatal(err)
			}
			if HasFEC(wire[:size]) {
				n++
			}
		}
		return n
	}
	follower := enc.(media.LossFollower)
	for _, c := range []struct {
		loss float64
		fec  bool
	}{{0, false}, {9, false}, {12, true}, {100, true}} {
		follower.ExpectLoss(c.loss)
		count() // the bit rate settles
		if n := count(); n > 60 != c.fec {
			t.Errorf("%v %% lost: %d of 200 packets have FEC", c.loss, n)
		}
	}
	if n := testing.AllocsPerRun(10, func() { follower.ExpectLoss(20); follower.ExpectLoss(0) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	plain, err := NewPool(Options{Bitrate: 24000}).NewEncoder(media.Format{Ptime: 20}, 8000)
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	enc = plain
	plain.(media.LossFollower).ExpectLoss(30)
	if n := count(); n != 0 {
		t.Errorf("%d packets have FEC that nobody asked for", n)
	}
}
