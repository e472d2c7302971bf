package phone

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/switchlet/switchlet/media/codec"
	"github.com/switchlet/switchlet/media/sdp"
)

// Call is one call of a phone.
type Call struct {
	*Sound
	phone  *Phone
	id     string
	tag    string
	local  string // From of our requests
	invite *sip.Request
	server *sip.ServerTx // of an incoming call

	mu       sync.Mutex
	remote   string // To of our requests
	target   string
	seq      uint32
	status   int
	reason   string
	answered bool
	offer    *sdp.Session // the far end's last
	final    *sip.Response
	byeWith  *sip.Request // the BYE that ended it
	cancel   bool         // take the call back as soon as the far end rings
	rings    bool
	taken    bool // CANCEL was sent

	ringing  chan struct{}      // closed at the first 180 or 183
	done     chan struct{}      // closed at the final response or the answer
	ended    chan struct{}      // closed when the call is over
	early    chan *sip.Response // 1xx that want a PRACK
	pracks   chan *sip.Request
	ackBody  []byte // SDP of the ACK, where the INVITE had none
	lose     int    // PRACKs that are not answered
	assure   int    // RSeq of the answer to the next re-INVITE, 0: it is a 200
	reinvite chan *sip.Request
	notify   chan *sip.Request
	once     sync.Once
	finished sync.Once
}

func (p *Phone) newCall(id, tag string) (*Call, error) {
	s, err := newSound(p)
	if err != nil {
		return nil, err
	}
	c := &Call{Sound: s, phone: p, id: id, tag: tag, ringing: make(chan struct{}), done: make(chan struct{}), ended: make(chan struct{}),
		early: make(chan *sip.Response, 16), pracks: make(chan *sip.Request, 16), reinvite: make(chan *sip.Request, 16), notify: make(chan *sip.Request, 16)}
	p.mu.Lock()
	p.calls[id+tag] = c
	p.mu.Unlock()
	return c, nil
}

// release ends the sound and forgets the call.
func (c *Call) release() {
	c.once.Do(func() {
		close(c.ended)
		c.phone.mu.Lock()
		delete(c.phone.calls, c.id+c.tag)
		c.phone.mu.Unlock()
	})
	c.Sound.close()
}

// Ended is closed when the call is over.
func (c *Call) Ended() <-chan struct{} { return c.ended }

// Ringing is closed when the far end rings.
func (c *Call) Ringing() <-chan struct{} { return c.ringing }

// Done is closed when the call was answered or failed.
func (c *Call) Done() <-chan struct{} { return c.done }

// Reinvites delivers re-INVITEs that came.
func (c *Call) Reinvites() <-chan *sip.Request { return c.reinvite }

// Notifies delivers the NOTIFYs that came inside the call.
func (c *Call) Notifies() <-chan *sip.Request { return c.notify }

// Status is the final status of an outgoing call.
func (c *Call) Status() (int, string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.status, c.reason
}

// Final is the final response to our INVITE.
func (c *Call) Final() *sip.Response { c.mu.Lock(); defer c.mu.Unlock(); return c.final }

// Invite is the INVITE that began the call.
func (c *Call) Invite() *sip.Request { return c.invite }

// Bye is the BYE that ended the call, or nil.
func (c *Call) Bye() *sip.Request { c.mu.Lock(); defer c.mu.Unlock(); return c.byeWith }

// ID is what Replaces of another call says about this one.
func (c *Call) ID() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, remote, _ := strings.Cut(c.remote, "tag=")
	return c.id + ";to-tag=" + remote + ";from-tag=" + c.tag
}

// WaitEnd waits until the call is over.
func (c *Call) WaitEnd() error {
	select {
	case <-c.ended:
		return nil
	case <-time.After(limit):
		return fmt.Errorf("phone %s: the call was not ended within %s", c.phone.User, limit)
	}
}

