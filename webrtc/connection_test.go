package webrtc

import (
	"context"
	"strings"
	"testing"

	pion "github.com/pion/webrtc/v4"

	"github.com/switchlet/switchlet/media"
	"github.com/switchlet/switchlet/media/sdp"
)

func TestConnection_CarriesSoundForAnotherSignalling(t *testing.T) {
	b := newBox(t, nil)
	prefs := testPrefs(t, "opus,PCMU")
	ctx := context.Background()
	for _, ours := range []bool{false, true} {
		far := newBrowser(t, pion.MimeTypeOpus, 48000, 2)
		c, err := b.s.Connect(loopback)
		must(t, err)
		if ours {
			offer, err := c.Offer(ctx, prefs, sdp.SendRecv)
			must(t, err)
			must(t, c.Accept(far.answer(offer), prefs))
		} else {
			offer := far.offer()
			if !Secure(offer) {
				t.Error("a browser's offer is not known as one")
			}
			answer, err := c.Answer(ctx, offer, prefs, sdp.SendRecv)
			must(t, err)
			far.accept(answer)
		}
		f, d, theirs := c.Agreed()
		if f.Codec.Name != "opus" || d.PayloadType != 110 || theirs != sdp.SendRecv {
			t.Errorf("agreed on %s, digits %d, %v", f.Codec.Name, d.PayloadType, theirs)
		}
		heard := make(chan media.Packet, 10)
		c.Wire().Receive(func(p *media.Packet) {
			select {
			case heard <- *p:
			default:
			}
		})
		if !c.Wait(ctx) {
			t.Fatal("no connection")
		}
		talking, stop := context.WithCancel(ctx)
		go far.talk(talking, 960)
		if p := <-heard; p.PayloadType != f.Receives() {
			t.Errorf("payload type %d", p.PayloadType)
		}
		stop()
		for n := range 5 {
			must(t, c.Wire().Send(&media.Packet{PayloadType: f.PayloadType, Sequence: uint16(n), Timestamp: uint32(n) * 960, Payload: []byte{1}}))
		}
		far.hear(patience)
		// Hold: an offer of ours with the codec in force.
		offer, err := c.Offer(ctx, prefs, sdp.SendOnly)
		must(t, err)
		if !strings.Contains(offer, "a=sendonly") {
			t.Errorf("our offer of hold: %s", offer)
		}
		// Browsers mirror the direction; the far end of this test does not.
		must(t, c.Accept(strings.Replace(far.answer(offer), "a=sendrecv", "a=recvonly", 1), prefs))
		if _, _, theirs := c.Agreed(); theirs != sdp.RecvOnly {
			t.Errorf("to sendonly the far end said %v", theirs)
		}
		// Whoever began DTLS stays it when the far end makes an offer.
		again, err := c.Answer(ctx, far.offer(), prefs, sdp.SendRecv)
		must(t, err)
		if want := map[bool]string{false: "a=setup:active", true: "a=setup:passive"}[ours]; !strings.Contains(again, want) {
			t.Errorf("a later answer lacks %s", want)
		}
		far.accept(again)
		must(t, c.Close())
		must(t, c.Close())
		if len(b.s.others) != 0 {
			t.Error("the server still knows the connection")
		}
	}
	if Secure("v=0\r\nm=audio 4000 RTP/AVP 0\r\n") {
		t.Error("a phone's offer is taken for a browser's")
	}
}
