package sip

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"time"

	wire "github.com/emiago/sipgo/sip"
)

// Texts that stand in every message (spec/sip.md §1).
const (
	allowMethods  = "INVITE, ACK, BYE, CANCEL, OPTIONS, MESSAGE, INFO, UPDATE, REGISTER, REFER"
	allowEvents   = "talk, hold, conference"
	presentEvents = ", presence, as-feature-event, dialog, line-seize, call-info, sla, include-session-description, presence.winfo, message-summary"
)

// allow is the Allow value.
func (s *settings) allow() string {
	v := allowMethods
	if s.reliable {
		v += ", PRACK"
	}
	v += ", NOTIFY"
	if s.managePresence {
		v += ", PUBLISH, SUBSCRIBE"
	}
	return v
}

// supported is the Supported value.
func (s *settings) supported() string {
	v := "path, replaces"
	if s.enableTimer {
		v = "timer, " + v
	}
	if s.reliable {
		v = reliably + ", " + v
	}
	return v
}

// events is the Allow-Events value.
func (s *settings) events() string {
	v := allowEvents
	if s.managePresence {
		v += presentEvents
	}
	return v + ", refer"
}

// field is one header of ours.
type field struct{ name, value string }

// newTag returns a tag for From or To.
func newTag() string { return rand.Text()[:13] }

// tagInvite gives an INVITE that begins a dialog the tag of all answers to it. It has it
// before it has a transaction, which also answers by itself (100 after 200 ms, 487) and
// reads the request in a goroutine of its own.
func (p *Profile) tagInvite(m wire.Message) {
	req, ok := m.(*wire.Request)
	if !ok || req.Method != wire.INVITE || req.To() == nil || tag(req.To().Params) != "" {
		return
	}
	if t := p.firstTag(req); t != "" {
		req.To().Params.Add("tag", t)
	}
}

// firstTag is the tag that an INVITE without one gets: a keyed hash of what makes its
// transaction, so that nobody guesses it and the same INVITE has the same again (RFC
// 3261 §8.2.7). It is empty for a request that lacks a header which all must have.
func (p *Profile) firstTag(req *wire.Request) string {
	via, from, id, seq := req.Via(), req.From(), req.CallID(), req.CSeq()
	if via == nil || from == nil || id == nil || seq == nil {
		return ""
	}
	h := hmac.New(sha256.New, p.tagKey)
	for _, s := range []string{id.Value(), tag(from.Params), seq.Value(), via.SentBy(), param(via.Params, "branch")} {
		h.Write([]byte(s))
		h.Write([]byte{0})
	}
	return base32.StdEncoding.EncodeToString(h.Sum(nil))[:13]
}

// newBranch returns a branch for Via.
func newBranch() string { return "z9hG4bK" + rand.Text()[:16] }

// put appends headers that have a value.
func put(m wire.Message, fields ...field) {
	for _, f := range fields {
		if f.value != "" {
			m.AppendHeader(wire.NewHeader(f.name, clean(f.value)))
		}
	}
}

// setBody appends Content-Type and the body, or an empty Content-Length.
func setBody(m wire.Message, contentType string, body []byte) {
	if len(body) > 0 {
		m.AppendHeader(wire.NewHeader("Content-Type", contentType))
		if contentType == "application/sdp" {
			m.AppendHeader(wire.NewHeader("Content-Disposition", "session"))
		}
		m.SetBody(body)
		return
	}
	m.SetBody(nil)
}

// header is the value of a header, "" without one.
func header(m wire.Message, name string) string {
	h := m.GetHeaders(name)
	if len(h) == 0 {
		return ""
	}
	return h[0].Value()
}

// compact are the short forms of headers that sipgo leaves as they came.
var compact = map[string]string{"Supported": "k", "Event": "o", "Subject": "s", "Allow-Events": "u",
	"Refer-To": "r", "Referred-By": "b", "Content-Encoding": "e"}

// get is header that also takes the compact form.
func get(m wire.Message, name string) string {
	if v := header(m, name); v != "" {
		return v
	}
	if short, ok := compact[name]; ok {
		return header(m, short)
	}
	return ""
}

// tag is the tag of From or To parameters.
func tag(p wire.HeaderParams) string { return param(p, "tag") }

