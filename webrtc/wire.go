package webrtc

import (
	"encoding/binary"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	pionrtp "github.com/pion/rtp"
	"github.com/pion/transport/v4/packetio"
	pion "github.com/pion/webrtc/v4"

	"github.com/switchlet/switchlet/media"
	"github.com/switchlet/switchlet/media/rtp"
)

// errWireClosed is what Send returns after Close.
var errWireClosed = errors.New("webrtc: wire is closed")

// wire carries the packets of one peer connection, by the shortcut or through
// pion: it is the TrackLocal that pion sends, and it takes what pion decrypts.
// SRTP does not exist before ICE and DTLS are done; what is sent until then is
// lost.
type wire struct {
	peer    *peer
	handler atomic.Pointer[func(*media.Packet)]
	tracks  atomic.Int32
	streams atomic.Int32 // of sound and of reports, that pion keeps
	in      reception
	out     transmission
	id      string
	stream  string
	closed  atomic.Bool
	short   shortcut
	paths   paths
	control allowance
	level   atomic.Uint32 // id of the audio level extension, 0: not agreed

	receiving sync.Mutex // one packet at a time is handed on
	packet    media.Packet

	sending sync.Mutex // guards what follows
	writer  pion.TrackLocalWriter
	ssrc    uint32
	header  pionrtp.Header
}

// Bounds of how many streams one browser may open in a call. pion keeps every source
// that a packet of RTP or RTCP names until the call ends: who names more than
// maxStreamsKept wants to fill the memory, and the connection ends.
const (
	maxTracks      = 8
	maxStreamsKept = 256
)

// Bind takes what pion negotiated (pion.TrackLocal).
func (w *wire) Bind(c pion.TrackLocalContext) (pion.RTPCodecParameters, error) {
	params := c.CodecParameters()
	if len(params) == 0 {
		return pion.RTPCodecParameters{}, pion.ErrUnsupportedCodec
	}
	w.sending.Lock()
	w.writer, w.ssrc = c.WriteStream(), uint32(c.SSRC())
	w.sending.Unlock()
	return params[0], nil
}

// Unbind ends the sending (pion.TrackLocal).
func (w *wire) Unbind(pion.TrackLocalContext) error {
	w.sending.Lock()
	w.writer = nil
	w.sending.Unlock()
	return nil
}

// ID, RID, StreamID and Kind describe the track (pion.TrackLocal).
func (w *wire) ID() string              { return w.id }
func (w *wire) RID() string             { return "" }
func (w *wire) StreamID() string        { return w.stream }
func (w *wire) Kind() pion.RTPCodecType { return pion.RTPCodecTypeAudio }

// Receive sets who gets the packets (media.Wire).
func (w *wire) Receive(fn func(*media.Packet)) {
	if fn == nil {
		w.handler.Store(nil)
		return
	}
	w.handler.Store(&fn)
}

// Send transmits a packet (media.Wire). It allocates nothing.
func (w *wire) Send(p *media.Packet) error {
	if w.closed.Load() {
		return errWireClosed
	}
	w.sending.Lock()
	defer w.sending.Unlock()
	if w.writer == nil {
		return nil
	}
	ssrc := p.SSRC
	if ssrc == 0 {
		ssrc = w.ssrc
	}
	w.header = pionrtp.Header{Version: 2, Marker: p.Marker, PayloadType: p.PayloadType,
		SequenceNumber: p.Sequence, Timestamp: p.Timestamp, SSRC: ssrc}
	sent, err := w.short.write(&w.header, p.Payload)
	if !sent {
		_, err = w.writer.WriteRTP(&w.header, p.Payload)
	}
	if err == nil {
		w.out.count(p.Timestamp, len(p.Payload))
	}
	return err
}

// Calm says that packets may wait for a clock's tick (media.CalmWire). The port that
// browsers share lets them wait when those of all calls may.
func (w *wire) Calm(calm, soon bool) {
	m := atOnce
	switch {
	case calm && soon:
		m = early
	case calm:
		m = inTime
	}
	w.paths.feel(m)
}

