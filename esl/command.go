package esl

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ReplyError is a reply that begins with -ERR. Its text is without that prefix.
type ReplyError struct{ Text string }

func (e *ReplyError) Error() string { return "esl: " + e.Text }

// ErrNewline is returned for a command or header that holds a line end, which
// would be read as something else by the switch.
var ErrNewline = errors.New("esl: line end inside a command or header")

// Send sends a command line ("linger 10", "divert_events on") and returns its
// reply. A reply of -ERR is not an error here; see Do.
func (c *Conn) Send(ctx context.Context, command string) (*Message, error) {
	command = strings.TrimRight(command, "\r\n")
	if strings.ContainsAny(command, "\r\n") {
		return nil, ErrNewline
	}
	return c.request(ctx, command+"\n\n")
}

// Do sends a command line and returns the text of its reply. A text of -ERR is
// returned as a *ReplyError.
func (c *Conn) Do(ctx context.Context, command string) (string, error) {
	return replyText(c.Send(ctx, command))
}

func replyText(m *Message, err error) (string, error) {
	if err != nil {
		return "", err
	}
	text := m.Get("Reply-Text")
	if rest, bad := strings.CutPrefix(text, "-ERR"); bad {
		return text, &ReplyError{strings.TrimSpace(rest)}
	}
	return text, nil
}

// API runs a command of the switch and returns its output as it is. The output
// of a command that failed usually begins with -ERR; only a refusal to run it is
// an error (*ReplyError).
func (c *Conn) API(ctx context.Context, command string) (string, error) {
	m, err := c.Send(ctx, "api "+command)
	if err != nil {
		return "", err
	}
	if m.Get("Content-Type") == "api/response" {
		return string(m.Body), nil
	}
	return replyText(m, nil)
}

// Console runs a line as the switch's console does: aliases, and several commands
// separated by ";;".
func (c *Conn) Console(ctx context.Context, line string) (string, error) {
	if strings.ContainsAny(line, "\r\n") {
		return "", ErrNewline
	}
	m, err := c.request(ctx, "api "+line+"\nconsole_execute: true\n\n")
	if err != nil {
		return "", err
	}
	if m.Get("Content-Type") == "api/response" {
		return string(m.Body), nil
	}
	return replyText(m, nil)
}

// Job is a command that runs in the background.
type Job struct {
	UUID   string
	conn   *Conn
	result chan *Event
}

// BgAPI starts a command in the background. Its result is an event, so the
// connection must be subscribed to BACKGROUND_JOB before; the event goes to Wait
// and not to Events.
func (c *Conn) BgAPI(ctx context.Context, command string) (*Job, error) {
	if strings.ContainsAny(command, "\r\n") {
		return nil, ErrNewline
	}
	j := &Job{UUID: NewUUID(), conn: c, result: make(chan *Event, 1)}
	c.mu.Lock()
	if c.jobs == nil {
		c.mu.Unlock()
		return nil, c.closed()
	}
	c.jobs[j.UUID] = j.result
	c.mu.Unlock()
	if _, err := replyText(c.request(ctx, "bgapi "+command+"\nJob-UUID: "+j.UUID+"\n\n")); err != nil {
		j.Forget()
		return nil, err
	}
	return j, nil
}

// Wait returns the output of the job. It is called once.
func (j *Job) Wait(ctx context.Context) (string, error) {
	select {
	case e, ok := <-j.result:
		if !ok {
			return "", j.conn.closed()
		}
		return e.Body, nil
	case <-ctx.Done():
		j.Forget()
		return "", context.Cause(ctx)
	}
}

// Forget gives up waiting: the result will come as an ordinary event.
func (j *Job) Forget() {
	j.conn.mu.Lock()
	delete(j.conn.jobs, j.UUID)
	j.conn.mu.Unlock()
}

// finishJob hands a result to who waits for it.
func (c *Conn) finishJob(e *Event) bool {
	id := e.Get("Job-UUID")
	c.mu.Lock()
	defer c.mu.Unlock()
	result, ok := c.jobs[id]
	if ok {
		delete(c.jobs, id)
		result <- e
	}
	return ok
}

// Subscribe asks for events in the plain format: names such as "CHANNEL_ANSWER",
// "ALL", or "CUSTOM" followed by subclasses. It adds to what was asked for before.
func (c *Conn) Subscribe(ctx context.Context, names ...string) error {
	_, err := c.Do(ctx, "event plain "+strings.Join(names, " "))
	return err
}

// Unsubscribe takes events away again.
func (c *Conn) Unsubscribe(ctx context.Context, names ...string) error {
	_, err := c.Do(ctx, "nixevent "+strings.Join(names, " "))
	return err
}

