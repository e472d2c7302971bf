package sip

import (
	"context"
	"strings"

	wire "github.com/emiago/sipgo/sip"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
)

// receive gets every request that begins a transaction, in a goroutine of its
// own.
func (p *Profile) receive(req *wire.Request, tx *wire.ServerTx) {
	defer func() {
		if r := recover(); r != nil {
			p.stack.crashed("request "+string(req.Method), r)
			tx.Terminate()
		}
	}()
	if req.Method == wire.INVITE {
		call.Roomier()
	} else {
		call.Roomy()
	}
	if p.closing.Load() || !p.sane(req, tx) {
		tx.TerminateGracefully()
		return
	}
	if req.Method == wire.ACK {
		if l := p.stack.findLeg(req.CallID().Value(), tag(req.To().Params)); l != nil {
			l.receiveACK(req)
		}
		tx.Terminate()
		return
	}
	if t := tag(req.To().Params); t != "" && req.Method != wire.REGISTER {
		if l := p.stack.findLeg(req.CallID().Value(), t); l != nil {
			l.receive(p.ctx, req, tx)
		} else if req.Method == wire.SUBSCRIBE {
			p.subscribe(p.ctx, req, tx)
		} else if req.Method == wire.INVITE && t == p.firstTag(req) {
			p.begins(p.ctx, req, tx)
		} else {
			p.outOfDialog(req, tx)
		}
	} else {
		p.begins(p.ctx, req, tx)
	}
	if req.Method != wire.INVITE {
		tx.TerminateGracefully()
	}
}

// sane refuses what is no proper request; sipgo is lenient.
func (p *Profile) sane(req *wire.Request, tx *wire.ServerTx) bool {
	bad := func(reason string) bool {
		if req.Method != wire.ACK {
			p.respond(req, tx, 400, reason)
		}
		return false
	}
	if req.SipVersion != "SIP/2.0" {
		if req.Method != wire.ACK {
			p.respond(req, tx, 505, phrase(505))
		}
		return false
	}
	switch {
	case req.From() == nil, req.To() == nil, req.CallID() == nil, req.CSeq() == nil, req.Via() == nil:
		return bad("Bad Request")
	case req.CSeq().MethodName != req.Method:
		return bad("Bad CSeq Header")
	case len(req.CallID().Value()) > 256, len(req.From().Value()) > maxURI, len(req.To().Value()) > maxURI:
		return bad("Bad Request")
	}
	if s := req.Recipient.Scheme; s != "sip" && s != "sips" && s != "tel" {
		if req.Method != wire.ACK {
			p.respond(req, tx, 416, phrase(416))
		}
		return false
	}
	if mf := req.MaxForwards(); mf != nil && mf.Val() == 0 && req.Method == wire.INVITE {
		p.respond(req, tx, 483, phrase(483))
		return false
	}
	if req.Method != wire.ACK && req.Method != wire.CANCEL {
		if unknown := p.unsupported(req); unknown != "" {
			p.respond(req, tx, 420, phrase(420), field{"Unsupported", unknown})
			return false
		}
	}
	return true
}

// unsupported lists the option tags of Require that we do not have.
func (p *Profile) unsupported(req *wire.Request) string {
	var out []string
	s := p.settings()
	for _, h := range req.GetHeaders("Require") {
		for tag := range strings.SplitSeq(h.Value(), ",") {
			tag = strings.TrimSpace(tag)
			have := false
			switch strings.ToLower(tag) {
			case "", "replaces", "path", "norefersub", "tdialog":
				have = true
			case "timer":
				have = s.enableTimer
			case reliably:
				have = s.reliable
			}
			if !have {
				out = append(out, tag)
			}
		}
	}
	return strings.Join(out, ", ")
}

// begins handles requests outside of dialogs.
func (p *Profile) begins(ctx context.Context, req *wire.Request, tx *wire.ServerTx) {
	switch req.Method {
	case wire.INVITE:
		p.invite(ctx, req, tx)
	case wire.REGISTER:
		p.register(ctx, req, tx)
	case wire.OPTIONS:
		p.options(req, tx)
	case wire.MESSAGE:
		p.message(ctx, req, tx)
	case wire.NOTIFY:
		p.notify(req, tx)
	case wire.SUBSCRIBE, wire.PUBLISH:
		p.subscribe(ctx, req, tx)
	case wire.CANCEL, wire.BYE, wire.INFO, wire.UPDATE, wire.PRACK, wire.REFER:
		p.outOfDialog(req, tx)
	default:
		p.respond(req, tx, 501, phrase(501))
	}
}

// outOfDialog refuses what belongs to no call of ours.
func (p *Profile) outOfDialog(req *wire.Request, tx *wire.ServerTx) {
	switch req.Method {
	case wire.NOTIFY:
		p.notify(req, tx)
	case wire.OPTIONS:
		p.options(req, tx)
	default:
		p.respond(req, tx, 481, "Call Does Not Exist")
	}
}

// options answers an OPTIONS.
func (p *Profile) options(req *wire.Request, tx *wire.ServerTx) {
	s := p.settings()
	status := 200
	if in, _ := p.stack.Switch.Limits.Paused(); in || s.optionsBusy && p.stack.Switch.Limits.Full(true) {
		status = 503
	}
	res := p.reply(req, status, phrase(status))
	put(res, field{"Contact", p.contact(s.contactUser, "", sourceOf(req).Addr(), strings.ToLower(req.Transport()))})
	put(res, field{"User-Agent", s.agent}, field{"Accept", "application/sdp"}, field{"Allow", s.allow()},
		field{"Supported", s.supported()}, field{"Allow-Events", s.events()})
	setBody(res, "", nil)
	p.send(tx, res)
}

// notify answers a NOTIFY outside of calls and fires NOTIFY_IN.
func (p *Profile) notify(req *wire.Request, tx *wire.ServerTx) {
	p.respond(req, tx, 200, "OK")
	p.notifyIn(req, nil)
}

func (p *Profile) notifyIn(req *wire.Request, l *leg) {
	if !p.stack.Switch.Bus.Wanted(event.NotifyIn, "") {
		return
	}
	e := event.New(event.NotifyIn, "")
	e.Add("event", get(req, "Event"))
	e.Add("pl_data", string(req.Body()))
	e.Add("sip_content_type", contentType(req))
	e.Add("port", "")
	e.Add("module_name", "mod_sofia")
	e.Add("profile_name", p.name)
	e.Add("profile_uri", p.url("udp"))
	if l != nil {
		if ch := l.channel(); ch != nil {
			ch.AddTo(e)
		}
	}
	p.publish(e)
}

func contentType(m wire.Message) string {
	return strings.TrimSpace(or(header(m, "Content-Type"), header(m, "c")))
}

// isType reports whether a message's body is of a type, parameters aside.
func isType(m wire.Message, want string) bool {
	t, _, _ := strings.Cut(contentType(m), ";")
	return strings.EqualFold(strings.TrimSpace(t), want)
}
