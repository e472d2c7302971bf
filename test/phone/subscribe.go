package phone

import (
	"strconv"

	"github.com/emiago/sipgo/sip"
)

// Subscription is the phone's side of a SUBSCRIBE. What it is told comes by Messages.
type Subscription struct {
	phone            *Phone
	event            string
	target, from, to string
	id               string
	seq              uint32
	answers          *sip.Response
}

// Subscribe asks to be told of a package of events about to.
func (p *Phone) Subscribe(to, event string, expires int) (*Subscription, error) {
	s := &Subscription{phone: p, event: event, target: to, from: "<sip:" + p.User + "@" + p.Domain + ">;tag=" + token(),
		to: "<" + to + ">", id: token() + "@phone"}
	return s, s.Renew(expires)
}

// ID is the Call-ID.
func (s *Subscription) ID() string { return s.id }

// Response is the final answer to the last SUBSCRIBE.
func (s *Subscription) Response() *sip.Response { return s.answers }

// Renew lets the subscription last so many seconds more; 0 ends it. It answers one
// challenge; whatever the final status, it is no error.
func (s *Subscription) Renew(expires int) error {
	p := s.phone
	var last *sip.Response
	for try := range 2 {
		s.seq++
		r, err := p.request(sip.SUBSCRIBE, s.target, s.from, s.to, s.id, s.seq)
		if err != nil {
			return err
		}
		r.AppendHeader(sip.NewHeader("Event", s.event))
		r.AppendHeader(sip.NewHeader("Expires", strconv.Itoa(expires)))
		if try > 0 {
			if err := p.authorise(r, last, 1); err != nil {
				return err
			}
		}
		r.SetBody(nil)
		if last, err = p.do(r); err != nil {
			return err
		}
		if last.StatusCode != 401 && last.StatusCode != 407 {
			break
		}
	}
	if s.answers = last; last.StatusCode < 300 {
		s.to = last.To().Value()
	}
	return nil
}
