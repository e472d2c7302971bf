package commands

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/dialstring"
	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/call/expand"
	"github.com/switchlet/switchlet/call/originate"
)

const presenceUsage = "[in|out] <user> <rpid> <message>"

func chats(d Deps) []call.Command {
	const commandsModule, dptools = "mod_commands", "mod_dptools"
	return []call.Command{
		{Name: "chat", Syntax: "<proto>|<from>|<to>|<message>|[<content-type>]", Description: "chat", Module: dptools, Run: chat()},
		{Name: "presence", Syntax: presenceUsage, Description: "presence", Module: dptools, Run: presence},
		{Name: "page", Syntax: "(var1=val1,var2=val2)<var1=val1,var2=val2><chan1>[:_:<chanN>]", Description: "Send a file as a page", Module: dptools, Run: page},
		{Name: "event_channel_broadcast", Syntax: "<channel> <json>", Description: "Broadcast", Module: commandsModule, Run: eventChannelBroadcast(d)},
		{Name: "reg_url", Syntax: "<user>@<realm>", Description: "", Module: commandsModule, Run: regURL(d)},
	}
}

// chat sends a message by the protocol that it names, past the chatplan.
func chat() run {
	return func(ctx context.Context, sw *call.Switch, in *call.Invocation) error {
		f := expand.SplitSeparate(in.Args, '|', 5)
		if len(f) < 4 {
			return reply(in, "Invalid")
		}
		e := event.New(event.Message, "")
		e.Add("proto", "global")
		e.Add("dest_proto", f[0])
		e.Add("from", f[1])
		e.Add("to", f[2])
		kind := word(f, 4)
		if kind == "" {
			kind = "text/plain"
		}
		e.Add("type", kind)
		e.Add("skip_global_process", "true")
		e.SetBody(f[3])
		if sw.Messages == nil || sw.Messages.Deliver(ctx, e) != nil {
			return reply(in, "Error! Message Not Sent")
		}
		return reply(in, "Sent")
	}
}

func presence(_ context.Context, sw *call.Switch, in *call.Invocation) error {
	f := expand.SplitSeparate(in.Args, ' ', 4)
	kind, need := event.PresenceIn, 4
	switch strings.ToLower(word(f, 0)) {
	case "in":
	case "out":
		kind, need = event.PresenceOut, 2
	default:
		need = len(f) + 1
	}
	if len(f) < need {
		return reply(in, "Invalid: presence "+presenceUsage)
	}
	e := event.New(kind, "")
	e.Add("proto", "dp")
	e.Add("login", "mod_dptools.c")
	e.Add("from", f[1])
	e.Add("rpid", word(f, 2))
	status := word(f, 3)
	e.Add("status", status)
	low := strings.ToLower(status)
	switch {
	case kind == event.PresenceOut:
		e.Add("status", "CS_HANGUP")
	case strings.HasPrefix(low, "cs_"), strings.Contains(low, "hangup"):
		e.Add("channel-state", "CS_HANGUP")
		e.Add("status", "CS_HANGUP")
	}
	e.Add("event_type", "presence")
	e.Add("alt_event_type", "dialog")
	e.Add("event_count", "0")
	sw.Bus.Publish(e, "mod_dptools.c", "presence_api_function", 2095)
	return reply(in, "Event Sent")
}

// eventChannelBroadcast sends a JSON message to those who listen to its event
// channel (Verto clients).
func eventChannelBroadcast(d Deps) run {
	return func(_ context.Context, sw *call.Switch, in *call.Invocation) error {
		if in.Args == "" {
			return reply(in, "-ERR parsing channel\n")
		}
		message, err := jsonRequest(in.Args)
		if err != nil {
			return reply(in, "-ERR parsing json\n")
		}
		channel := message.text("eventChannel")
		if channel == "" {
			sw.Log.Printf(call.LogErr, "NO EVENT CHANNEL SPECIFIED")
			return nil
		}
		text, err := json.Marshal(message)
		if err != nil {
			return call.ErrCommand
		}
		if d.Broadcast != nil {
			d.Broadcast(channel, text)
		}
		return reply(in, "+OK message sent\n")
	}
}

