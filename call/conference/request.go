package conference

import (
	"errors"
	"strings"
)

// maxWords bounds the flags of one list and the words of one command.
const maxWords = 25

// errRequest is returned for application data without a room's name or, after
// bridge:, without a dial string.
var errRequest = errors.New("usage: conference [bridge:]<name>[@<profile>][+<pin>][+flags{<flag>|<flag>}][:<dial string>]")

// request is the data of the application conference taken apart
// (spec/conference.md §1).
type request struct {
	name    string
	profile string // "default" if none is named
	pin     string
	flags   []string
	bridge  bool
	dial    string // with bridge: who is called into the room
}

// parseRequest reads [bridge:]NAME[@PROFILE][+PIN][+flags{a|b}][:DIALSTRING].
func parseRequest(data string) (request, error) {
	q := request{profile: "default"}
	if before, after, ok := strings.Cut(data, "+flags{"); ok {
		list, _, _ := strings.Cut(after, "}")
		q.flags = flagWords(list)
		data = before
	}
	data = strings.TrimLeft(data, " ")
	const prefix = "bridge:"
	if len(data) >= len(prefix) && strings.EqualFold(data[:len(prefix)], prefix) {
		var ok bool
		if data, q.dial, ok = strings.Cut(data[len(prefix):], ":"); !ok || q.dial == "" {
			return q, errRequest
		}
		q.bridge = true
	}
	data, q.pin, _ = strings.Cut(data, "+")
	if at := strings.LastIndexByte(data, '@'); at >= 0 {
		data, q.profile = data[:at], data[at+1:]
		if q.profile == "" {
			q.profile = "default"
		}
	}
	q.name = strings.TrimSpace(data)
	if q.name == "" {
		return q, errRequest
	}
	return q, nil
}

// flagWords takes a list of flags apart; what is beyond maxWords is ignored.
func flagWords(list string) []string {
	words := strings.FieldsFunc(list, func(c rune) bool { return c == '|' || c == ',' || c == ' ' })
	return words[:min(len(words), maxWords)]
}

// splitWords takes a command line apart at single blanks. Text in single or
// double quotes is one word. The last of maxWords words holds the rest.
func splitWords(line string) []string {
	var words []string
	for line = strings.TrimLeft(line, " "); line != ""; line = strings.TrimLeft(line, " ") {
		if len(words) == maxWords-1 {
			return append(words, line)
		}
		var word string
		word, line = firstWord(line)
		words = append(words, word)
	}
	return words
}

func firstWord(line string) (word, rest string) {
	if q := line[0]; q == '\'' || q == '"' {
		if end := strings.IndexByte(line[1:], q); end >= 0 {
			return line[1 : 1+end], line[2+end:]
		}
	}
	word, rest, _ = strings.Cut(line, " ")
	return word, rest
}
