// Package opus gives the Opus codec (RFC 6716, RTP payload RFC 7587) to the
// codec table.
//
// The box hears and speaks mono: stereo packets are decoded to mono, encoders
// are mono. Decoders give any of the rates of Opus directly, whatever the peer
// encoded, so that a mix at 8 or 16 kHz needs no resampler. Encoders obey the
// peer's format parameters; sources of 16 kHz and less are encoded at the least
// complexity. Lost packets are concealed, or recovered from the next packet when
// it carries in-band FEC.
//
// A Pool keeps closed decoders, which are large, for the next call. Encoders are
// not kept: after a reset they still differ from new ones.
// The signal processing itself is github.com/thesyncim/gopus; nothing of it is
// visible outside this package.
package opus

import (
	"fmt"
	"slices"
	"sync"

	"github.com/switchlet/switchlet/media"
	"github.com/thesyncim/gopus"
)

// Rates returns the PCM rates in Hz at which encoders and decoders work.
func Rates() []int { return []int{48000, 24000, 16000, 12000, 8000} }

func bandwidthFor(rate int) gopus.Bandwidth {
	switch {
	case rate <= 8000:
		return gopus.BandwidthNarrowband
	case rate <= 12000:
		return gopus.BandwidthMediumband
	case rate <= 16000:
		return gopus.BandwidthWideband
	case rate <= 24000:
		return gopus.BandwidthSuperwideband
	}
	return gopus.BandwidthFullband
}

// Pool makes encoders and decoders, and takes decoders back when they are closed.
// It is safe for concurrent use; what it makes is not.
type Pool struct {
	options  Options
	decoders [5]sync.Pool // by index in Rates; each holds *gopus.Decoder
}

// NewPool returns an empty Pool.
func NewPool(o Options) *Pool { return &Pool{options: o} }

func rateIndex(rate int) (int, error) {
	i := slices.Index(Rates(), rate)
	if i < 0 {
		return 0, fmt.Errorf("opus: no PCM rate of %d Hz; it can be 8000, 12000, 16000, 24000 or 48000", rate)
	}
	return i, nil
}

type encoder struct {
	enc     *gopus.Encoder
	dtx     bool
	own     Options
	params  Params
	rate    int // Hz that are encoded at most
	percent int // of loss that FEC is laid out for; 0: no FEC
	less    int // bits a second that are not used, because much was lost
}

// NewEncoder returns an encoder of pcm at rate Hz in packets of f.Ptime ms (10,
// 20, 40, 60, 80, 100 or 120) that obeys the peer's parameters in f.Fmtp.
func (p *Pool) NewEncoder(f media.Format, rate int) (media.Encoder, error) {
	if _, err := rateIndex(rate); err != nil {
		return nil, err
	}
	// The application for voice would only add a high-pass filter, whose shift of
	// phase costs 1 to 3 dB of waveform; the coding is chosen by the signal's kind.
	enc, err := gopus.NewEncoder(gopus.EncoderConfig{SampleRate: rate, Channels: 1, Application: gopus.ApplicationAudio})
	if err != nil {
		return nil, fmt.Errorf("opus: encoder at %d Hz: %w", rate, err)
	}
	own := p.options.with(f.Settings)
	params := ParseParams(f.Fmtp)
	if err := own.configure(enc, params, f.Ptime, rate); err != nil {
		return nil, fmt.Errorf("opus: encoder at %d Hz, ptime %d: %w", rate, f.Ptime, err)
	}
	e := &encoder{enc: enc, dtx: params.DTX || own.DTX, own: own, params: params, rate: least(rate, params.MaxPlaybackRate, own.MaxCaptureRate)}
	if params.InBandFEC && !own.NoFEC {
		e.percent = own.loss()
	}
	return e, nil
}

// ExpectLoss implements media.LossFollower: in-band FEC is laid out for what is missed,
// in steps, and never for less than was configured; and the bit rate follows, where that
// was asked for.
func (e *encoder) ExpectLoss(percent float64) {
	loss, less := e.percent, e.less
	if loss > 0 {
		loss = max(e.own.loss(), min((int(percent)+lossStep-1)/lossStep*lossStep, mostLoss))
	}
	if e.own.AdjustBitrate {
		less = e.adjusted(percent)
	}
	if loss == e.percent && less == e.less {
		return
	}
	e.percent, e.less = loss, less
	// Neither value can be out of range.
	_ = e.enc.SetPacketLoss(e.percent)
	_ = e.enc.SetBitrate(e.bitrate())
}

// FEC follows the loss in steps of lossStep percent, up to mostLoss.
const (
	lossStep = 10
	mostLoss = 30
)

// The bit rate falls with each report of badLoss percent and more, by that share of what
// lies above lowestBitrate, and rises by a tenth of it with each below goodLoss.
const (
	badLoss       = 5
	goodLoss      = 1
	lowestBitrate = 6000
)

// adjusted returns by how much the bit rate is to be lowered.
func (e *encoder) adjusted(percent float64) int {
	own := e.own
	own.KeepFEC = false
	room := max(least(own.bitrate(e.rate, e.percent > 0), e.params.MaxAverageBitrate)-lowestBitrate, 0)
	switch {
	case percent >= badLoss:
		return min(e.less+room*int(min(percent, 100))/100, room)
	case percent < goodLoss:
		return max(e.less-(room+9)/10, 0)
	}
	return e.less
}