// regURL is the addresses at which a user is registered.
func regURL(d Deps) run {
	return func(ctx context.Context, sw *call.Switch, in *call.Invocation) error {
		if in.Args == "" {
			return nil
		}
		who, suffix, _ := strings.Cut(in.Args, "/")
		user, domain := d.Directory.SplitUser(who)
		var urls []string
		if d.Registrations != nil {
			for _, row := range d.Registrations() {
				if len(row) > 3 && row[0] == user && strings.EqualFold(row[1], domain) {
					urls = append(urls, row[3]+suffix)
				}
			}
		}
		if len(urls) == 0 {
			return reply(in, "error/user_not_registered")
		}
		return reply(in, strings.Join(urls, ","))
	}
}

// maxPage bounds how many phones one page calls, pageChunk how many at a time
// unless page_chunk_size says otherwise.
const (
	maxPage   = 500
	pageChunk = 10
)

// page plays a file to many phones, some at a time.
func page(ctx context.Context, sw *call.Switch, in *call.Invocation) error {
	if in.Args == "" {
		return reply(in, "-ERR no data")
	}
	vars, rest, err := pageVars(in.Args)
	if err != nil {
		sw.Log.Printf(call.LogErr, "Parse Error! %v", err)
		return nil
	}
	if rest == "" {
		rest = vars.Get("page_data")
	}
	path := vars.Get("page_path")
	switch {
	case rest == "":
		sw.Log.Printf(call.LogErr, "No channels specified.")
		return nil
	case path == "":
		sw.Log.Printf(call.LogErr, "No file specified.")
		return nil
	}
	if _, err := os.Stat(path); err != nil {
		sw.Log.Printf(call.LogErr, "File %s does not exist", path)
		return nil
	}
	list, err := dialstring.Parse(rest)
	if err != nil || len(list.Groups) > maxPage {
		sw.Log.Printf(call.LogErr, "page: bad list of channels: %v", err)
		return nil
	}
	chunk := pageChunk
	if n, err := strconv.Atoi(vars.Get("page_chunk_size")); err == nil && n > 0 {
		chunk = n
	}
	to := pageTarget{exten: vars.Get("page_exten"), dialplan: vars.Get("page_dp"), context: vars.Get("page_context")}
	if to.exten == "" {
		to.exten, to.dialplan = "playback:"+path, "inline"
	}
	global, groups, _ := strings.Cut(rest, ">")
	if !strings.HasPrefix(rest, "<") {
		global, groups = "", rest
	} else {
		global += ">"
	}
	seats := make(chan struct{}, chunk)
	for _, one := range strings.Split(groups, ":_:") {
		sw.Go(func() {
			select {
			case seats <- struct{}{}:
				defer func() { <-seats }()
			case <-sw.Context().Done():
				return
			}
			to.call(sw, global+one)
		})
	}
	return nil
}

// pageVars takes the "(a=b,c=d)" off the front.
func pageVars(text string) (*call.Vars, string, error) {
	text = strings.TrimSpace(text)
	if !strings.HasPrefix(text, "(") {
		return nil, "", fmt.Errorf("want (page_path=…) before the channels")
	}
	body, rest, ok := strings.Cut(text[1:], ")")
	if !ok {
		return nil, "", fmt.Errorf("( without )")
	}
	vars := call.NewVars()
	for _, pair := range expand.SplitSeparate(body, ',', maxFields) {
		name, value, _ := strings.Cut(pair, "=")
		vars.Set(strings.TrimSpace(name), value)
	}
	return vars, strings.TrimSpace(rest), nil
}

type pageTarget struct{ exten, dialplan, context string }

// call calls one phone and waits until it has heard the page.
func (t pageTarget) call(sw *call.Switch, url string) {
	c, err := originate.Dial(sw.Context(), sw, url, originate.Options{})
	if err != nil {
		return
	}
	c.FlipCallerID()
	if c.Transfer(t.exten, t.dialplan, t.context) != nil {
		c.Hangup(call.CauseDestinationOutOfOrder)
	}
	<-c.Done()
}
