package sip

import (
	"bytes"
	"io"
	"mime"
	"mime/multipart"
	"strconv"
	"strings"
	"unicode/utf8"

	wire "github.com/emiago/sipgo/sip"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/expand"
)

// Bounds of a body in parts (RFC 5621): how many are looked at, and how large one
// may be to be kept, in bytes.
const (
	maxParts = 16
	maxPart  = 16 << 10
)

// part is one part of a body, with its type in lower case and without parameters.
type part struct{ kind, text string }

// splitParts takes a body of a multipart type apart. What comes behind a part that
// cannot be read is left out.
func splitParts(contentType string, body []byte) (out []part) {
	kind, params, err := mime.ParseMediaType(contentType)
	if err != nil || !strings.HasPrefix(kind, "multipart/") || params["boundary"] == "" {
		return nil
	}
	r := multipart.NewReader(bytes.NewReader(body), params["boundary"])
	for range maxParts {
		p, err := r.NextRawPart()
		if err != nil {
			break
		}
		text, err := io.ReadAll(io.LimitReader(p, maxPart+1))
		if err != nil {
			break
		}
		kind, _, _ := strings.Cut(p.Header.Get("Content-Type"), ";")
		if len(text) <= maxPart {
			out = append(out, part{strings.ToLower(strings.TrimSpace(kind)), string(text)})
		}
	}
	return out
}

// sdpOf is the SDP that a message carries, alone or as one of several parts;
// nil without.
func sdpOf(m wire.Message) []byte {
	if len(m.Body()) == 0 {
		return nil
	}
	if isType(m, "application/sdp") {
		return m.Body()
	}
	for _, p := range splitParts(contentType(m), m.Body()) {
		if p.kind == "application/sdp" {
			return []byte(p.text)
		}
	}
	return nil
}

// attachments are the parts of a message beside its SDP, as sip_multipart has them:
// TYPE:TEXT, an array if there are several. Parts that are no text are left out.
func attachments(m wire.Message) string {
	var out []string
	for _, p := range splitParts(contentType(m), m.Body()) {
		if p.kind != "" && p.kind != "application/sdp" && utf8.ValidString(p.text) && !strings.Contains(p.text, "\x00") {
			out = append(out, p.kind+":"+p.text)
		}
	}
	return expand.FormatArray(out)
}

// setOffer appends the body of an INVITE: our description, and what sip_multipart
// names beside it.
func setOffer(req *wire.Request, ch *call.Channel, body []byte) {
	var b bytes.Buffer
	boundary := ch.UUID()
	for i, item := range expand.ParseArray(ch.Get("sip_multipart")) {
		kind, text, ok := strings.Cut(item, ":")
		if !ok || i >= maxParts || kind == "" || strings.ContainsAny(kind, "\r\n") || len(text) > maxPart || strings.Contains(text, boundary) {
			continue
		}
		b.WriteString("--" + boundary + "\r\nContent-Type: " + kind + "\r\n")
		if own, ok := strings.CutPrefix(text, "~"); ok {
			b.WriteString(own) // with headers of its own
		} else {
			b.WriteString("Content-Length: " + strconv.Itoa(len(text)) + "\r\n\r\n" + text)
		}
		b.WriteString("\r\n")
	}
	if b.Len() == 0 {
		setBody(req, "application/sdp", body)
		return
	}
	if len(body) > 0 {
		b.WriteString("--" + boundary + "\r\nContent-Type: application/sdp\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n")
		b.Write(body)
		b.WriteString("\r\n")
	}
	b.WriteString("--" + boundary + "--\r\n")
	setBody(req, "multipart/mixed; boundary="+boundary, b.Bytes())
}
