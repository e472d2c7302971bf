package cli

import (
	"context"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/switchlet/switchlet/esl"
)

// completer asks the switch how a line may go on.
type completer struct {
	ctx  context.Context
	conn *atomic.Pointer[esl.Conn] // changes when the console connects anew
}

// Do implements readline.AutoCompleter: it returns what may follow the cursor,
// and the length of the word that is being completed.
func (c *completer) Do(line []rune, pos int) ([][]rune, int) {
	ctx, cancel := context.WithTimeout(c.ctx, askTime)
	defer cancel()
	reply, err := c.conn.Load().API(ctx, "console_complete c="+strconv.Itoa(pos)+";"+string(line))
	if err != nil {
		return nil, 0
	}
	word := string(line[:pos])
	if i := strings.LastIndexByte(word, ' '); i >= 0 {
		word = word[i+1:]
	}
	var out [][]rune
	for _, ending := range endings(reply, word) {
		out = append(out, []rune(ending))
	}
	return out, len([]rune(word))
}

// endings reads the reply of console_complete (spec/esl.md §7): cells "[word]\t",
// then perhaps "write=LEN:TEXT", the text that replaces the last LEN characters.
// It returns how the word may end.
func endings(reply, word string) []string {
	cells, write, _ := strings.Cut(reply, "\n\nwrite=")
	var out []string
	for _, cell := range strings.Split(cells, "\t") {
		cell = strings.TrimSpace(cell)
		if !strings.HasPrefix(cell, "[") || !strings.HasSuffix(cell, "]") {
			continue
		}
		candidate := strings.TrimSpace(cell[1 : len(cell)-1])
		if rest, ok := cutPrefixFold(candidate, word); ok {
			out = appendNew(out, rest)
		}
	}
	if len(out) == 1 {
		out[0] += " "
	}
	if length, text, ok := strings.Cut(write, ":"); ok && len(out) == 0 {
		n, err := strconv.Atoi(length)
		if rest, fits := cutPrefixFold(strings.TrimRight(text, "\n"), word); err == nil && n == len([]rune(word)) && fits && rest != "" {
			out = append(out, rest)
		}
	}
	return out
}

func appendNew(list []string, s string) []string {
	for _, x := range list {
		if x == s {
			return list
		}
	}
	return append(list, s)
}

func cutPrefixFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return "", false
	}
	return s[len(prefix):], true
}
