package g722

// band is the adaptive predictor and quantizer scale of one sub-band; the fields
// have the names of ITU-T G.722 §3.5 and §3.6, index 1 being the newest value.
type band struct {
	s, sz int32    // predicted signal, and the zero section's part of it
	nb    int32    // logarithmic scale factor
	det   int32    // linear scale factor
	a     [3]int32 // pole coefficients, [1] and [2]
	b     [7]int32 // zero coefficients, [1]..[6]
	d     [7]int32 // quantized differences, [0] is the current one
	r     [3]int32 // reconstructed signal
	p     [3]int32 // partially reconstructed signal
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
	b.d[0] = diff
	b.r[0] = saturate(b.s + diff)
	b.p[0] = saturate(b.sz + diff)
	b.adaptPoles()
	b.adaptZeros()

	copy(b.d[1:], b.d[:6])
	copy(b.r[1:], b.r[:2])
	copy(b.p[1:], b.p[:2])

	pole := saturate(b.a[1]*saturate(2*b.r[1])>>15 + b.a[2]*saturate(2*b.r[2])>>15)
	var zero int32
	for i := 6; i > 0; i-- {
		zero += b.b[i] * saturate(2*b.d[i]) >> 15
	}
	b.sz = saturate(zero)
	b.s = saturate(pole + b.sz)
}

func (b *band) adaptPoles() {
	same1 := b.p[0] < 0 == (b.p[1] < 0)
	same2 := b.p[0] < 0 == (b.p[2] < 0)

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

func (b *band) adaptZeros() {
	var step int32
	if b.d[0] != 0 {
		step = 128
	}
	for i := 1; i < 7; i++ {
		w := -step
		if b.d[i] < 0 == (b.d[0] < 0) {
			w = step
		}
		b.b[i] = saturate(w + b.b[i]*32640>>15)
	}
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
