package g722

// band is the adaptive predictor and quantizer scale of one sub-band; the fields
// have the names of ITU-T G.722 §3.5 and §3.6, index 1 being the newest value.
type band struct {
	s, sz int32    // predicted signal, and the zero section's part of it
	nb    int32    // logarithmic scale factor
	det   int32    // linear scale factor
	a     [3]int32 // pole coefficients, [1] and [2]
	b     [7]int32 // zero coefficients, [1]..[6]
	d     [7]int32 // twice the quantized differences, [1]..[6]
	r     [3]int32 // twice the reconstructed signal, [1] and [2]
	p     [3]int32 // partially reconstructed signal, [1] and [2]
}

func saturate(v int32) int32 { return min(max(v, -32768), 32767) }

// rescale adapts the scale factor by weight w (blocks LOGSCL, SCALEL and LOGSCH, SCALEH);
// base is 8 for the lower band, 10 for the higher.
func (b *band) rescale(w, limit, base int32) {
	b.nb = min(max(b.nb*127>>7+w, 0), limit)
	v := ilb[b.nb>>6&31]
	if shift := base - b.nb>>11; shift < 0 {
		v <<= -shift
	} else {
		v >>= shift
	}
	b.det = v << 2
}

// predict takes the quantized difference and computes the next prediction
// (blocks RECONS, PARREC, UPPOL2, UPPOL1, UPZERO, DELAYA, FILTEP, FILTEZ, PREDIC).
func (b *band) predict(diff int32) {
	r0, p0 := saturate(2*saturate(b.s+diff)), saturate(b.sz+diff)
	b.adaptPoles(p0)
	b.r[2], b.r[1] = b.r[1], r0
	b.p[2], b.p[1] = b.p[1], p0
	b.sz = b.zeros(saturate(2 * diff))
	pole := saturate(b.a[1]*b.r[1]>>15 + b.a[2]*b.r[2]>>15)
	b.s = saturate(pole + b.sz)
}

// adaptPoles takes the newest partially reconstructed value; only the signs count.
func (b *band) adaptPoles(p0 int32) {
	same1, same2 := p0^b.p[1] >= 0, p0^b.p[2] >= 0

	w := saturate(b.a[1] << 2)
	if same1 {
		w = min(-w, 32767)
	}
	a2 := w >> 7
	if same2 {
		a2 += 128
	} else {
		a2 -= 128
	}
	a2 = min(max(a2+b.a[2]*32512>>15, -12288), 12288)

	step := int32(-192)
	if same1 {
		step = 192
	}
	a1 := saturate(step + b.a[1]*32640>>15)
	bound := saturate(15360 - a2)
	b.a[1] = min(max(a1, -bound), bound)
	b.a[2] = a2
}

// zeros adapts the zero section to twice the newest difference, takes that into its
// line, and returns the section's prediction. The coefficients need no bound: 32767
// leaks to 32639 before the step of 128.
func (b *band) zeros(d0 int32) int32 {
	var step int32
	if d0 != 0 {
		step = 128
	}
	// Written out, what the line holds stays in registers; this is the inner loop.
	d1, d2, d3, d4, d5, d6 := b.d[1], b.d[2], b.d[3], b.d[4], b.d[5], b.d[6]
	s1, s2, s3, s4, s5, s6 := (d1^d0)>>31, (d2^d0)>>31, (d3^d0)>>31, (d4^d0)>>31, (d5^d0)>>31, (d6^d0)>>31 // -1 where the signs differ
	c1 := (step ^ s1 - s1) + b.b[1]*32640>>15
	c2 := (step ^ s2 - s2) + b.b[2]*32640>>15
	c3 := (step ^ s3 - s3) + b.b[3]*32640>>15
	c4 := (step ^ s4 - s4) + b.b[4]*32640>>15
	c5 := (step ^ s5 - s5) + b.b[5]*32640>>15
	c6 := (step ^ s6 - s6) + b.b[6]*32640>>15
	b.b[1], b.b[2], b.b[3], b.b[4], b.b[5], b.b[6] = c1, c2, c3, c4, c5, c6
	b.d[1], b.d[2], b.d[3], b.d[4], b.d[5], b.d[6] = d0, d1, d2, d3, d4, d5
	sum := c1*d0>>15 + c2*d1>>15 + c3*d2>>15 + c4*d3>>15 + c5*d4>>15 + c6*d5>>15
	return saturate(sum)
}

// lower applies a lower band code word to the band's state.
func (b *band) lower(code int32) {
	index := code >> 2
	diff := b.det * qm4[index] >> 15
	b.rescale(wl[rl42[index]], lowerLimit, 8)
	b.predict(diff)
}

// higher applies a higher band code word and returns the difference.
func (b *band) higher(code int32) int32 {
	diff := b.det * qm2[code] >> 15
	b.rescale(wh[rh2[code]], higherLimit, 10)
	b.predict(diff)
	return diff
}
