// Package phone is a small SIP phone for tests: it registers with digest, calls
// and is called, holds, re-invites, sends digits by RFC 4733, hangs up, says a
// tone and hears by Goertzel what comes back.
//
// It is built on sipgo's transport and transactions and knows nothing of the
// switch that it talks to. Failures are returned, with what was expected and
// what came. Nothing here waits without a limit, and Close leaves no goroutine.
package phone

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"
	"github.com/icholy/digest"

	"github.com/switchlet/switchlet/media"
	"github.com/switchlet/switchlet/media/codec"
)

// limit bounds every wait for the other side.
const limit = 30 * time.Second

// Options describe a phone.
type Options struct {
	User, Password string
	Domain         string         // of From and To; "" is the server's host
	Server         netip.AddrPort // where requests go
	Transport      string         // "udp" (default) or "tcp"
	Codecs         []string       // offered and accepted, in order; none: PCMU, PCMA
	Headers        [][2]string    // added to every INVITE
	Replies        [][2]string    // added to every response to an INVITE
	// Wrap puts the SDP of an INVITE or of a 200 into another body.
	Wrap      func(sdp []byte) (contentType string, body []byte)
	AuthUser  string // other than User
	NoDigits  bool   // no telephone-event in SDP
	Supported string // option tags; none: replaces, timer
	// Reliable is the header of an INVITE that says 100rel (RFC 3262): Supported or
	// Require; "" says nothing. Acknowledging is the test's: Call.Prack.
	Reliable string
	NoOffer  bool // an INVITE has no SDP
	// LateACK lets a 2xx wait for its ACK until it is closed; nil: it does not wait.
	LateACK <-chan struct{}
	Proves  bool // a challenge inside a call is answered
	// Crypto is the suite of SRTP (RFC 4568) that is offered and wanted:
	// AES_CM_128_HMAC_SHA1_80 or AEAD_AES_128_GCM; "" is plain RTP. Best offers it with
	// RTP/AVP, else it is RTP/SAVP.
	Crypto string
	Best   bool
}

// Phone is one user agent with one contact.
type Phone struct {
	Options
	local     netip.AddrPort
	udp       *net.UDPConn
	tcp       net.Listener
	transport *sip.TransportLayer
	layer     *sip.TransactionLayer
	table     []*media.Codec
	incoming  chan *Call
	messages  chan *sip.Request
	work      sync.WaitGroup
	ctx       context.Context
	cancel    context.CancelFunc

	mu       sync.Mutex
	calls    map[string]*Call // by Call-ID and our tag
	regID    string
	regSeq   uint32
	lastAuth string
}

// New makes a phone on a free port of the loopback address.
func New(o Options) (*Phone, error) {
	if o.Transport == "" {
		o.Transport = "udp"
	}
	if o.Domain == "" {
		o.Domain = o.Server.Addr().String()
	}
	if o.AuthUser == "" {
		o.AuthUser = o.User
	}
	if len(o.Codecs) == 0 {
		o.Codecs = []string{"PCMU", "PCMA"}
	}
	p := &Phone{Options: o, table: codec.Table(), incoming: make(chan *Call, 16), messages: make(chan *sip.Request, 64),
		calls: make(map[string]*Call), regID: token() + "@phone"}
	if err := p.listen(); err != nil {
		return nil, fmt.Errorf("phone: %w", err)
	}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	quiet := slog.New(slog.DiscardHandler)
	p.transport = sip.NewTransportLayer(net.DefaultResolver, sip.NewParser(), nil, sip.WithTransportLayerLogger(quiet))
	p.layer = sip.NewTransactionLayer(p.transport, sip.WithTransactionLayerLogger(quiet),
		sip.WithTransactionLayerUnhandledResponseHandler(func(*sip.Response) {}))
	p.layer.OnRequest(p.receive)
	p.work.Go(func() { p.transport.ServeUDP(p.udp) })
	if err := p.awaitListener(); err != nil {
		p.Close()
		return nil, err
	}
	if p.tcp != nil {
		p.work.Go(func() { p.transport.ServeTCP(p.tcp) })
	}
	return p, nil
}

// listenTries bounds the search for a port that is free for UDP and for TCP.
const listenTries = 20

// listen opens the phone's sockets, all of one port.
func (p *Phone) listen() error {
	var err error
	for range listenTries {
		if p.udp, err = net.ListenUDP("udp", &net.UDPAddr{IP: p.Server.Addr().AsSlice()}); err != nil {
			return err
		}
		own := p.udp.LocalAddr().(*net.UDPAddr).AddrPort()
		p.local = netip.AddrPortFrom(own.Addr().Unmap(), own.Port())
		if p.Transport != "tcp" {
			return nil
		}
		if p.tcp, err = net.Listen("tcp", p.local.String()); err == nil {
			return nil
		}
		p.udp.Close()
	}
	return err
}