// reply builds a response with what stands in all of ours. Further headers and
// the body are the caller's to add, the body last (setBody).
func (p *Profile) reply(req *wire.Request, status int, reason string) *wire.Response {
	res := wire.NewResponseFromRequest(req, status, clean(reason), nil)
	res.RemoveHeader("Content-Length")
	if via := res.Via(); via != nil {
		source := addrOf(req.Source())
		if !via.Params.Has("received") && source.IsValid() && via.Host != source.String() {
			via.Params.Add("received", source.String())
		}
	}
	if p.settings().forceRport && req.Transport() == "UDP" {
		res.SetDestination(req.Source())
	}
	return res
}

// identify appends User-Agent, Allow and Supported.
func (p *Profile) identify(m wire.Message) {
	s := p.settings()
	put(m, field{"User-Agent", s.agent}, field{"Allow", s.allow()}, field{"Supported", s.supported()})
}

// respond sends a final response without a body.
func (p *Profile) respond(req *wire.Request, tx *wire.ServerTx, status int, reason string, fields ...field) {
	res := p.reply(req, status, reason)
	p.identify(res)
	put(res, fields...)
	setBody(res, "", nil)
	p.send(tx, res)
}

// send sends a response.
func (p *Profile) send(tx *wire.ServerTx, res *wire.Response) error {
	if p.settings().compact {
		res.CompactHeaders = true
	}
	return tx.Respond(res)
}

// target is where a request goes.
type target struct {
	uri       wire.Uri // Request-URI
	route     []string // Route values, topmost first
	transport string   // udp, tcp, tls
	next      string   // host:port of the next hop, "" for that of route or URI
}

// newRequest begins a request to t with Via, Route, Max-Forwards, From, To,
// Call-ID and CSeq.
func (p *Profile) newRequest(method wire.RequestMethod, t *target, from, to, callID string, seq uint32, forwards int) *wire.Request {
	req := wire.NewRequest(method, t.uri)
	transport := t.transport
	if transport == "" {
		transport = "udp"
	}
	next := t.next
	if next == "" {
		next = uriDestination(&t.uri)
		if len(t.route) > 0 {
			if a, err := parseNameAddr(t.route[0]); err == nil {
				next = uriDestination(&a.uri)
			}
		}
	}
	peer := addrOf(next)
	via := &wire.ViaHeader{ProtocolName: "SIP", ProtocolVersion: "2.0", Transport: strings.ToUpper(transport),
		Host: p.host(peer), Port: p.portOf(transport),
		Params: wire.HeaderParams{{K: "rport"}, {K: "branch", V: newBranch()}}}
	req.AppendHeader(via)
	for _, r := range t.route {
		put(req, field{"Route", r})
	}
	if forwards <= 0 {
		forwards = 70
	}
	mf := wire.MaxForwardsHeader(forwards)
	req.AppendHeader(&mf)
	put(req, field{"From", from}, field{"To", to})
	id := wire.CallIDHeader(callID)
	req.AppendHeader(&id)
	req.AppendHeader(&wire.CSeqHeader{SeqNo: seq, MethodName: method})
	req.SetTransport(strings.ToUpper(transport))
	req.SetDestination(next)
	if transport == "udp" {
		s := p.settings()
		req.Laddr = wire.Addr{IP: net.IP(s.sipIP.AsSlice()), Port: p.port}
	}
	if p.settings().compact {
		req.CompactHeaders = true
	}
	return req
}

// dialLimit bounds how long resolving and connecting may take.
const dialLimit = 10 * time.Second

