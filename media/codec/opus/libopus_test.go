//go:build libopus

package opus

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/switchlet/switchlet/media"
	"github.com/switchlet/switchlet/media/resample"
)

// The tests of this file compare with libopus, by the programs opusenc and opusdec
// of opus-tools, which must be installed: go test -tags libopus ./media/codec/opus.

// speech is six seconds that a speech coder has work with: voiced sound of a
// wandering pitch under two moving formants, fricative noise, pauses.
func speech(rate int) []int16 {
	pcm := make([]int16, 6*rate)
	var phase, y1, y2 float64
	seed := uint32(7)
	for i := range pcm {
		t := float64(i) / float64(rate)
		phase += (120 + 40*math.Sin(2*math.Pi*0.7*t)) / float64(rate)
		var v float64
		for h := 1; h <= 20; h++ {
			hz := float64(h) * 130
			if hz > 0.45*float64(rate) {
				break
			}
			formant := 1/(1+math.Pow((hz-500-200*math.Sin(2*math.Pi*0.9*t))/150, 2)) + 0.5/(1+math.Pow((hz-1700-400*math.Sin(2*math.Pi*1.3*t))/250, 2))
			v += formant * math.Sin(2*math.Pi*float64(h)*phase)
		}
		syllable := math.Max(0, math.Sin(2*math.Pi*2.5*t))
		seed = seed*1664525 + 1013904223
		noise := float64(int32(seed)) / (1 << 31)
		y2, y1 = y1, noise-0.6*y1
		hiss := math.Max(0, math.Sin(2*math.Pi*2.5*t+2.5)) * (y1 - y2) * 0.08
		pcm[i] = int16(9000 * (v*syllable + hiss))
	}
	return pcm
}

// segmentalSNR is the mean signal-to-noise ratio in dB of frames of 20 ms that
// sound, each bounded to -10 to 50 dB, at the delay of got that fits best.
func segmentalSNR(want, got []int16, rate, most int) float64 {
	best, delay := math.Inf(-1), 0
	for d := range most {
		var cross float64
		for i := rate; i < 3*rate && i+d < len(got); i += 3 {
			cross += float64(want[i]) * float64(got[i+d])
		}
		if cross > best {
			best, delay = cross, d
		}
	}
	n, frames, sum := rate/50, 0, 0.0
	for at := rate / 2; at+n+delay <= len(got) && at+n <= len(want); at += n {
		var signal, noise float64
		for i := at; i < at+n; i++ {
			e := float64(want[i]) - float64(got[i+delay])
			signal += float64(want[i]) * float64(want[i])
			noise += e * e
		}
		if signal/float64(n) < 100*100 {
			continue
		}
		sum += min(max(10*math.Log10(signal/(noise+1)), -10), 50)
		frames++
	}
	return sum / float64(frames)
}

// run is a command that must succeed.
func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
}

func pcmBytes(pcm []int16) []byte {
	b := make([]byte, 0, 2*len(pcm))
	for _, s := range pcm {
		b = binary.LittleEndian.AppendUint16(b, uint16(s))
	}
	return b
}

// reference encodes pcm by opusenc and returns the file's name.
func reference(t *testing.T, pcm []int16, rate int, args ...string) string {
	t.Helper()
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in.raw"), filepath.Join(dir, "out.opus")
	if err := os.WriteFile(in, pcmBytes(pcm), 0o600); err != nil {
		t.Fatal(err)
	}
	args = append([]string{"--quiet", "--raw", "--raw-chan", "1", "--raw-rate", strconv.Itoa(rate)}, args...)
	run(t, "opusenc", append(args, in, out)...)
	return out
}

// lead is silence before what opusdec gives, which cuts off the encoder's delay and
// at times a little more.
const lead = 400

// heard decodes a file by opusdec, to 48 kHz.
func heard(t *testing.T, path string) []int16 {
	t.Helper()
	out := path + ".raw"
	run(t, "opusdec", "--quiet", "--no-dither", "--rate", "48000", path, out)
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	pcm := make([]int16, lead+len(b)/2)
	for i := range len(b) / 2 {
		pcm[lead+i] = int16(binary.LittleEndian.Uint16(b[2*i:]))
	}
	return pcm
}

// oggPackets returns the packets of an Ogg file after its two headers (RFC 3533).
func oggPackets(t *testing.T, path string) (packets [][]byte, bytesOfSound int) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var packet []byte
	for len(b) >= 27 && string(b[:4]) == "OggS" {
		lacing := b[27 : 27+int(b[26])]
		b = b[27+len(lacing):]
		for _, n := range lacing {
			packet = append(packet, b[:n]...)
			b = b[n:]
			if n < 255 {
				packets, packet = append(packets, packet), nil
			}
		}
	}
	for _, p := range packets[2:] {
		bytesOfSound += len(p)
	}
	return packets[2:], bytesOfSound
}

