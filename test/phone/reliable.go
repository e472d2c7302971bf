package phone

import (
	"strconv"

	"github.com/emiago/sipgo/sip"

	"github.com/switchlet/switchlet/media/sdp"
)

// Reliable provisional responses (RFC 3262).

// Assured delivers the 1xx that came with RSeq, repeated ones too.
func (c *Call) Assured() <-chan *sip.Response { return c.early }

// Pracks delivers the PRACKs that came.
func (c *Call) Pracks() <-chan *sip.Request { return c.pracks }

// LosePracks leaves the next n PRACKs without an answer, as if the network had lost
// it.
func (c *Call) LosePracks(n int) { c.mu.Lock(); c.lose = n; c.mu.Unlock() }

// Prack acknowledges a 1xx and returns the final response. An offer in it is
// answered where the INVITE had none.
func (c *Call) Prack(res *sip.Response) (*sip.Response, error) {
	var body []byte
	if c.phone.NoOffer && len(res.Body()) > 0 {
		s, err := sdp.Parse(res.Body())
		if err != nil {
			return nil, err
		}
		if body, err = c.Sound.answer(s, sdp.SendRecv); err != nil {
			return nil, err
		}
	}
	return c.PrackWith(res, res.GetHeader("RSeq").Value()+" "+strconv.Itoa(int(res.CSeq().SeqNo))+" INVITE", body)
}

// PrackOffer is Prack with a new offer.
func (c *Call) PrackOffer(res *sip.Response, d sdp.Direction) (*sip.Response, error) {
	final, err := c.PrackWith(res, res.GetHeader("RSeq").Value()+" "+strconv.Itoa(int(res.CSeq().SeqNo))+" INVITE", c.Sound.offer(d))
	if err == nil && len(final.Body()) > 0 {
		c.Sound.answered(final.Body())
	}
	return final, err
}

// AssureReinvite makes the next re-INVITE get its answer in a reliable 183, and the
// 200 only after its PRACK.
func (c *Call) AssureReinvite(rseq int) { c.mu.Lock(); c.assure = rseq; c.mu.Unlock() }

// assured answers a re-INVITE so; false: that was not asked for.
func (c *Call) assured(r *sip.Request, tx *sip.ServerTx) bool {
	c.mu.Lock()
	rseq := c.assure
	c.assure = 0
	c.mu.Unlock()
	if rseq == 0 || r.Method != sip.INVITE {
		return false
	}
	s, err := sdp.Parse(r.Body())
	if err != nil {
		return false
	}
	body, err := c.Sound.answer(s, sdp.SendRecv)
	if err != nil {
		return false
	}
	res := sip.NewResponseFromRequest(r, 183, "Progress", nil)
	res.RemoveHeader("Content-Length")
	for _, h := range [][2]string{{"Contact", c.phone.contact()}, {"Require", "100rel"}, {"RSeq", strconv.Itoa(rseq)}, {"Content-Type", "application/sdp"}} {
		res.AppendHeader(sip.NewHeader(h[0], h[1]))
	}
	res.SetBody(body)
	tx.Respond(res)
	c.phone.work.Go(func() {
		select {
		case p := <-c.pracks:
			push(c.pracks, p)
			done := sip.NewResponseFromRequest(r, 200, "OK", nil)
			done.AppendHeader(sip.NewHeader("Contact", c.phone.contact()))
			tx.Respond(done)
			push(c.reinvite, r)
		case <-c.ended:
		case <-c.phone.ctx.Done():
		}
	})
	return true
}

// PrackWith is a PRACK on the early dialog of a 1xx with RAck and SDP of the test's.
func (c *Call) PrackWith(res *sip.Response, rack string, body []byte) (*sip.Response, error) {
	return c.requestEarly(sip.PRACK, res, body, [2]string{"RAck", rack})
}

// UpdateEarly is an UPDATE on the early dialog of a 1xx.
func (c *Call) UpdateEarly(res *sip.Response, body string) (*sip.Response, error) {
	return c.requestEarly(sip.UPDATE, res, []byte(body))
}

func (c *Call) requestEarly(method sip.RequestMethod, res *sip.Response, body []byte, headers ...[2]string) (*sip.Response, error) {
	c.mu.Lock()
	c.seq++
	seq := c.seq
	c.mu.Unlock()
	r, err := c.phone.request(method, res.Contact().Address.String(), c.local, res.To().Value(), c.id, seq)
	if err != nil {
		return nil, err
	}
	for _, h := range headers {
		r.AppendHeader(sip.NewHeader(h[0], h[1]))
	}
	if len(body) > 0 {
		r.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
	}
	r.SetBody(body)
	return c.phone.do(r)
}

// Assure answers an incoming call with a reliable 1xx, once: that it is repeated is
// the test's matter. described: with SDP.
func (c *Call) Assure(status, rseq int, described bool) error {
	var body []byte
	if described {
		var err error
		if body, err = c.Sound.answer(c.offer, sdp.SendRecv); err != nil {
			return err
		}
	}
	return c.respond(status, "Progress", body, [2]string{"Require", "100rel"}, [2]string{"RSeq", strconv.Itoa(rseq)})
}

// AnswerPlain takes an incoming call without SDP: it went over before.
func (c *Call) AnswerPlain() error {
	c.mu.Lock()
	c.answered = true
	c.mu.Unlock()
	return c.respond(200, "OK", nil)
}