// Close ends the phone; its calls are dropped without a word.
func (p *Phone) Close() {
	p.cancel()
	p.mu.Lock()
	calls := make([]*Call, 0, len(p.calls))
	for _, c := range p.calls {
		calls = append(calls, c)
	}
	p.mu.Unlock()
	for _, c := range calls {
		c.release()
	}
	p.layer.Close()
	p.udp.Close()
	if p.tcp != nil {
		p.tcp.Close()
	}
	p.transport.Close()
	p.work.Wait()
}

// awaitListener waits until requests go out by our own socket: sipgo opens another
// for those that come before it knows of ours.
func (p *Phone) awaitListener() error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(limit); ; <-tick.C {
		if _, err := p.transport.GetConnection("udp", p.local.String()); err == nil {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("phone %s: the socket is not served within %s", p.User, limit)
		}
	}
}

// Addr is the phone's own address.
func (p *Phone) Addr() netip.AddrPort { return p.local }

// Incoming delivers calls to the phone.
func (p *Phone) Incoming() <-chan *Call { return p.incoming }

// Messages delivers MESSAGE, NOTIFY and INFO requests that came.
func (p *Phone) Messages() <-chan *sip.Request { return p.messages }

// Next waits for the next call to the phone.
func (p *Phone) Next() (*Call, error) {
	select {
	case c := <-p.incoming:
		return c, nil
	case <-time.After(limit):
		return nil, fmt.Errorf("phone %s: no call came within %s", p.User, limit)
	}
}

func token() string { return rand.Text()[:12] }

// contact is the phone's Contact.
func (p *Phone) contact() string {
	v := "<sip:" + p.User + "@" + p.local.String()
	if p.Transport != "udp" {
		v += ";transport=" + p.Transport
	}
	return v + ">"
}

// request begins a request; the destination is the server.
func (p *Phone) request(method sip.RequestMethod, uri, from, to, callID string, seq uint32) (*sip.Request, error) {
	var u sip.Uri
	if err := sip.ParseUri(uri, &u); err != nil {
		return nil, fmt.Errorf("phone: %q: %w", uri, err)
	}
	r := sip.NewRequest(method, u)
	r.AppendHeader(&sip.ViaHeader{ProtocolName: "SIP", ProtocolVersion: "2.0", Transport: strings.ToUpper(p.Transport),
		Host: p.local.Addr().String(), Port: int(p.local.Port()),
		Params: sip.HeaderParams{{K: "branch", V: "z9hG4bK" + token()}, {K: "rport"}}})
	mf := sip.MaxForwardsHeader(70)
	r.AppendHeader(&mf)
	r.AppendHeader(sip.NewHeader("From", from))
	r.AppendHeader(sip.NewHeader("To", to))
	id := sip.CallIDHeader(callID)
	r.AppendHeader(&id)
	r.AppendHeader(&sip.CSeqHeader{SeqNo: seq, MethodName: method})
	r.AppendHeader(sip.NewHeader("Contact", p.contact()))
	r.AppendHeader(sip.NewHeader("User-Agent", "phone"))
	r.AppendHeader(sip.NewHeader("Allow", "INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, NOTIFY, REFER, UPDATE, MESSAGE"))
	supported := p.Supported
	if supported == "" {
		supported = "replaces, timer"
	}
	if p.Reliable == "Supported" {
		supported += ", 100rel"
	}
	r.AppendHeader(sip.NewHeader("Supported", supported))
	r.SetTransport(strings.ToUpper(p.Transport))
	r.SetDestination(p.Server.String())
	if p.Transport == "udp" {
		r.Laddr = sip.Addr{IP: p.local.Addr().AsSlice(), Port: int(p.local.Port())}
	}
	r.From()
	r.To()
	r.Contact()
	return r, nil
}

// do sends a request outside of INVITE transactions and returns the final
// response.
func (p *Phone) do(r *sip.Request) (*sip.Response, error) {
	tx, err := p.layer.Request(p.ctx, r)
	if err != nil {
		return nil, fmt.Errorf("phone: %s: %w", r.Method, err)
	}
	defer tx.Terminate()
	timeout := time.NewTimer(limit)
	defer timeout.Stop()
	for {
		select {
		case res := <-tx.Responses():
			if res.StatusCode >= 200 {
				return res, nil
			}
		case <-tx.Done():
			return nil, fmt.Errorf("phone: %s: %w", r.Method, tx.Err())
		case <-timeout.C:
			return nil, fmt.Errorf("phone: %s: no answer within %s", r.Method, limit)
		}
	}
}

