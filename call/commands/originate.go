package commands

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/expand"
	"github.com/switchlet/switchlet/call/originate"
)

const originateUsage = "<call url> <exten>|&<application_name>(<app_args>) [<dialplan>] [<context>] [<cid_name>] [<cid_num>] [<timeout_sec>]"

// originateCommand makes a call and sends it to an extension or an application.
func originateCommand(ctx context.Context, sw *call.Switch, in *call.Invocation) error {
	f := expand.SplitSeparate(in.Args, ' ', 7)
	if len(f) < 2 || f[0] == "" || f[1] == "" || strings.EqualFold(f[1], "undef") {
		return usage(in, originateUsage)
	}
	get := func(i int, otherwise string) string {
		if w := word(f, i); w != "" && !strings.EqualFold(w, "undef") {
			return w
		}
		return otherwise
	}
	if sw.Limits.Full(false) {
		return reply(in, "-ERR DESTINATION_OUT_OF_ORDER\n")
	}
	timeout := originate.DefaultTimeout
	if n, err := strconv.Atoi(get(6, "")); err == nil && n > 0 {
		timeout = time.Duration(n) * time.Second
	}
	c, err := originate.Dial(ctx, sw, f[0], originate.Options{Timeout: timeout, CallerName: get(4, ""), CallerNumber: get(5, "")})
	if err != nil {
		fmt.Fprintf(in.Out, "-ERR %s\n", call.CauseOf(err, call.CauseDestinationOutOfOrder))
		return nil
	}
	c.FlipCallerID()
	if target := f[1]; strings.HasPrefix(target, "&") {
		app, args := target[1:], ""
		if open := strings.IndexByte(app, '('); open >= 0 {
			app, args = app[:open], strings.TrimSuffix(app[open+1:], ")")
		}
		err = c.TransferTo(&call.Extension{Name: app, Actions: []call.Action{{App: app, Data: args}}})
	} else {
		err = c.Transfer(target, get(2, "XML"), get(3, "default"))
	}
	if err != nil && c.Up() {
		c.Hangup(call.CauseDestinationOutOfOrder)
	}
	// Whoever reads the reply may ask at once what the channel does.
	c.AwaitApplication(ctx)
	fmt.Fprintf(in.Out, "+OK %s\n", c.UUID())
	return nil
}
