package lua

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/switchlet/switchlet/call"
)

// maxShownCommand is how much of a command line is shown, in bytes: a program may
// be given inline.
const maxShownCommand = 200

// Running is a script that runs.
type Running struct {
	ID     uint64    `json:"id"`
	Script string    `json:"script"` // as it was started
	UUID   string    `json:"uuid,omitempty"`
	Began  time.Time `json:"began"`
	// Waits is whether it waits for something rather than computes.
	Waits bool `json:"waits"`
}

// Running lists the scripts that run, in the order in which they began.
func (h *Host) Running() []Running {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := make([]Running, 0, len(h.scripts))
	for s, w := range h.scripts {
		list = append(list, Running{ID: s.id, Script: s.command, UUID: s.uuid(), Began: w.began, Waits: s.resting.Load() > 0})
	}
	slices.SortFunc(list, func(a, b Running) int { return int(int64(a.ID) - int64(b.ID)) })
	return list
}

// StopScript ends a script by its number and reports whether it runs.
func (h *Host) StopScript(id uint64) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.scripts {
		if s.id == id {
			s.cancel(errStopped)
			return true
		}
	}
	return false
}

// housekeeping are the words that the command lua takes beside scripts, unless
// there is a script of that name.
var housekeeping = map[string]func(h *Host, words []string, in *call.Invocation){
	"list": func(h *Host, words []string, in *call.Invocation) {
		list := h.Running()
		if asJSON(words) {
			writeJSON(in, list)
			return
		}
		for _, r := range list {
			state := "computes"
			if r.Waits {
				state = "waits"
			}
			fmt.Fprintf(in.Out, "%d %ds %s %s %s\n", r.ID, int(time.Since(r.Began).Seconds()), state, dash(r.UUID), firstLine(r.Script))
		}
		fmt.Fprintf(in.Out, "\n%d total.\n", len(list))
	},
	"stop": func(h *Host, words []string, in *call.Invocation) {
		id, err := uint64(0), error(nil)
		if len(words) == 1 {
			id, err = strconv.ParseUint(words[0], 10, 64)
		}
		switch {
		case len(words) != 1 || err != nil:
			in.Out.WriteString("-USAGE: lua stop <id>\n")
		case h.StopScript(id):
			in.Out.WriteString("+OK\n")
		default:
			fmt.Fprintf(in.Out, "-ERR no script %d is running\n", id)
		}
	},
	"errors": func(h *Host, words []string, in *call.Invocation) {
		list := h.Failures()
		if asJSON(words) {
			writeJSON(in, list)
			return
		}
		for _, f := range list {
			fmt.Fprintf(in.Out, "%s %d %s %s\n\t%s\n", f.Time.Format("2006-01-02 15:04:05"), f.ID, dash(f.UUID), firstLine(f.Script), f.Message)
			if f.Traceback != "" {
				in.Out.WriteString(f.Traceback + "\n")
			}
			for _, v := range f.Values {
				fmt.Fprintf(in.Out, "\t%s = %s\n", v.Name, v.Value)
			}
		}
		fmt.Fprintf(in.Out, "\n%d total.\n", len(list))
	},
}

// keepHouse answers lua list, lua stop and lua errors; false if a script is meant.
func (h *Host) keepHouse(_ context.Context, in *call.Invocation) bool {
	words := strings.Fields(in.Args)
	if len(words) == 0 || housekeeping[words[0]] == nil || h.chunks.exists(words[0]) {
		return false
	}
	housekeeping[words[0]](h, words[1:], in)
	return true
}

func asJSON(words []string) bool {
	return len(words) > 0 && strings.EqualFold(words[len(words)-1], "json")
}

func writeJSON(in *call.Invocation, list any) {
	text, err := json.Marshal(list)
	if err != nil {
		fmt.Fprintf(in.Out, "-ERR %v\n", err)
		return
	}
	in.Out.Write(text)
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func firstLine(s string) string {
	line, _, cut := strings.Cut(s, "\n")
	if cut {
		return line + " ..."
	}
	return line
}
