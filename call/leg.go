package call

import (
	"context"
	"encoding/json"

	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/media"
)

// Leg is the endpoint's half of a channel. The channel's goroutine calls it,
// with no lock held. What the far end does comes back through the Channel's
// marking methods: MarkRinging, MarkEarly, MarkAnswered, SetFormat, Hangup,
// ReceiveDigit, RemoteHold, QueueEvent.
type Leg interface {
	// Init runs in CS_INIT. An outbound leg sends its call out here.
	Init(ctx context.Context, ch *Channel) error
	// Ring tells the caller of an inbound leg that it rings (180).
	Ring(ctx context.Context) error
	// Progress opens early media on an inbound leg (183 with SDP): when it returns
	// nil the Port is attached and SetFormat was called.
	Progress(ctx context.Context) error
	// Answer answers an inbound leg; when it returns nil the Port is attached. With
	// late negotiation it calls SetFormat and MarkEarly first (spec/esl.md §5 rule 3).
	Answer(ctx context.Context) error
	// Hangup ends the leg towards the far end (BYE, CANCEL or a refusal, as it
	// stands) and releases what it holds. It is called exactly once for every
	// channel, in CS_HANGUP, also when the far end hung up, and sets the endpoint's
	// final variables. It must not wait for the far end.
	Hangup(cause Cause)
}

// The following are abilities that a Leg may have beside.

// Holder can put its far end on hold by signalling (re-INVITE, verto.modify).
type Holder interface {
	Hold(ctx context.Context, on bool) error
}

// Redirector can send the caller elsewhere: Redirect before the answer (302),
// Deflect after it (REFER).
type Redirector interface {
	Redirect(ctx context.Context, targets string) error
	Deflect(ctx context.Context, target string) (reply string, err error)
}

// Responder can answer an unanswered call with a status of the application's
// choice.
type Responder interface {
	Respond(ctx context.Context, status int, reason string) error
}

// DigitSender sends digits by signalling, for legs without telephone-event.
type DigitSender interface {
	SendDigit(d media.Digit) error
}

// Displayer can change what the far end's display shows.
type Displayer interface {
	Display(ctx context.Context, name, number string) error
}

// Messenger delivers an event (SEND_MESSAGE, SEND_INFO, MESSAGE) to the far end.
type Messenger interface {
	Message(ctx context.Context, e *event.Event) error
}

// Prompter can ask who sits at the far end to enter something: digits (kind "dtmf") or a
// text ("message"), which is to match pattern, a regular expression, unless that is "".
// What is entered comes like any other digits and messages. It fails where the far end
// is not there, or for another kind.
type Prompter interface {
	Prompt(ctx context.Context, kind, text, pattern string) error
}

// Constrainer can have its far end record sound in another way. params is a JSON object
// with members audio and video, each the constraints of a browser's capture.
type Constrainer interface {
	MediaParams(ctx context.Context, params json.RawMessage) error
}

// Bridger is told when the channel was bridged or unbridged with another, so
// that it can change media paths or identities.
type Bridger interface {
	Bridged(other *Channel)
	Unbridged()
}

// Bypasser can take the switch out of the path of the sound, so that the far ends
// talk to each other directly, or back into it (uuid_media).
type Bypasser interface {
	Bypass(ctx context.Context, on bool) error
}

// Renegotiator can negotiate codecs anew on a running call. codecs is a codec
// string, "" for what was configured; only leaves no others in the offer.
type Renegotiator interface {
	Renegotiate(ctx context.Context, codecs string, only bool) error
}

// Simplifier can cut itself out of a call that it only passes on (uuid_simplify).
type Simplifier interface {
	Simplify(ctx context.Context) error
}
