package server

import (
	"strconv"
	"strings"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
)

// Fixed packets of spec/esl.md §1.1 and §6.5.
const (
	greeting      = "Content-Type: auth/request\n\n"
	rudeRejection = "Content-Type: text/rude-rejection\nContent-Length: 24\n\nAccess Denied, go away.\n"

	goodbyeText    = "Disconnected, goodbye.\nSee you at ClueCon! http://www.cluecon.com/\n"
	shutdownText   = "The system is being shut down.\n"
	lostEventsText = "killed listener because of lost events\n"
	lostLogsText   = "killed listener because of lost log lines\n"

	notFound = "-ERR command not found"
	denied   = "-ERR permission denied"
)

// maxReplyText is where a reply's text is cut.
const maxReplyText = 511

// appendReply appends a command reply; extra holds whole header lines.
func appendReply(b []byte, text, extra string) []byte {
	if text == "" {
		text = notFound
	}
	b = append(b, "Content-Type: command/reply\nReply-Text: "...)
	b = append(b, text[:min(len(text), maxReplyText)]...)
	b = append(b, '\n')
	b = append(b, extra...)
	return append(b, '\n')
}

func appendAPI(b []byte, body string) []byte {
	b = append(b, "Content-Type: api/response\nContent-Length: "...)
	b = strconv.AppendInt(b, int64(len(body)), 10)
	b = append(b, "\n\n"...)
	return append(b, body...)
}

// appendNotice appends a disconnect notice. about holds the header lines of a
// controlled call.
func appendNotice(b []byte, about, text string) []byte {
	b = append(b, "Content-Type: text/disconnect-notice\n"...)
	b = append(b, about...)
	b = append(b, "Content-Length: "...)
	b = strconv.AppendInt(b, int64(len(text)), 10)
	b = append(b, "\n\n"...)
	return append(b, text...)
}

// format is how a listener gets its events.
type format int

const (
	plain format = iota
	inJSON
	inXML
)

var formatNames = [...]string{"plain", "json", "xml"}

func (f format) String() string { return formatNames[f] }

func parseFormat(word string) (format, bool) {
	for i, name := range formatNames {
		if strings.EqualFold(word, name) {
			return format(i), true
		}
	}
	return plain, false
}

// appendEvent appends an event's packet. The text of the event is made once and
// kept by it, however many listeners get it.
func appendEvent(b []byte, f format, e *event.Event) []byte {
	var text []byte
	switch f {
	case inJSON:
		text = e.JSON()
	case inXML:
		text = e.XML()
	default:
		text = e.Plain()
	}
	b = append(b, "Content-Length: "...)
	b = strconv.AppendInt(b, int64(len(text)), 10)
	b = append(b, "\nContent-Type: text/event-"...)
	b = append(b, formatNames[f]...)
	b = append(b, "\n\n"...)
	return append(b, text...)
}

// appendLog appends a log line's packet (spec/esl.md §8.5).
func appendLog(b []byte, line *call.LogLine) []byte {
	text := line.String()
	if !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	b = append(b, "Content-Type: log/data\nContent-Length: "...)
	b = strconv.AppendInt(b, int64(len(text)), 10)
	b = append(b, "\nLog-Level: "...)
	b = strconv.AppendInt(b, int64(line.Level), 10)
	b = append(b, "\nText-Channel: "...)
	b = strconv.AppendInt(b, int64(line.Channel), 10)
	b = append(b, "\nLog-File: "...)
	b = append(b, line.File...)
	b = append(b, "\nLog-Func: "...)
	b = append(b, line.Func...)
	b = append(b, "\nLog-Line: "...)
	b = strconv.AppendInt(b, int64(line.Line), 10)
	b = append(b, "\nUser-Data: "...)
	b = append(b, line.UUID...)
	b = append(b, "\n\n"...)
	return append(b, text...)
}
