package appliance

import (
	"io"
	"strings"
	"sync"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/conf"
)

// consoleQueue is how many lines may wait for the console; newer ones are lost.
const consoleQueue = 5000

// console writes the log to w until the returned function is called.
func (b *Box) console(w io.Writer) (stop func()) {
	level, ok := call.ParseLevel(b.Options.LogLevel)
	if !ok {
		p := conf.Params(b.store.Tree().Configuration("console.conf").Child("settings"))
		if level, ok = call.ParseLevel(p.Get("loglevel")); !ok {
			level = call.LogNotice
		}
	}
	f := b.log.Follow(level, consoleQueue)
	var done sync.WaitGroup
	done.Add(1)
	go func() {
		defer done.Done()
		for line := range f.Lines() {
			text := line.String()
			if !strings.HasSuffix(text, "\n") {
				text += "\n"
			}
			io.WriteString(w, text)
		}
	}()
	return func() { f.Close(); done.Wait() }
}
