package lua

import (
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/switchlet/switchlet/call"
)

// message is what freeswitch.email sends.
type message struct {
	to, from, headers, body string
	file                    string // attached, "" for none
	convert, extension      string // a command that makes another file of it first
}

// Bounds of a message and of the programs that handle it.
const (
	maxAttachment = 32 << 20
	mailTime      = 60 * time.Second
)

// email hands a message to the mailer of switch.conf (mailer-app, default
// sendmail -t) and reports whether it was handed over; how that ended is only
// logged (spec/lua.md §3.12).
func (s *script) email(m message) bool {
	if !s.host.opts.AllowShell {
		s.log(call.LogErr, "email: "+shellRefused+"\n")
		return false
	}
	defer s.rest()()
	ctx, cancel := context.WithTimeout(s.ctx, mailTime)
	defer cancel()
	if m.file != "" && m.convert != "" && m.extension != "" {
		target := strings.TrimSuffix(m.file, filepath.Ext(m.file)) + "." + m.extension
		words := append(strings.Fields(m.convert), m.file, target)
		if out, err := exec.CommandContext(ctx, words[0], words[1:]...).CombinedOutput(); err != nil {
			s.log(call.LogWarning, fmt.Sprintf("email: %s: %v: %s\n", m.convert, err, out))
		}
		m.file = target
	}
	text, err := m.compose()
	if err != nil {
		s.log(call.LogErr, fmt.Sprintf("email: %v\n", err))
		return false
	}
	globals := s.host.sw.Globals
	app, args := globals.Get("mailer-app"), globals.Get("mailer-app-args")
	if app == "" {
		app = "sendmail"
	}
	if args == "" {
		args = "-t"
	}
	mailer := exec.CommandContext(ctx, app, append(strings.Fields(args), m.to)...)
	mailer.Stdin = strings.NewReader(text)
	if out, err := mailer.CombinedOutput(); err != nil {
		s.log(call.LogWarning, fmt.Sprintf("email: %s: %v: %s\n", app, err, out))
	}
	return true
}

// compose writes the message, with the file as a base64 part if there is one.
func (m message) compose() (string, error) {
	var b strings.Builder
	header := func(name, value string) {
		b.WriteString(name + ": " + strings.NewReplacer("\r", "", "\n", " ").Replace(value) + "\n")
	}
	header("MIME-Version", "1.0")
	boundary := call.NewUUID()
	if m.file != "" {
		header("Content-Type", `multipart/mixed; boundary="`+boundary+`"`)
	} else if !strings.Contains(strings.ToLower(m.headers), "content-type:") {
		header("Content-Type", "text/plain; charset=utf-8")
	}
	header("From", m.from)
	header("To", m.to)
	if extra := strings.TrimRight(m.headers, "\r\n"); extra != "" {
		b.WriteString(extra + "\n")
	}
	b.WriteString("\n")
	if m.file == "" {
		b.WriteString(m.body + "\n")
		return b.String(), nil
	}
	info, err := os.Stat(m.file)
	if err != nil {
		return "", err
	}
	if info.Size() > maxAttachment {
		return "", fmt.Errorf("%s has %d bytes, at most %d are sent", m.file, info.Size(), maxAttachment)
	}
	data, err := os.ReadFile(m.file)
	if err != nil {
		return "", err
	}
	name := filepath.Base(m.file)
	fmt.Fprintf(&b, "--%s\nContent-Type: text/plain; charset=utf-8\n\n%s\n\n", boundary, m.body)
	fmt.Fprintf(&b, "--%s\nContent-Type: application/octet-stream; name=%q\nContent-Transfer-Encoding: base64\nContent-Disposition: attachment; filename=%q\n\n", boundary, name, name)
	encoded := base64.StdEncoding.EncodeToString(data)
	for len(encoded) > 76 {
		b.WriteString(encoded[:76] + "\n")
		encoded = encoded[76:]
	}
	fmt.Fprintf(&b, "%s\n--%s--\n", encoded, boundary)
	return b.String(), nil
}
