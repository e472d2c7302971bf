package g722

// band is the adaptive predictor and quantizer scale of one sub-band; the fields
// have the names of ITU-T G.722 §3.5 and §3.6, index 1 being the newest value.
type band struct {
	s, sz  int32     // predicted signal, and the zero section's part of it
	nb     int32     // logarithmic scale factor
	det    int32     // linear scale factor
	a1, a2 int32     // pole coefficients
	r1     int32     // twice the reconstructed signal
	p1, p2 int32     // partially reconstructed signal; only the signs count
	b      [2]uint64 // zero coefficients 1 to 3 and 4 to 6, packed
	d      [7]int32  // twice the quantized differences, [1]..[6]
	sum    int32     // of d
	signs  uint32    // of d, a bit each, 1 where it is negative, the newest lowest
}

// reset makes the band ready for the first sample.
func (b *band) reset(det int32) {
	*b = band{det: det, b: [2]uint64{packedZero, packedZero}}
}

// saturate bounds v to 16 bits. It seldom has to, so that a branch, which is foretold,
// keeps the comparison out of the way from sample to sample; what it does then has too
// many steps for the compiler to do without the branch.
func saturate(v int32) int32 {
	if v != int32(int16(v)) {
		return -32768 + ^v>>31&0xFFFF
	}
	return v
}

// Three zero coefficients share a word: lanes of 21 bits, each with the coefficient
// plus laneZero in it, so that none is negative.
const (
	laneBits   = 21
	laneMask   = 1<<laneBits - 1
	laneZero   = 32768
	ones       = 1<<(2*laneBits) | 1<<laneBits | 1
	packedZero = laneZero * ones
	leakMask   = laneMask >> 8 * ones // what is left of a lane that is moved by eight bits
)

// predict takes the quantized difference and computes the next prediction (blocks
// RECONS, PARREC, UPPOL2, UPPOL1, UPZERO, DELAYA, FILTEP, FILTEZ, PREDIC). Each sample
// waits for the one before, so what it waits for is kept short: nothing branches on the
// signs of sound, which cannot be foretold, and all is one function. The scale factor
// bounds diff to 10,228.
func (b *band) predict(diff int32) {
	r0, p0, d0 := saturate(2*(b.s+diff)), b.sz+diff, 2*diff

	// The pole section: of the partially reconstructed signal only the signs count.
	differ1, differ2 := (p0^b.p1)>>31, (p0^b.p2)>>31 // -1 where they differ
	b.p1, b.p2 = p0, b.p1
	w := min(max(b.a1<<2, -32768), 32767)
	w = min(w^^differ1-^differ1, 32767)
	a2 := w>>7 + 128 + differ2&-256 + b.a2*32512>>15
	a2 = min(max(a2, -12288), 12288)
	bound := 15360 - a2
	a1 := min(max(192+differ1&-384+b.a1*32640>>15, -bound), bound)
	pole := saturate(a1*r0>>15 + a2*b.r1>>15)
	b.a1, b.a2 = a1, a2
	b.r1 = r0

	// The zero section. A coefficient leaks by 1/256 of itself, rounded away from the
	// middle: with c=b+laneZero that is c-(c+255)>>8+128 in each lane. The steps of 128,
	// towards the signs that are alike, come with that 128 from a table. No coefficient
	// needs a bound: 32767 leaks to 32639 before the step. Of a product, laneZero*d>>15
	// is d itself: the sum of d is taken off at the end.
	row := &zeroSteps[(b.signs^uint32(d0>>31))&63]
	if d0 == 0 {
		row = &zeroRest
	}
	low, high := b.b[0], b.b[1]
	low += row[0] - (low+255*ones)>>8&leakMask
	high += row[1] - (high+255*ones)>>8&leakMask
	b.b = [2]uint64{low, high}
	b.signs = b.signs<<1 | uint32(d0)>>31
	d1, d2, d3, d4, d5 := b.d[1], b.d[2], b.d[3], b.d[4], b.d[5]
	b.sum += d0 - b.d[6]
	b.d[1], b.d[2], b.d[3], b.d[4], b.d[5], b.d[6] = d0, d1, d2, d3, d4, d5
	b.sz = saturate(int32(low&laneMask)*d0>>15 + int32(low>>laneBits&laneMask)*d1>>15 + int32(low>>(2*laneBits))*d2>>15 +
		int32(high&laneMask)*d3>>15 + int32(high>>laneBits&laneMask)*d4>>15 + int32(high>>(2*laneBits))*d5>>15 - b.sum)
	b.s = saturate(pole + b.sz)
}

// lower applies an inverse quantizer's output and weight to the lower band's state
// (blocks INVQAL, LOGSCL, SCALEL).
func (b *band) lower(q quantum) {
	diff := b.det * int32(q.out) >> 15
	b.nb = min(max(b.nb*127>>7+int32(q.weight), 0), lowerLimit)
	b.det = lowerScale[b.nb>>6]
	b.predict(diff)
}

// higher is lower for the higher band; it returns the difference
// (blocks INVQAH, LOGSCH, SCALEH).
func (b *band) higher(q quantum) int32 {
	diff := b.det * int32(q.out) >> 15
	b.nb = min(max(b.nb*127>>7+int32(q.weight), 0), higherLimit)
	b.det = higherScale[b.nb>>6]
	b.predict(diff)
	return diff
}