// writeOgg makes a mono Ogg Opus file (RFC 7845) of 20 ms packets, one a page.
func writeOgg(t *testing.T, path string, packets [][]byte) {
	t.Helper()
	var out bytes.Buffer
	page := func(number int, flags byte, granule int, packet []byte) {
		h := append([]byte("OggS\x00"), flags)
		h = binary.LittleEndian.AppendUint64(h, uint64(granule))
		h = binary.LittleEndian.AppendUint32(h, 1)
		h = binary.LittleEndian.AppendUint32(h, uint32(number))
		h = append(h, 0, 0, 0, 0, byte(len(packet)/255+1))
		for range len(packet) / 255 {
			h = append(h, 255)
		}
		h = append(append(h, byte(len(packet)%255)), packet...)
		var sum uint32
		for _, c := range h {
			sum ^= uint32(c) << 24
			for range 8 {
				if sum&(1<<31) != 0 {
					sum = sum<<1 ^ 0x04c11db7
				} else {
					sum <<= 1
				}
			}
		}
		binary.LittleEndian.PutUint32(h[22:], sum)
		out.Write(h)
	}
	page(0, 2, 0, []byte("OpusHead\x01\x01\x00\x00\x80\xbb\x00\x00\x00\x00\x00"))
	page(1, 0, 0, []byte("OpusTags\x01\x00\x00\x00x\x00\x00\x00\x00"))
	for i, p := range packets {
		flags := byte(0)
		if i == len(packets)-1 {
			flags = 4
		}
		page(i+2, flags, (i+1)*960, p)
	}
	if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestDecoder_IsAsGoodAsLibopus(t *testing.T) {
	pcm := speech(48000)
	for _, c := range [][]string{
		{"--bitrate", "12", "--speech"}, {"--bitrate", "20", "--speech"}, {"--bitrate", "32", "--speech", "--framesize", "60"},
		{"--bitrate", "32", "--music"}, {"--bitrate", "64", "--framesize", "10"}, {"--bitrate", "24", "--hard-cbr", "--framesize", "40"},
	} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			path := reference(t, pcm, 48000, c...)
			packets, _ := oggPackets(t, path)
			dec, err := NewPool(Options{}).NewDecoder(media.Format{}, 48000)
			if err != nil {
				t.Fatal(err)
			}
			defer dec.Close()
			var ours []int16
			buf := make([]int16, 5760)
			for _, p := range packets {
				n, err := dec.Decode(p, buf)
				if err != nil {
					t.Fatal(err)
				}
				ours = append(ours, buf[:n]...)
			}
			theirs := heard(t, path)
			a, b := segmentalSNR(pcm, ours, 48000, 1500), segmentalSNR(pcm, theirs, 48000, 1500)
			if math.Abs(a-b) > 1 {
				t.Errorf("our decoder %.2f dB, libopus %.2f dB", a, b)
			}
			if same := segmentalSNR(ours, theirs, 48000, 1500); same < 40 {
				t.Errorf("the two decoders differ by %.1f dB", same)
			}
		})
	}
}

func TestEncoder_IsAsGoodAsLibopus(t *testing.T) {
	for _, c := range []struct{ rate, bitrate, complexity int }{
		{8000, 12000, 0}, {8000, 20000, 0}, {8000, 20000, 5}, {16000, 24000, 0}, {16000, 24000, 5}, {24000, 28000, 5},
		{48000, 32000, 5}, {48000, 32000, 10}, {48000, 64000, 5},
	} {
		t.Run(fmt.Sprintf("%d Hz %d bits/s complexity %d", c.rate, c.bitrate, c.complexity), func(t *testing.T) {
			pcm := speech(c.rate)
			enc, err := NewPool(Options{Bitrate: c.bitrate, Complexity: c.complexity + 1}).NewEncoder(media.Format{Ptime: 20}, c.rate)
			if err != nil {
				t.Fatal(err)
			}
			defer enc.Close()
			var packets [][]byte
			size, frame, wire := 0, c.rate/50, make([]byte, 1500)
			for at := 0; at+frame <= len(pcm); at += frame {
				n, err := enc.Encode(pcm[at:at+frame], wire)
				if err != nil {
					t.Fatal(err)
				}
				size += n
				packets = append(packets, bytes.Clone(wire[:n]))
			}
			path := filepath.Join(t.TempDir(), "ours.opus")
			writeOgg(t, path, packets)
			// libopus gets the bit rate that we spent, which VBR may hold below the target.
			theirs := reference(t, pcm, c.rate, "--speech", "--cvbr", "--bitrate", fmt.Sprint(float64(size*8/6)/1000), "--comp", strconv.Itoa(c.complexity))
			_, theirSize := oggPackets(t, theirs)
			up, err := resample.New(c.rate, 48000)
			if err != nil {
				t.Fatal(err)
			}
			want := make([]int16, up.OutputLen(len(pcm)))
			want = want[up.Delay()*48000/c.rate : up.Process(want, pcm)]
			a, b := segmentalSNR(want, heard(t, path), 48000, 1500), segmentalSNR(want, heard(t, theirs), 48000, 1500)
			t.Logf("ours %.2f dB in %d bytes, libopus %.2f dB in %d bytes", a, size, b, theirSize)
			if a < b-2 {
				t.Errorf("our encoder %.2f dB, libopus %.2f dB", a, b)
			}
			if r := float64(size) / float64(theirSize); r > 1.15 {
				t.Errorf("our encoder spent %d bytes, libopus %d", size, theirSize)
			}
		})
	}
}