// Dial begins a call to a user or URI; Done tells when it was answered or failed.
func (p *Phone) Dial(to string) (*Call, error) {
	uri := to
	if !strings.HasPrefix(uri, "sip:") {
		uri = "sip:" + to
		if !strings.Contains(to, "@") {
			uri += "@" + p.Domain
		}
	}
	c, err := p.newCall(token()+"@phone", token())
	if err != nil {
		return nil, err
	}
	c.local = "\"" + p.User + "\" <sip:" + p.User + "@" + p.Domain + ">;tag=" + c.tag
	c.remote, c.target = "<"+uri+">", uri
	p.work.Go(func() { c.run(uri) })
	return c, nil
}

// Call calls and waits for the answer. Another final response is an error.
func (p *Phone) Call(to string) (*Call, error) {
	c, err := p.Dial(to)
	if err != nil {
		return nil, err
	}
	return c, c.WaitAnswer()
}

// WaitAnswer waits until an outgoing call is answered.
func (c *Call) WaitAnswer() error {
	select {
	case <-c.done:
	case <-time.After(limit):
		return fmt.Errorf("phone %s: no final response within %s", c.phone.User, limit)
	}
	if status, reason := c.Status(); status != 200 {
		return fmt.Errorf("phone %s: the call was answered with %d %s", c.phone.User, status, reason)
	}
	return nil
}

// run sends the INVITE, with credentials when they are asked for.
func (c *Call) run(uri string) {
	defer c.finished.Do(func() { close(c.done) })
	p := c.phone
	var challenge *sip.Response
	for range 3 {
		c.seq++
		r, err := p.request(sip.INVITE, uri, c.local, c.remote, c.id, c.seq)
		if err != nil {
			c.fail(0, err.Error())
			return
		}
		if challenge != nil {
			if err := p.authorise(r, challenge, 1); err != nil {
				c.fail(challenge.StatusCode, err.Error())
				return
			}
		}
		for _, h := range p.Headers {
			r.AppendHeader(sip.NewHeader(h[0], h[1]))
		}
		if p.Reliable == "Require" {
			r.AppendHeader(sip.NewHeader("Require", "100rel"))
		}
		if p.NoOffer {
			r.SetBody(nil)
		} else {
			kind, body := p.wrap(c.Sound.offer(sdp.SendRecv))
			r.AppendHeader(sip.NewHeader("Content-Type", kind))
			r.SetBody(body)
		}
		challenge = c.attempt(r)
		if challenge == nil {
			return
		}
	}
	c.fail(401, "challenged again and again")
}

func (c *Call) fail(status int, reason string) {
	c.mu.Lock()
	c.status, c.reason = status, reason
	c.mu.Unlock()
	c.release()
}

// attempt sends one INVITE; a challenge is returned.
func (c *Call) attempt(r *sip.Request) *sip.Response {
	p := c.phone
	c.mu.Lock()
	c.invite = r
	c.mu.Unlock()
	tx, err := p.layer.Request(p.ctx, r)
	if err != nil {
		c.fail(503, err.Error())
		return nil
	}
	tx.OnRetransmission(func(res *sip.Response) { c.ack(res) })
	for {
		select {
		case res := <-tx.Responses():
			switch {
			case res.StatusCode < 200:
				c.progress(res)
			case res.StatusCode < 300:
				c.accept(res)
				return nil
			case res.StatusCode == 401 || res.StatusCode == 407:
				return res
			default:
				c.mu.Lock()
				c.final = res
				c.mu.Unlock()
				c.fail(res.StatusCode, res.Reason)
				return nil
			}
		case <-tx.Done():
			c.fail(408, fmt.Sprint(tx.Err()))
			return nil
		case <-p.ctx.Done():
			tx.Terminate()
			c.fail(0, "phone closed")
			return nil
		}
	}
}

func (c *Call) progress(res *sip.Response) {
	if res.StatusCode == 100 {
		return
	}
	if len(res.Body()) > 0 && !c.phone.NoOffer {
		c.Sound.answered(res.Body())
	}
	c.mu.Lock()
	c.status, c.reason = res.StatusCode, res.Reason
	c.mu.Unlock()
	if res.GetHeader("RSeq") != nil {
		select {
		case c.early <- res:
		default:
		}
	}
	c.mu.Lock()
	if !c.rings {
		c.rings = true
		close(c.ringing)
	}
	c.mu.Unlock()
	c.takeBack()
}

