package g722

// line is the memory of the quadrature mirror filter: the first and the second
// samples of pairs, 11 old ones and up to stride new ones, oldest first. Each word
// also holds the sample after its own in the upper half, so that the filter works on
// two pairs at once.
type line struct {
	first, second [11 + stride]int64
}

// stride is how many pairs are filtered before the line is moved on; it is even.
const stride = 32

// put sets the i-th new pair; the pairs come in order.
func (l *line) put(i int, first, second int32) {
	f, s := (*[2]int64)(l.first[i+10:]), (*[2]int64)(l.second[i+10:])
	f[0] += int64(first) << 32
	s[0] += int64(second) << 32
	f[1], s[1] = int64(first), int64(second)
}

// filter runs the filter over the 24 samples up to the i-th new pair, and in the upper
// half over those up to the next: the sums over the odd and the even coefficients of
// table 11, which are symmetric. No sum of samples of 17 bits is above 2^29.
func (l *line) filter(i int) (odd, even int64) {
	f, s := (*[12]int64)(l.first[i:]), (*[12]int64)(l.second[i:])
	odd = 3*f[0] - 11*f[1] + 12*f[2] + 32*f[3] - 210*f[4] + 951*f[5] +
		3876*f[6] - 805*f[7] + 362*f[8] - 156*f[9] + 53*f[10] - 11*f[11]
	even = -11*s[0] + 53*s[1] - 156*s[2] + 362*s[3] - 805*s[4] + 3876*s[5] +
		951*s[6] - 210*s[7] + 32*s[8] + 12*s[9] - 11*s[10] + 3*s[11]
	return odd, even
}

// halves are the sums in the lower and the upper half of a word.
func halves(v int64) (lower, upper int32) { return int32(v), int32((v + 1<<31) >> 32) }

// next forgets the oldest n pairs.
func (l *line) next(n int) {
	copy(l.first[:11], l.first[n:n+11])
	copy(l.second[:11], l.second[n:n+11])
}