// MyEvents asks for the events of one call: on an outbound connection uuid is "".
func (c *Conn) MyEvents(ctx context.Context, uuid string) error {
	_, err := c.Do(ctx, strings.TrimSpace("myevents "+uuid))
	return err
}

// Filter lets only events pass whose header has the value (or fits /a regular
// expression/). Several filters are alternatives.
func (c *Conn) Filter(ctx context.Context, header, value string) error {
	_, err := c.Do(ctx, "filter add "+header+" "+value)
	return err
}

// DeleteFilter takes filters of a header away; an empty value stands for all of
// them, and the header "all" for every filter.
func (c *Conn) DeleteFilter(ctx context.Context, header, value string) error {
	_, err := c.Do(ctx, strings.TrimSpace("filter delete "+header+" "+value))
	return err
}

// Linger keeps an outbound connection for so many seconds after its call has
// ended; 0 is until the client leaves.
func (c *Conn) Linger(ctx context.Context, seconds int) error {
	line := "linger"
	if seconds > 0 {
		line += " " + strconv.Itoa(seconds)
	}
	_, err := c.Do(ctx, line)
	return err
}

// Execution tells how an application is run.
type Execution struct {
	Loops int    // how often; 0 is once, -1 without end
	Lock  bool   // later messages wait until it is done (event-lock)
	UUID  string // Application-UUID of its events; "" is one by the switch
	Async bool   // on a synchronous outbound connection: do not wait for its end
}

// Execute runs an application on a call; uuid "" is the call of an outbound
// connection. The reply says that it was queued (or, on a synchronous outbound
// connection, done); the result is in CHANNEL_EXECUTE_COMPLETE.
func (c *Conn) Execute(ctx context.Context, uuid, app, arg string, how Execution) error {
	h := Headers{{"call-command", "execute"}, {"execute-app-name", app}}
	var body string
	if len(arg) > 1024 || strings.ContainsAny(arg, "\r\n") {
		body = arg
		h.Add("content-type", "text/plain")
	} else if arg != "" {
		h.Add("execute-app-arg", arg)
	}
	if how.Loops != 0 && how.Loops != 1 {
		h.Add("loops", strconv.Itoa(how.Loops))
	}
	if how.UUID != "" {
		h.Add("Event-UUID", how.UUID)
	}
	if how.Lock {
		h.Add("event-lock", "true")
	}
	if how.Async {
		h.Add("async", "true")
	}
	return c.SendMsg(ctx, uuid, h, body)
}

// Hangup ends a call; uuid "" is the call of an outbound connection, cause "" is
// NORMAL_CLEARING.
func (c *Conn) Hangup(ctx context.Context, uuid, cause string) error {
	h := Headers{{"call-command", "hangup"}}
	if cause != "" {
		h.Add("hangup-cause", cause)
	}
	return c.SendMsg(ctx, uuid, h, "")
}

// SendMsg sends a message to a call.
func (c *Conn) SendMsg(ctx context.Context, uuid string, headers Headers, body string) error {
	_, err := c.packet(ctx, strings.TrimSpace("sendmsg "+uuid), headers, body)
	return err
}

// SendEvent fires an event on the switch and returns the UUID that it got. A
// CUSTOM event has its subclass in the header Event-Subclass.
func (c *Conn) SendEvent(ctx context.Context, e *Event) (string, error) {
	name := e.Name()
	if name == "" {
		name = "CUSTOM"
	}
	var h Headers
	for _, x := range e.Headers {
		if !strings.EqualFold(x.Name, "Event-Name") {
			h = append(h, x)
		}
	}
	text, err := c.packet(ctx, "sendevent "+name, h, e.Body)
	return strings.TrimPrefix(text, "+OK "), err
}

// packet sends a command with headers and a body and returns the reply's text.
func (c *Conn) packet(ctx context.Context, line string, headers Headers, body string) (string, error) {
	var b strings.Builder
	b.WriteString(line)
	for _, h := range headers {
		if strings.EqualFold(h.Name, "Content-Length") {
			continue
		}
		if strings.ContainsAny(h.Name, "\r\n:") || strings.ContainsAny(h.Value, "\r\n") {
			return "", fmt.Errorf("%w: %.40q", ErrNewline, h.Name)
		}
		b.WriteString("\n" + h.Name + ": " + h.Value)
	}
	if strings.ContainsAny(line, "\r\n") {
		return "", ErrNewline
	}
	if body != "" {
		b.WriteString("\nContent-Length: " + strconv.Itoa(len(body)))
	}
	b.WriteString("\n\n" + body)
	return replyText(c.request(ctx, b.String()))
}