// bitrate is the one in force. A link that is too narrow has nothing to spare for FEC.
func (e *encoder) bitrate() int {
	want := e.own
	want.PacketLoss, want.KeepFEC = e.percent, want.KeepFEC && e.less == 0
	return least(want.bitrate(e.rate, e.percent > 0), e.params.MaxAverageBitrate) - e.less
}

// configure applies the Options and the peer's parameters.
func (o Options) configure(enc *gopus.Encoder, params Params, ptime, rate int) error {
	if ptime <= 0 {
		ptime = 20
	}
	effective := least(rate, params.MaxPlaybackRate, o.MaxCaptureRate)
	mode, fec, loss := gopus.BitrateModeCVBR, gopus.InBandFECDisabled, 0
	if params.CBR || o.CBR {
		mode = gopus.BitrateModeCBR
	}
	if params.InBandFEC && !o.NoFEC {
		fec, loss = 1, o.loss()
	}
	enc.SetDTX(params.DTX || o.DTX)
	for _, err := range []error{
		enc.SetSignal(gopus.SignalVoice),
		enc.SetFrameSize(rate * ptime / 1000),
		enc.SetBitrate(least(o.bitrate(effective, fec != gopus.InBandFECDisabled), params.MaxAverageBitrate)),
		enc.SetComplexity(o.complexity(effective)),
		enc.SetBitrateMode(mode),
		enc.SetMaxBandwidth(bandwidthFor(effective)),
		enc.SetInBandFEC(fec),
		enc.SetPacketLoss(loss),
	} {
		if err != nil {
			return err
		}
	}
	return nil
}

// least returns the smallest of n and those limits that are not zero.
func least(n int, limits ...int) int {
	for _, l := range limits {
		if l > 0 {
			n = min(n, l)
		}
	}
	return n
}

func (e *encoder) Encode(pcm []int16, out []byte) (int, error) {
	n, err := e.enc.EncodeInt16(pcm, out)
	if err != nil {
		return 0, fmt.Errorf("opus: encode %d samples: %w", len(pcm), err)
	}
	// A packet of two bytes or less says "as before" and need not be sent
	// (RFC 6716 §2.1.9); only peers that asked for DTX expect the gap.
	if e.dtx && n <= 2 {
		return 0, nil
	}
	return n, nil
}

func (*encoder) Close() {}

// Decoder is a media.Decoder that can also recover a lost packet.
type Decoder struct {
	pool  *Pool
	index int
	rate  int
	dec   *gopus.Decoder
	wide  []float32 // FEC gives floats
}

// NewDecoder returns a decoder (a *Decoder) to mono pcm at rate Hz.
func (p *Pool) NewDecoder(_ media.Format, rate int) (media.Decoder, error) {
	i, err := rateIndex(rate)
	if err != nil {
		return nil, err
	}
	dec, _ := p.decoders[i].Get().(*gopus.Decoder)
	if dec == nil {
		dec, err = gopus.NewDecoder(gopus.DefaultDecoderConfig(rate, 1))
		if err != nil {
			return nil, fmt.Errorf("opus: decoder at %d Hz: %w", rate, err)
		}
	}
	return &Decoder{pool: p, index: i, rate: rate, dec: dec}, nil
}

// Decode implements media.Decoder. pcm must have room for the packet's whole
// duration (at most 120 ms).
func (d *Decoder) Decode(payload []byte, pcm []int16) (int, error) {
	if payload == nil {
		return d.conceal(pcm)
	}
	if len(payload) == 0 {
		return 0, nil
	}
	n, err := d.dec.DecodeInt16(payload, pcm)
	if err != nil {
		return 0, fmt.Errorf("opus: decode %d bytes: %w", len(payload), err)
	}
	return n, nil
}

// conceal fills pcm in steps that Opus has: at most 120 ms, multiples of 2.5 ms.
func (d *Decoder) conceal(pcm []int16) (int, error) {
	done := 0
	for done < len(pcm) {
		chunk := pcm[done:]
		chunk = chunk[:min(len(chunk), d.rate/50)]
		n, err := d.dec.DecodeInt16(nil, chunk)
		if err != nil || n <= 0 {
			clear(pcm[done:])
			return len(pcm), nil
		}
		done += n
	}
	return done, nil
}

// Recover decodes the packet that was lost just before next from next's in-band
// FEC, to pcm, whose length is the lost packet's. It returns 0 when next has no
// FEC: then the caller conceals. next itself must be decoded afterwards.
func (d *Decoder) Recover(next []byte, pcm []int16) (int, error) {
	if !HasFEC(next) {
		return 0, nil
	}
	if len(d.wide) < len(pcm) {
		d.wide = make([]float32, len(pcm))
	}
	n, err := d.dec.DecodeWithFEC(next, d.wide[:len(pcm)], true)
	if err != nil {
		return 0, fmt.Errorf("opus: recover: %w", err)
	}
	for i, v := range d.wide[:n] {
		pcm[i] = int16(min(max(v*32768, -32768), 32767))
	}
	return n, nil
}

// Close gives the decoder back to its pool.
func (d *Decoder) Close() {
	if d.dec == nil {
		return
	}
	d.dec.Reset()
	d.pool.decoders[d.index].Put(d.dec)
	d.dec = nil
}
