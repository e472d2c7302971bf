package g722

// The tables of ITU-T G.722, under the names that the recommendation gives them.
// Index 0 of q6, iln and ilp is not used there either.
var (
	// q6 are the decision levels of the 6-bit lower band quantizer (table 14).
	q6 = [30]int32{
		0, 35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650,
		714, 786, 858, 940, 1023, 1121, 1219, 1339, 1458, 1612, 1765, 1980, 2195, 2557, 2919,
	}
	// iln and ilp are the lower band code words for negative and positive differences.
	iln = [31]uint8{
		0, 63, 62, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20,
		19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4,
	}
	ilp = [31]uint8{
		0, 61, 60, 59, 58, 57, 56, 55, 54, 53, 52, 51, 50, 49, 48,
		47, 46, 45, 44, 43, 42, 41, 40, 39, 38, 37, 36, 35, 34, 33, 32,
	}
	// qm6, qm4 and qm2 are the inverse quantizers of 6, 4 and 2 bits.
	qm6 = [64]int32{
		-136, -136, -136, -136, -24808, -21904, -19008, -16704,
		-14984, -13512, -12280, -11192, -10232, -9360, -8576, -7856,
		-7192, -6576, -6000, -5456, -4944, -4464, -4008, -3576,
		-3168, -2776, -2400, -2032, -1688, -1360, -1040, -728,
		24808, 21904, 19008, 16704, 14984, 13512, 12280, 11192,
		10232, 9360, 8576, 7856, 7192, 6576, 6000, 5456,
		4944, 4464, 4008, 3576, 3168, 2776, 2400, 2032,
		1688, 1360, 1040, 728, 432, 136, -432, -136,
	}
	qm4 = [16]int16{
		0, -20456, -12896, -8968, -6288, -4240, -2584, -1200,
		20456, 12896, 8968, 6288, 4240, 2584, 1200, 0,
	}
	qm2 = [4]int16{-7408, -1616, 7408, 1616}

	// rl42 and wl give the lower band's logarithmic scale factor multiplier.
	rl42 = [16]uint8{0, 7, 6, 5, 4, 3, 2, 1, 7, 6, 5, 4, 3, 2, 1, 0}
	wl   = [8]int16{-60, -30, 58, 172, 334, 538, 1198, 3042}
	// rh2 and wh give the higher band's.
	rh2 = [4]uint8{2, 1, 2, 1}
	wh  = [3]int16{0, -214, 798}

	// ilb is the antilogarithm used for both scale factors.
	ilb = [32]int32{
		2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834,
		2896, 2960, 3025, 3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
	}
)

const (
	lowerLimit    = 18432 // largest logarithmic scale factor of the lower band
	higherLimit   = 22528 // of the higher band
	higherDecide  = 564   // decision level of the 2-bit quantizer
	initialLower  = 32    // scale factors at reset
	initialHigher = 8
)

// topLevel is the last decision level of q6.
const topLevel = 2919

// What follows is computed from the tables above, so that a sample costs few steps.

// quantum is what a code word does to its band.
type quantum struct {
	code   uint8 // of the lower band: six bits
	out    int16 // of the inverse quantizer (qm4 or qm2)
	weight int16 // of the scale factor's adaptation
}

func lowerQuantum(code uint8) quantum {
	return quantum{code, qm4[code>>2], wl[rl42[code>>2]]}
}

var (
	// lowerCodes and higherCodes are the quanta of the code words.
	lowerCodes = func() (t [64]quantum) {
		for code := range t {
			t[code] = lowerQuantum(uint8(code))
		}
		return t
	}()
	higherCodes = func() (t [4]quantum) {
		for code := range t {
			t[code] = quantum{uint8(code), qm2[code], wh[rh2[code]]}
		}
		return t
	}()

	// levelAbove gives for each number up to topLevel the index of the first decision
	// level, from 1, that is above it.
	levelAbove = func() (t [topLevel + 1]uint8) {
		i := 1
		for n := range t {
			for i < len(q6) && q6[i] <= int32(n) {
				i++
			}
			t[n] = uint8(i)
		}
		return t
	}()
	// lowerLevels are the quanta of those indices for positive differences, and from 32
	// on for negative ones.
	lowerLevels = func() (t [64]quantum) {
		for i := range ilp {
			t[i], t[32+i] = lowerQuantum(ilp[i]), lowerQuantum(iln[i])
		}
		return t
	}()

	// lowerScale and higherScale are the linear scale factors of the logarithmic ones,
	// in steps of 64 (blocks SCALEL and SCALEH); all are multiples of four.
	lowerScale = func() (t [lowerLimit>>6 + 1]int32) {
		for i := range t {
			t[i] = scale(int32(i), 8)
		}
		return t
	}()
	higherScale = func() (t [higherLimit>>6 + 1]int32) {
		for i := range t {
			t[i] = scale(int32(i), 10)
		}
		return t
	}()
	// lowerPer is 2^perShift divided by a quarter of lowerScale, rounded up: numbers below
	// 2^25 are divided by multiplying, exactly, since a quarter is at most 2^12.
	lowerPer = func() (t [lowerLimit>>6 + 1]uint64) {
		for i, det := range lowerScale {
			t[i] = (1<<perShift-1)/uint64(det>>2) + 1
		}
		return t
	}()

	// zeroSteps are the steps of the zero coefficients where the signs of the set bits
	// differ, and the 128 that the leak leaves to be added; zeroRest is without steps.
	zeroSteps = func() (t [64][2]uint64) {
		for signs := range t {
			for lane := range 6 {
				if signs>>lane&1 == 0 {
					t[signs][lane/3] += 256 << (lane % 3 * laneBits)
				}
			}
		}
		return t
	}()
	zeroRest = [2]uint64{128 * ones, 128 * ones}
)

const perShift = 38

// scale is the linear factor of a logarithmic one: i is that in steps of 64, base 8
// for the lower band and 10 for the higher.
func scale(i, base int32) int32 {
	v := ilb[i&31]
	if shift := base - i>>5; shift < 0 {
		v <<= -shift
	} else {
		v >>= shift
	}
	return v << 2
}
