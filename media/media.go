// Package media is the sound of a call: what a leg hears and says, as packets
// and as frames of PCM, and the clock that moves them.
//
// A leg's endpoint owns a Wire, which carries packets to and from the far end.
// A Port sits on the Wire and serves the call: it plays, records, joins another
// Port, sends and receives digits. While both joined Ports speak the same codec
// and nobody listens, packets are relayed from the reader's goroutine (the relay
// gear); otherwise frames move on the Clock (the PCM gear). Applications see
// Ports, Sources and Sinks, never packets.
//
// Sockets and SDP are in media/rtp and media/sdp, codecs in media/codec, files
// and streams in media/file and media/stream. Nothing here knows of calls,
// dialplans or events.
package media

import (
	"fmt"
	"time"
)

// FrameTime is the duration of one frame on the Clock.
const FrameTime = 20 * time.Millisecond

// MaxRate is the highest PCM rate in Hz that a Frame can have.
const MaxRate = 48000

// SamplesPerFrame returns how many samples one frame has at rate Hz.
func SamplesPerFrame(rate int) int { return rate / 50 }

// DynamicPayload stands in Codec.Payload for "no static RTP payload type".
const DynamicPayload = 0xFF

// Codec is one row of the codec table: an audio encoding and how to make its
// encoders and decoders. A Codec without NewDecoder is passed through only.
type Codec struct {
	Name      string // as in SDP: "PCMU", "opus"
	Payload   uint8  // static RTP payload type or DynamicPayload
	ClockRate int    // RTP clock in Hz (G722: 8000 though it samples at 16000)
	Rate      int    // natural PCM rate in Hz
	Channels  int    // channels in rtpmap; 0 and 1 are both "one"
	BitRate   int    // bits a second, 0 if variable
	Ptime     int    // default packet time in ms
	Fmtp      string // format parameters that we offer
	// Rates lists the PCM rates in Hz at which the codec can work directly; the
	// first is the natural one.
	Rates []int

	NewEncoder func(Format, int) (Encoder, error) // Format in force, PCM rate in Hz
	NewDecoder func(Format, int) (Decoder, error)

	// Silent reports whether a packet says itself that it holds silence; nil if the
	// codec's packets cannot say so.
	Silent func(payload []byte) bool
}

// Format is a Codec as one leg negotiated it.
type Format struct {
	Codec       *Codec
	PayloadType uint8  // on the wire, as we send it
	ReceiveType uint8  // on the wire, as the peer sends it; 0 means PayloadType
	Ptime       int    // ms of sound in one packet
	Fmtp        string // the peer's format parameters, "" if none
	Settings    string // of our own encoder, in the form of format parameters; "" if none
}

// Receives returns the payload type that the peer's packets carry.
func (f Format) Receives() uint8 {
	if f.ReceiveType != 0 {
		return f.ReceiveType
	}
	return f.PayloadType
}

// IsZero reports whether nothing was negotiated yet.
func (f Format) IsZero() bool { return f.Codec == nil }

// Samples returns the RTP timestamp step of one packet.
func (f Format) Samples() int {
	if f.Codec == nil {
		return 0
	}
	return f.Codec.ClockRate * f.Ptime / 1000
}

func (f Format) String() string {
	if f.Codec == nil {
		return "none"
	}
	return fmt.Sprintf("%s/%d pt %d %d ms", f.Codec.Name, f.Codec.ClockRate, f.PayloadType, f.Ptime)
}

// SameWire reports whether a packet of f can be sent as a packet of g without
// being decoded.
func (f Format) SameWire(g Format) bool {
	return f.Codec != nil && g.Codec != nil && f.Codec.Name == g.Codec.Name &&
		f.Codec.ClockRate == g.Codec.ClockRate && f.Ptime == g.Ptime
}

// Encoder turns PCM into packets. It is used by one goroutine at a time.
type Encoder interface {
	// Encode writes one packet of pcm (16-bit mono at the encoder's rate) to out
	// and returns its length; 0 means "send nothing" (discontinuous transmission).
	Encode(pcm []int16, out []byte) (int, error)
	Close()
}