// transact sends a request and calls fn, in one goroutine, for each response and
// at last for a failure: res is nil then. Retransmitted 2xx to an INVITE reach
// again, when not nil.
func (p *Profile) transact(req *wire.Request, again func(*wire.Response), fn func(res *wire.Response, err error)) {
	// sipgo parses these when they are first asked for: here, before several
	// goroutines have the request.
	req.From()
	req.To()
	req.Contact()
	req.Route()
	req.ContentType()
	p.background(func(ctx context.Context) {
		var refused <-chan struct{}
		if req.Method != wire.CANCEL { // it has the branch of its INVITE, which ends instead
			branch := param(req.Via().Params, "branch")
			refused = p.await(branch)
			defer p.forget(branch)
		}
		dial, stop := context.WithTimeout(ctx, dialLimit)
		tx, err := p.begin(dial, req)
		stop()
		if err != nil {
			fn(nil, err)
			return
		}
		if again != nil {
			tx.OnRetransmission(func(res *wire.Response) {
				defer p.survive("repeated response")
				if whole(res) {
					again(res)
				}
			})
		}
		// The transaction's own limit is that of the RFC, and none once there was a 1xx. Only
		// a new call may ring for longer.
		rings := req.Method == wire.INVITE && tag(req.To().Params) == ""
		limit := time.NewTimer(p.settings().patience)
		defer limit.Stop()
		for {
			select {
			case res := <-tx.Responses():
				if !whole(res) {
					if res.StatusCode < 200 {
						continue
					}
					tx.Terminate()
					fn(nil, errMangled)
					return
				}
				if rings {
					limit.Stop()
				}
				fn(res, nil)
				if res.StatusCode >= 200 {
					return
				}
			case <-tx.Done():
				fn(nil, tx.Err())
				return
			case <-refused:
				tx.Terminate()
				fn(nil, errRefused)
				return
			case <-limit.C:
				tx.Terminate()
				fn(nil, wire.ErrTransactionTimeout)
				return
			case <-ctx.Done():
				tx.Terminate()
				fn(nil, ctx.Err())
				return
			}
		}
	})
}

// whole reports whether a response has the headers that all must have; sipgo, which
// found the transaction by the others, passes on any.
func whole(res *wire.Response) bool {
	return res.To() != nil && res.From() != nil && res.CallID() != nil
}

var (
	// errRefused means that nobody listens where a request was sent, or answers it any more.
	errRefused = errors.New("sip: nobody listens at the destination")
	// errMangled means that the final response cannot be one to the request.
	errMangled = errors.New("sip: the response lacks To, From or Call-ID")
)

// await returns a channel that gets a value when the request with that branch
// was refused by the network.
func (p *Profile) await(branch string) <-chan struct{} {
	refused := make(chan struct{}, 1)
	p.waiting.Store(branch, refused)
	return refused
}

func (p *Profile) forget(branch string) { p.waiting.Delete(branch) }

// refused takes a datagram of ours that nobody wanted.
func (p *Profile) refused(datagram []byte) {
	_, rest, ok := strings.Cut(string(datagram), "branch=")
	if !ok || strings.HasPrefix(string(datagram), "SIP/") {
		return
	}
	if end := strings.IndexAny(rest, ";, \r\n"); end >= 0 {
		rest = rest[:end]
	}
	p.giveUp(rest)
}

// giveUp ends the request with that branch, if it is on its way, with errRefused.
func (p *Profile) giveUp(branch string) {
	if w, ok := p.waiting.Load(branch); ok {
		select {
		case w.(chan struct{}) <- struct{}{}:
		default:
		}
	}
}

// begin sends a request.
func (p *Profile) begin(ctx context.Context, req *wire.Request) (tx *wire.ClientTx, err error) {
	err = p.throughOurSocket(ctx, func() error {
		tx, err = p.transactions.Request(ctx, req)
		return err
	})
	return tx, err
}

// changeover is how often and how long a message waits while the UDP reader
// changes generations: sipgo finds no socket of ours then, tries to make another
// on the same port, and is refused.
const (
	changeoverTries = 100
	changeoverPause = 5 * time.Millisecond
)

func (p *Profile) throughOurSocket(ctx context.Context, send func() error) error {
	for range changeoverTries {
		err := send()
		if err == nil || !errors.Is(err, syscall.EADDRINUSE) {
			return err
		}
		pause := time.NewTimer(changeoverPause)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return err
		}
	}
	return errors.New("sip: our socket does not come back")
}

// sendACK sends the ACK of a 2xx outside any transaction.
func (p *Profile) sendACK(ack *wire.Request) error {
	return p.throughOurSocket(p.ctx, func() error { return p.transport.WriteMsg(ack) })
}

// strayResponse takes responses that belong to no transaction.
func (p *Profile) strayResponse(res *wire.Response) { p.counters.noise.Add(1) }

// viaPort is the port of the topmost Via, as variables show it.
func viaPort(v *wire.ViaHeader) string {
	if v == nil || v.Port == 0 {
		return ""
	}
	return strconv.Itoa(v.Port)
}

// sourceOf is the address a message came from.
func sourceOf(req *wire.Request) netip.AddrPort {
	ap, _ := netip.ParseAddrPort(req.Source())
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
