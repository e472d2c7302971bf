package media

// maxVolume is the largest volume step of FreeSWITCH's volume controls.
const maxVolume = 4

// volumes are the factors of the steps -4 to 4 in 1/100 (spec/conference.md §9).
var volumes = [2*maxVolume + 1]int32{20, 40, 60, 80, 100, 130, 230, 330, 430}

// Scale changes the level of pcm in place by a volume step of -4 to 4: the
// factors 0.2 0.4 0.6 0.8 1 1.3 2.3 3.3 4.3.
func Scale(pcm []int16, step int) { scale(pcm, clampVolume(step)) }

func scale(pcm []int16, step int) {
	if step == 0 {
		return
	}
	f := volumes[step+maxVolume]
	for i, s := range pcm {
		pcm[i] = clip(int32(s) * f / 100)
	}
}

// add mixes pcm into sum.
func add(sum, pcm []int16) {
	for i, s := range pcm[:min(len(pcm), len(sum))] {
		sum[i] = clip(int32(sum[i]) + int32(s))
	}
}

func clip(s int32) int16 { return int16(min(max(s, -32768), 32767)) }

// Energy returns the mean magnitude of pcm, the score that FreeSWITCH compares
// with its energy levels and silence thresholds.
func Energy(pcm []int16) int {
	if len(pcm) == 0 {
		return 0
	}
	sum := 0
	for _, s := range pcm {
		v := int(s)
		sum += max(v, -v)
	}
	return sum / len(pcm)
}