// Decoder turns packets into PCM. It is used by one goroutine at a time.
type Decoder interface {
	// Decode writes the sound of payload to pcm and returns the samples written.
	// A nil payload asks for concealment of len(pcm) lost samples.
	Decode(payload []byte, pcm []int16) (int, error)
	Close()
}

// Packet is one RTP packet in parsed form. Whoever receives it may read it until
// the call returns and must copy what it keeps. Buf, when not nil, is the whole
// datagram of which Payload is the tail; a Wire may overwrite the header in Buf
// when it sends the packet on.
type Packet struct {
	PayloadType uint8
	Marker      bool
	Sequence    uint16
	Timestamp   uint32
	SSRC        uint32
	Silent      bool // it says itself that it holds silence (RFC 6464)
	Payload     []byte
	Buf         []byte
	Arrived     time.Time
}

// Wire carries packets between a leg and its far end. A Port is its only reader
// and writer. Implementations: media/rtp (UDP), webrtc (SRTP), Pipe and Null.
type Wire interface {
	// Receive sets the function that gets each packet, called from the reader's
	// goroutine (one at a time). It may be called again to change the function;
	// nil drops what arrives.
	Receive(func(*Packet))
	// Send transmits p. The payload is not kept. SSRC 0 is replaced by the
	// Wire's own. Safe for concurrent use.
	Send(p *Packet) error
	// Addresses are for reports: our transport address and the far end's as far
	// as it is known; "" if there is none.
	Addresses() (local, remote string)
	// Close ends the reader and waits for it.
	Close() error
}

// CalmWire is a Wire that saves work where packets need not come at once, because
// the Clock takes what they carry: Clock.Before has them read in time. early: some
// milliseconds before a tick they are wanted, too, for who answers digits with it.
type CalmWire interface {
	Wire
	Calm(calm, early bool)
}

// Source is sound to be played: 16-bit PCM at Rate Hz, mono.
type Source interface {
	Rate() int
	// Read fills pcm and returns the samples written; io.EOF after the last.
	// It must not block on a network or a slow disk for longer than a frame.
	Read(pcm []int16) (int, error)
	Close() error
}

// Seeker is a Source that has positions.
type Seeker interface {
	// SeekTo goes to sample n (at Rate) from the start.
	SeekTo(n int64) error
	// Position is the sample that is read next.
	Position() int64
}

// Sized is a Source that knows how long it is.
type Sized interface {
	// Len is the length in samples at Rate.
	Len() int64
}

// Sink takes sound that is recorded: 16-bit PCM, channels interleaved, at the
// rate and channel count it was made for.
type Sink interface {
	Rate() int
	Channels() int
	Write(pcm []int16) error
	Close() error
}

// Digit is one DTMF event.
type Digit struct {
	Char     byte // 0-9 A-D * # or F (flash)
	Duration int  // in samples at 8 kHz: 2000 are 250 ms; 0 means unknown
	Source   DigitSource
}

// DigitSource tells how a digit came in.
type DigitSource int

const (
	DigitUnknown  DigitSource = iota
	DigitRTP                  // RFC 4733
	DigitInband               // detected in the sound
	DigitEndpoint             // signalling: SIP INFO, verto.info
	DigitApp                  // an application or API command
)

// String is the value of the header DTMF-Source.
func (s DigitSource) String() string {
	switch s {
	case DigitRTP:
		return "RTP"
	case DigitInband:
		return "INBAND_AUDIO"
	case DigitEndpoint:
		return "ENDPOINT"
	case DigitApp:
		return "APP"
	}
	return "UNKNOWN"
}

// Direction is a direction of a leg, seen from the switch.
type Direction int

const (
	Read  Direction = 1 << iota // what the far end says
	Write                       // what the far end hears
	Both  = Read | Write
)

func (d Direction) String() string {
	switch d {
	case Read:
		return "read"
	case Write:
		return "write"
	}
	return "both"
}