// authorise answers the challenge in res.
func (p *Phone) authorise(r *sip.Request, res *sip.Response, count int) error {
	from, to := "WWW-Authenticate", "Authorization"
	if res.StatusCode == 407 {
		from, to = "Proxy-Authenticate", "Proxy-Authorization"
	}
	h := res.GetHeader(from)
	if h == nil {
		return fmt.Errorf("phone: %d without %s", res.StatusCode, from)
	}
	c, err := digest.ParseChallenge(h.Value())
	if err != nil {
		return fmt.Errorf("phone: %s: %w", h.Value(), err)
	}
	cred, err := digest.Digest(c, digest.Options{Method: string(r.Method), URI: r.Recipient.String(), Username: p.AuthUser, Password: p.Password, Count: count})
	if err != nil {
		return fmt.Errorf("phone: %w", err)
	}
	r.RemoveHeader(to)
	r.AppendHeader(sip.NewHeader(to, cred.String()))
	p.mu.Lock()
	p.lastAuth = cred.String()
	p.mu.Unlock()
	return nil
}

// Register registers for that many seconds (0 takes it back) and returns the
// final response.
func (p *Phone) Register(expires int) (*sip.Response, error) {
	return p.RegisterContact(p.contact(), expires)
}

// RegisterContact is Register with a Contact value of the caller's.
func (p *Phone) RegisterContact(contact string, expires int) (*sip.Response, error) {
	aor := "<sip:" + p.User + "@" + p.Domain + ">"
	var last *sip.Response
	for try := range 2 {
		p.mu.Lock()
		p.regSeq++
		seq := p.regSeq
		p.mu.Unlock()
		r, err := p.request(sip.REGISTER, "sip:"+p.Domain, aor+";tag="+token(), aor, p.regID, seq)
		if err != nil {
			return nil, err
		}
		r.RemoveHeader("Contact")
		if contact != "" {
			r.AppendHeader(sip.NewHeader("Contact", contact))
		}
		r.AppendHeader(sip.NewHeader("Expires", strconv.Itoa(expires)))
		if try > 0 {
			if err := p.authorise(r, last, 1); err != nil {
				return last, err
			}
		}
		r.SetBody(nil)
		if last, err = p.do(r); err != nil {
			return nil, err
		}
		if last.StatusCode != 401 && last.StatusCode != 407 {
			break
		}
	}
	return last, nil
}

// Send sends a request without dialog (MESSAGE, OPTIONS) and answers one
// challenge.
func (p *Phone) Send(method sip.RequestMethod, to, contentType, body string) (*sip.Response, error) {
	from := "<sip:" + p.User + "@" + p.Domain + ">;tag=" + token()
	id := token() + "@phone"
	var last *sip.Response
	for try := range 2 {
		r, err := p.request(method, to, from, "<"+to+">", id, uint32(try+1))
		if err != nil {
			return nil, err
		}
		if try > 0 {
			if err := p.authorise(r, last, 1); err != nil {
				return last, err
			}
		}
		if body != "" {
			r.AppendHeader(sip.NewHeader("Content-Type", contentType))
			r.SetBody([]byte(body))
		} else {
			r.SetBody(nil)
		}
		if last, err = p.do(r); err != nil {
			return nil, err
		}
		if last.StatusCode != 401 && last.StatusCode != 407 {
			break
		}
	}
	return last, nil
}

// receive takes requests.
func (p *Phone) receive(r *sip.Request, tx *sip.ServerTx) {
	if r.Method == sip.ACK {
		tx.Terminate()
		return
	}
	if r.Method != sip.INVITE {
		defer tx.TerminateGracefully()
	}
	tag, _ := r.To().Params.Get("tag")
	p.mu.Lock()
	c := p.calls[r.CallID().Value()+tag]
	p.mu.Unlock()
	switch {
	case c != nil:
		c.receive(r, tx)
	case r.Method == sip.INVITE && tag == "":
		p.invited(r, tx)
	case r.Method == sip.MESSAGE, r.Method == sip.NOTIFY, r.Method == sip.OPTIONS, r.Method == sip.INFO:
		push(p.messages, r)
		tx.Respond(sip.NewResponseFromRequest(r, 200, "OK", nil))
	default:
		tx.Respond(sip.NewResponseFromRequest(r, 481, "Call Does Not Exist", nil))
	}
}

// errStatus makes an error of an unexpected status.
func errStatus(what string, r *sip.Response) error {
	return fmt.Errorf("phone: %s: %d %s", what, r.StatusCode, r.Reason)
}

// ErrEnded is returned for what is asked of a call that is over.
var ErrEnded = errors.New("phone: the call is over")
