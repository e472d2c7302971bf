package g722

// The tables of ITU-T G.722, under the names that the recommendation gives them.
// Index 0 of q6, iln and ilp is not used there either.
var (
	// qmf is one half of the symmetric 24-tap quadrature mirror filter (table 11).
	qmf = [12]int32{3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11}

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
	qm4 = [16]int32{
		0, -20456, -12896, -8968, -6288, -4240, -2584, -1200,
		20456, 12896, 8968, 6288, 4240, 2584, 1200, 0,
	}
	qm2 = [4]int32{-7408, -1616, 7408, 1616}

	// rl42 and wl give the lower band's logarithmic scale factor multiplier.
	rl42 = [16]uint8{0, 7, 6, 5, 4, 3, 2, 1, 7, 6, 5, 4, 3, 2, 1, 0}
	wl   = [8]int32{-60, -30, 58, 172, 334, 538, 1198, 3042}
	// rh2 and wh give the higher band's.
	rh2 = [4]uint8{2, 1, 2, 1}
	wh  = [3]int32{0, -214, 798}

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

// levelAbove gives for each number up to topLevel the index of the first decision
// level, from 1, that is above it.
var levelAbove = func() (t [topLevel + 1]uint8) {
	i := 1
	for n := range t {
		for i < len(q6) && q6[i] <= int32(n) {
			i++
		}
		t[n] = uint8(i)
	}
	return t
}()