// RemoteLoss is the share of what we send that the browser missed lately, in percent
// (media.LossReporter).
func (w *wire) RemoteLoss() float64 {
	loss, _ := w.out.quality()
	return 100 * loss
}

// Addresses returns the pair that ICE chose (media.Wire).
func (w *wire) Addresses() (local, remote string) { return w.peer.addresses() }

// Close ends the connection; afterwards no packet comes (media.Wire).
func (w *wire) Close() error {
	if w.closed.Swap(true) {
		return nil
	}
	err := w.peer.pc.Close()
	w.receiving.Lock() // waits for the packet that is being handed on
	defer w.receiving.Unlock()
	w.handler.Store(nil)
	return err
}

// deliver hands on one decrypted packet that came at a moment. Caller holds receiving.
func (w *wire) deliver(b []byte, at time.Time) {
	if !parseRTP(b, &w.packet) {
		return
	}
	w.packet.Arrived, w.packet.Silent = at, rtp.MarkedSilent(b, uint8(w.level.Load()))
	w.in.packet(&w.packet)
	if fn := w.handler.Load(); fn != nil && !w.closed.Load() {
		(*fn)(&w.packet)
	}
}

// inlet is what SRTP writes the decrypted packets of one stream to: it hands them
// on at once, on the goroutine that decrypted them, and keeps none. pion's own
// readers wait in Read until the stream ends.
type inlet struct {
	w     *wire
	rtcp  bool
	ended chan struct{}
	once  sync.Once
}

// inlet makes the inlet of a new stream; those beyond maxTracks lead nowhere.
func (w *wire) inlet(kind packetio.BufferPacketType, _ uint32) io.ReadWriteCloser {
	if w.streams.Add(1) == maxStreamsKept {
		go w.Close() // which waits for who called us
	}
	in := &inlet{w: w, rtcp: kind == packetio.RTCPBufferPacket, ended: make(chan struct{})}
	if !in.rtcp && w.tracks.Add(1) > maxTracks {
		in.w = nil
	}
	return in
}

// Write takes one packet (io.Writer). It allocates nothing for RTP.
func (in *inlet) Write(b []byte) (int, error) {
	w := in.w
	switch {
	case w == nil:
	case in.rtcp:
		w.reports(b)
	default:
		w.receiving.Lock()
		w.deliver(b, time.Now())
		w.receiving.Unlock()
	}
	return len(b), nil
}

// Read waits for the end of the stream (io.Reader).
func (in *inlet) Read([]byte) (int, error) {
	<-in.ended
	return 0, io.EOF
}

// Close ends the stream (io.Closer).
func (in *inlet) Close() error {
	in.once.Do(func() { close(in.ended) })
	return nil
}

// parseRTP reads the header of an RTP packet (RFC 3550 §5.1) into p, whose
// Payload and Buf point into b. It reports whether b is one.
func parseRTP(b []byte, p *media.Packet) bool {
	const fixed = 12
	if len(b) < fixed || b[0]>>6 != 2 {
		return false
	}
	at := fixed + int(b[0]&0x0f)*4
	if b[0]&0x10 != 0 {
		if len(b) < at+4 {
			return false
		}
		at += 4 + int(binary.BigEndian.Uint16(b[at+2:]))*4
	}
	end := len(b)
	if at > end {
		return false
	}
	if b[0]&0x20 != 0 {
		pad := int(b[end-1])
		if pad == 0 || pad > end-at {
			return false
		}
		end -= pad
	}
	*p = media.Packet{
		PayloadType: b[1] & 0x7f, Marker: b[1]&0x80 != 0,
		Sequence: binary.BigEndian.Uint16(b[2:]), Timestamp: binary.BigEndian.Uint32(b[4:]),
		SSRC: binary.BigEndian.Uint32(b[8:]), Payload: b[at:end], Buf: b[:end],
	}
	return true
}