// accept takes a 2xx.
func (c *Call) accept(res *sip.Response) {
	c.mu.Lock()
	c.status, c.reason, c.final, c.answered = res.StatusCode, res.Reason, res, true
	c.remote = res.To().Value()
	if h := res.Contact(); h != nil {
		c.target = h.Address.String()
	}
	c.mu.Unlock()
	switch s, err := sdp.Parse(res.Body()); {
	case len(res.Body()) == 0:
	case !c.phone.NoOffer:
		c.Sound.answered(res.Body())
	case err == nil:
		if body, err := c.Sound.answer(s, sdp.SendRecv); err == nil {
			c.mu.Lock()
			c.ackBody = body
			c.mu.Unlock()
		}
	}
	c.ack(res)
}

func (c *Call) ack(res *sip.Response) {
	if c.phone.LateACK != nil {
		select {
		case <-c.phone.LateACK:
		default:
			return // the 2xx comes again
		}
	}
	c.mu.Lock()
	target, body := c.target, c.ackBody
	c.mu.Unlock()
	a, err := c.phone.request(sip.ACK, target, c.local, res.To().Value(), c.id, res.CSeq().SeqNo)
	if err != nil {
		return
	}
	if len(body) > 0 {
		a.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
	}
	a.SetBody(body)
	c.phone.transport.WriteMsg(a)
}

// Cancel takes an unanswered call back.
func (c *Call) Cancel() {
	c.mu.Lock()
	c.cancel = true
	c.mu.Unlock()
	c.takeBack()
}

// takeBack sends the CANCEL, once, when it is wanted and the far end rings.
func (c *Call) takeBack() {
	c.mu.Lock()
	due := c.cancel && c.rings && !c.taken
	c.taken = c.taken || due
	r := c.invite
	c.mu.Unlock()
	if due {
		c.sendCancel(r)
	}
}

func (c *Call) sendCancel(invite *sip.Request) {
	r := sip.NewRequest(sip.CANCEL, invite.Recipient)
	r.AppendHeader(invite.Via().Clone())
	mf := sip.MaxForwardsHeader(70)
	r.AppendHeader(&mf)
	r.AppendHeader(sip.NewHeader("From", invite.From().Value()))
	r.AppendHeader(sip.NewHeader("To", invite.To().Value()))
	id := sip.CallIDHeader(c.id)
	r.AppendHeader(&id)
	r.AppendHeader(&sip.CSeqHeader{SeqNo: invite.CSeq().SeqNo, MethodName: sip.CANCEL})
	r.SetTransport(invite.Transport())
	r.SetDestination(invite.Destination())
	r.Laddr = invite.Laddr
	r.SetBody(nil)
	c.phone.work.Go(func() { c.phone.do(r) })
}

// inside begins a request inside the call.
func (c *Call) inside(method sip.RequestMethod) (*sip.Request, error) {
	c.mu.Lock()
	c.seq++
	seq, remote, target := c.seq, c.remote, c.target
	c.mu.Unlock()
	return c.phone.request(method, target, c.local, remote, c.id, seq)
}

// Request sends a request inside the call and returns the final response.
func (c *Call) Request(method sip.RequestMethod, contentType, body string, headers ...[2]string) (*sip.Response, error) {
	r, err := c.inside(method)
	if err != nil {
		return nil, err
	}
	for _, h := range headers {
		r.AppendHeader(sip.NewHeader(h[0], h[1]))
	}
	if body != "" {
		r.AppendHeader(sip.NewHeader("Content-Type", contentType))
		r.SetBody([]byte(body))
	} else {
		r.SetBody(nil)
	}
	res, err := c.phone.do(r)
	if err != nil || res.StatusCode != 401 || !c.phone.Proves {
		return res, err
	}
	again, err := c.inside(method)
	if err != nil {
		return nil, err
	}
	for _, h := range headers {
		again.AppendHeader(sip.NewHeader(h[0], h[1]))
	}
	if body != "" {
		again.AppendHeader(sip.NewHeader("Content-Type", contentType))
	}
	if err := c.phone.authorise(again, res, 1); err != nil {
		return nil, err
	}
	again.SetBody([]byte(body))
	return c.phone.do(again)
}

