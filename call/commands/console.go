package commands

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/expand"
)

// maxConsoleWords bounds the lists of aliases and completions.
const maxConsoleWords = 10000

// maxCompletion is how many words a completion has at most.
const maxCompletion = 10

// consoleWords are what the console offers beside the commands: aliases, and
// words to complete.
type consoleWords struct {
	mu          sync.Mutex
	aliases     []consoleWord // words: alias, command
	completions []consoleWord // words: up to ten
}

type consoleWord struct {
	sticky bool
	words  []string
}

func console(w *consoleWords) []call.Command {
	const m = "mod_commands"
	return []call.Command{
		{Name: "alias", Syntax: "[add|stickyadd] <alias> <command> | del [<alias>|*]", Description: "Alias", Module: m, Run: w.alias},
		{Name: "complete", Syntax: "add <word>|del [<word>|*]", Description: "Complete", Module: m, Run: w.complete},
		{Name: "console_complete", Syntax: "<line>", Description: "", Module: m, Run: consoleComplete},
	}
}

func (w *consoleWords) alias(_ context.Context, _ *call.Switch, in *call.Invocation) error {
	f := expand.SplitSeparate(in.Args, ' ', 3)
	verb := strings.ToLower(word(f, 0))
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case (verb == "add" || verb == "stickyadd") && len(f) == 3 && f[1] != f[2] && len(w.aliases) < maxConsoleWords:
		w.aliases = without(w.aliases, f[1:2])
		w.aliases = append(w.aliases, consoleWord{verb == "stickyadd", f[1:]})
	case verb == "del" && len(f) == 2:
		w.aliases = without(w.aliases, f[1:])
	default:
		return usage(in, "[add|stickyadd] <alias> <command> | del [<alias>|*]")
	}
	return reply(in, "+OK\n")
}

func (w *consoleWords) complete(_ context.Context, _ *call.Switch, in *call.Invocation) error {
	f := expand.SplitSeparate(in.Args, ' ', maxCompletion+1)
	verb := strings.ToLower(word(f, 0))
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case (verb == "add" || verb == "stickyadd") && len(w.completions) < maxConsoleWords:
		words := f[1:]
		for i, s := range words {
			if strings.EqualFold(s, "_any_") {
				words[i] = ""
			}
		}
		w.completions = append(w.completions, consoleWord{verb == "stickyadd", words})
	case verb == "del" && len(f) > 1:
		w.completions = without(w.completions, f[1:])
	default:
		return usage(in, "add <word>|del [<word>|*]")
	}
	return reply(in, "+OK\n")
}

// without leaves out the entries that begin with words, or all for "*".
func without(list []consoleWord, words []string) []consoleWord {
	return slices.DeleteFunc(list, func(c consoleWord) bool {
		return words[0] == "*" || len(c.words) >= len(words) && slices.Equal(c.words[:len(words)], words)
	})
}

// aliasTable and completionTable are the rows of "show aliases" and "show
// complete".
func (w *consoleWords) aliasTable(host string) table {
	return w.table(&w.aliases, []string{"sticky", "alias", "command", "hostname"}, host)
}

func (w *consoleWords) completionTable(host string) table {
	columns := []string{"sticky", "a1", "a2", "a3", "a4", "a5", "a6", "a7", "a8", "a9", "a10", "hostname"}
	return w.table(&w.completions, columns, host)
}

func (w *consoleWords) table(list *[]consoleWord, columns []string, host string) table {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := table{columns: columns}
	for _, c := range *list {
		row := make([]string, len(columns))
		row[0] = "0"
		if c.sticky {
			row[0] = "1"
		}
		copy(row[1:len(row)-1], c.words)
		row[len(row)-1] = host
		t.rows = append(t.rows, row)
	}
	return t
}

// consoleComplete lists the commands that begin with the line.
func consoleComplete(_ context.Context, sw *call.Switch, in *call.Invocation) error {
	for _, c := range sw.Commands() {
		if strings.HasPrefix(c.Name, in.Args) && c.Description != "" {
			in.Out.WriteString("[" + c.Name + "]\n")
		}
	}
	return nil
}
