package appliance

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/pion/stun/v4"
)

// stunPort is where STUN servers listen (RFC 8489 §9).
const stunPort = "3478"

// stunLookup asks a STUN server for the address that it sees us under. The
// answer must come before stunLimit is over: a start waits for it.
func stunLookup(ctx context.Context, host string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, stunLimit)
	defer cancel()
	host = strings.TrimPrefix(host, "stun:")
	if _, _, err := net.SplitHostPort(host); err != nil {
		host = net.JoinHostPort(host, stunPort)
	}
	var d net.Dialer
	c, err := d.DialContext(ctx, "udp4", host)
	if err != nil {
		return "", err
	}
	defer c.Close()
	if deadline, ok := ctx.Deadline(); ok {
		c.SetDeadline(deadline)
	}
	question, err := stun.Build(stun.TransactionID, stun.BindingRequest)
	if err != nil {
		return "", err
	}
	if _, err := c.Write(question.Raw); err != nil {
		return "", err
	}
	buf := make([]byte, 1500)
	n, err := c.Read(buf)
	if err != nil {
		return "", err
	}
	answer := &stun.Message{Raw: buf[:n]}
	if err := answer.Decode(); err != nil {
		return "", fmt.Errorf("answer of %s: %w", host, err)
	}
	if answer.TransactionID != question.TransactionID {
		return "", errors.New("answer to another question")
	}
	var seen stun.XORMappedAddress
	if err := seen.GetFrom(answer); err != nil {
		return "", fmt.Errorf("answer of %s: %w", host, err)
	}
	return seen.IP.String(), nil
}