// Overtaken sends two requests inside the call, the second of them first and the
// other after between returned; it returns both final responses in the order in which
// they were meant.
func (c *Call) Overtaken(method sip.RequestMethod, contentType string, bodies [2]string, between func()) ([2]*sip.Response, error) {
	var requests [2]*sip.Request
	for i, body := range bodies {
		r, err := c.inside(method)
		if err != nil {
			return [2]*sip.Response{}, err
		}
		r.AppendHeader(sip.NewHeader("Content-Type", contentType))
		r.SetBody([]byte(body))
		requests[i] = r
	}
	type result struct {
		res *sip.Response
		err error
	}
	late := make(chan result, 1)
	c.phone.work.Go(func() {
		res, err := c.phone.do(requests[1])
		late <- result{res, err}
	})
	between()
	first, err := c.phone.do(requests[0])
	second := <-late
	return [2]*sip.Response{first, second.res}, errors.Join(err, second.err)
}

// Hangup ends an answered call.
func (c *Call) Hangup() error {
	res, err := c.Request(sip.BYE, "", "")
	c.release()
	if err == nil && res.StatusCode != 200 {
		err = errStatus("BYE", res)
	}
	return err
}

// Hold puts the far end on hold, or takes it back.
func (c *Call) Hold(on bool) error {
	d := sdp.SendRecv
	if on {
		d = sdp.SendOnly
	}
	_, err := c.Reinvite(d)
	return err
}

// Reinvite offers the sound anew in a direction and returns the answer.
func (c *Call) Reinvite(d sdp.Direction) (*sdp.Session, error) {
	r, err := c.inside(sip.INVITE)
	if err != nil {
		return nil, err
	}
	r.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
	r.SetBody(c.Sound.offer(d))
	res, err := c.phone.do(r)
	if err != nil {
		return nil, err
	}
	if res.StatusCode != 200 {
		return nil, errStatus("re-INVITE", res)
	}
	c.Sound.answered(res.Body())
	c.ack(res)
	return sdp.Parse(res.Body())
}

// Refer asks the far end to call a target (blind), or with Replaces in it
// (attended).
func (c *Call) Refer(to string) error {
	res, err := c.Request(sip.REFER, "", "", [2]string{"Refer-To", to}, [2]string{"Referred-By", "<sip:" + c.phone.User + "@" + c.phone.Domain + ">"})
	if err == nil && res.StatusCode != 202 {
		err = errStatus("REFER", res)
	}
	return err
}

// invited takes a new call.
func (p *Phone) invited(r *sip.Request, tx *sip.ServerTx) {
	tag := token()
	c, err := p.newCall(r.CallID().Value(), tag)
	if err != nil {
		tx.Respond(sip.NewResponseFromRequest(r, 500, "No Sound", nil))
		return
	}
	c.invite, c.server = r, tx
	c.local, c.remote = r.To().Value()+";tag="+tag, r.From().Value()
	if h := r.Contact(); h != nil {
		c.target = h.Address.String()
	}
	if len(r.Body()) > 0 {
		c.offer, _ = sdp.Parse(described(r.Body()))
	}
	tx.OnCancel(func(*sip.Request) {
		c.mu.Lock()
		c.cancel = true
		c.mu.Unlock()
		p.work.Go(c.release)
	})
	select {
	case p.incoming <- c:
	default:
		tx.Respond(sip.NewResponseFromRequest(r, 486, "Busy Here", nil))
		c.release()
	}
}

