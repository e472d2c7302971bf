package lua

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	glua "github.com/yuin/gopher-lua"
)

// Bounds of a request that a script makes.
const (
	maxAnswer      = 32 << 20 // bytes of the body
	maxRequestTime = 5 * time.Minute
)

// errNoRedirect keeps the client from following.
var errNoRedirect = http.ErrUseLastResponse

// httpCore is what socket.http and ssl.https are built of.
func httpCore(*script) library { return library{"http": httpRequest} }

// httpRequest takes method, url, headers, body, whether redirections are followed,
// seconds, user and password; it returns body, code, headers and status line, or
// nil and LuaSocket's word for what went wrong.
func httpRequest(s *script, L *glua.LState) int {
	limit := time.Duration(min(max(s.optNumber(L, 6, "request", 60), 0.001), maxRequestTime.Seconds()) * float64(time.Second))
	ctx, cancel := context.WithTimeout(s.ctx, limit)
	defer cancel()
	var body io.Reader
	if L.Get(4) != glua.LNil {
		body = strings.NewReader(s.checkText(L, 4, "request"))
	}
	address := s.checkText(L, 2, "request")
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	q, err := http.NewRequestWithContext(ctx, strings.ToUpper(s.checkText(L, 1, "request")), address, body)
	if err != nil {
		return pushError(L, err)
	}
	if h, ok := L.Get(3).(*glua.LTable); ok {
		h.ForEach(func(k, v glua.LValue) {
			switch name := text(k); name {
			case "host":
				q.Host = text(v)
			case "content-length", "connection", "te", "transfer-encoding":
			default:
				q.Header.Set(name, text(v))
			}
		})
	}
	if user := text(L.Get(7)); user != "" {
		q.SetBasicAuth(user, text(L.Get(8)))
	}
	client := *s.host.client
	if L.Get(5) == glua.LFalse {
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return errNoRedirect }
	}
	end := s.rest()
	answer, content, err := fetch(&client, q)
	end()
	if err != nil {
		return pushError(L, errors.New(socketWord(err)))
	}
	headers := L.CreateTable(0, len(answer.Header))
	for name, values := range answer.Header {
		headers.RawSetString(strings.ToLower(name), glua.LString(strings.Join(values, ", ")))
	}
	s.account(L, len(content))
	L.Push(glua.LString(content))
	L.Push(glua.LNumber(answer.StatusCode))
	L.Push(headers)
	L.Push(glua.LString(answer.Proto + " " + answer.Status))
	return 4
}

func fetch(client *http.Client, q *http.Request) (*http.Response, string, error) {
	answer, err := client.Do(q)
	if err != nil {
		return nil, "", err
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	if err == nil && len(content) > maxAnswer {
		err = errors.New("the answer is longer than 32 MiB")
	}
	return answer, string(content), err
}

// socketWord is what LuaSocket calls an error.
func socketWord(err error) string {
	var dns *net.DNSError
	var timeout net.Error
	switch {
	case errors.As(err, &dns):
		return "host or service not provided, or not known"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
		return "closed"
	}
	return err.Error()
}