func (c *Call) respond(status int, reason string, body []byte, headers ...[2]string) error {
	// The transaction reads the request when it likes: the tag is the response's.
	res := sip.NewResponseFromRequest(c.invite, status, reason, nil)
	res.To().Params.Add("tag", c.tag)
	res.RemoveHeader("Content-Length")
	res.AppendHeader(sip.NewHeader("Contact", c.phone.contact()))
	res.AppendHeader(sip.NewHeader("Allow", "INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, NOTIFY, REFER, UPDATE, MESSAGE"))
	for _, h := range append(headers, c.phone.Replies...) {
		res.AppendHeader(sip.NewHeader(h[0], h[1]))
	}
	if len(body) > 0 {
		kind, body := c.phone.wrap(body)
		res.AppendHeader(sip.NewHeader("Content-Type", kind))
		res.SetBody(body)
	} else {
		res.SetBody(nil)
	}
	return c.server.Respond(res)
}

// described is the SDP of a body, which may have further parts.
func described(body []byte) []byte {
	if i := bytes.Index(body, []byte("v=0\r\n")); i > 0 {
		body, _, _ = bytes.Cut(body[i:], []byte("\r\n--"))
	}
	return body
}

func (p *Phone) wrap(body []byte) (string, []byte) {
	if p.Wrap == nil {
		return "application/sdp", body
	}
	return p.Wrap(body)
}

// Ring answers an incoming call with 180.
func (c *Call) Ring() error { return c.respond(180, "Ringing", nil) }

// Early answers an incoming call with 183 and SDP.
func (c *Call) Early() error {
	body, err := c.Sound.answer(c.offer, sdp.SendRecv)
	if err != nil {
		return err
	}
	return c.respond(183, "Session Progress", body)
}

// Answer takes an incoming call.
func (c *Call) Answer() error {
	body, err := c.Sound.answer(c.offer, sdp.SendRecv)
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.answered = true
	c.mu.Unlock()
	return c.respond(200, "OK", body)
}

// Reject refuses an incoming call.
func (c *Call) Reject(status int, reason string, headers ...[2]string) error {
	err := c.respond(status, reason, nil, headers...)
	c.release()
	return err
}

// receive takes requests inside the call.
func (c *Call) receive(r *sip.Request, tx *sip.ServerTx) {
	switch r.Method {
	case sip.BYE:
		c.mu.Lock()
		c.byeWith = r
		c.mu.Unlock()
		tx.Respond(sip.NewResponseFromRequest(r, 200, "OK", nil))
		c.release()
	case sip.INVITE, sip.UPDATE:
		if c.assured(r, tx) {
			return
		}
		res := sip.NewResponseFromRequest(r, 200, "OK", nil)
		if len(r.Body()) > 0 {
			s, err := sdp.Parse(r.Body())
			if err == nil {
				var body []byte
				if body, err = c.Sound.answer(s, sdp.SendRecv); err == nil {
					res.RemoveHeader("Content-Length")
					res.AppendHeader(sip.NewHeader("Contact", c.phone.contact()))
					res.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
					res.SetBody(body)
				}
			}
			if err != nil {
				res = sip.NewResponseFromRequest(r, 488, "Not Acceptable Here", nil)
			}
		}
		tx.Respond(res)
		push(c.reinvite, r)
	case sip.PRACK:
		c.mu.Lock()
		lost := c.lose > 0
		if lost {
			c.lose--
		}
		c.mu.Unlock()
		if !lost {
			tx.Respond(sip.NewResponseFromRequest(r, 200, "OK", nil))
		}
		push(c.pracks, r)
	case sip.NOTIFY:
		push(c.notify, r)
		tx.Respond(sip.NewResponseFromRequest(r, 200, "OK", nil))
	default:
		push(c.phone.messages, r)
		tx.Respond(sip.NewResponseFromRequest(r, 200, "OK", nil))
	}
}

// push hands a request to the test. One that may be followed by another is handed on
// before it is answered: else the next one might overtake it here.
func push(ch chan *sip.Request, r *sip.Request) {
	select {
	case ch <- r:
	default:
	}
}

// prefs are the phone's codecs.
func (p *Phone) prefs() []codec.Pref {
	list, _ := codec.ParseList(p.table, strings.Join(p.Codecs, ","))
	return list
}

// Remote is where the far end wants its sound.
func (c *Call) Remote() netip.AddrPort { return c.Sound.remoteAddr() }
