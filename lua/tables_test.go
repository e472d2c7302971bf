package lua

import (
	"context"
	"errors"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/originate"
	"github.com/switchlet/switchlet/call/regex"
)

// testApplications are as much of the applications as the tests need.
func testApplications() []call.Application {
	app := func(name string, flags call.AppFlags, run func(ctx context.Context, ch *call.Channel, args string) error) call.Application {
		return call.Application{Name: name, Flags: flags, Run: run}
	}
	return []call.Application{
		app("set", call.NoMedia|call.Routing|call.Zombie, func(_ context.Context, ch *call.Channel, args string) error {
			name, value, _ := strings.Cut(args, "=")
			ch.Set(name, value)
			return nil
		}),
		app("park", call.NoMedia, func(ctx context.Context, ch *call.Channel, _ string) error { return ch.Park(ctx) }),
		app("hangup", call.NoMedia, func(_ context.Context, ch *call.Channel, args string) error {
			ch.Hangup(call.ParseCause(args))
			return nil
		}),
		app("transfer", call.NoMedia, func(_ context.Context, ch *call.Channel, args string) error {
			to := append(strings.Fields(args), "", "")
			return ch.Transfer(to[0], to[1], to[2])
		}),
		app("playback", 0, func(ctx context.Context, ch *call.Channel, args string) error {
			_, err := ch.Play(ctx, args, call.PlayOptions{})
			return err
		}),
		app("bridge", call.NoMedia, func(ctx context.Context, ch *call.Channel, args string) error {
			b, err := originate.Dial(ctx, ch.Switch(), args, originate.Options{Originator: ch})
			if err != nil {
				return err
			}
			return ch.Bridge(ctx, b)
		}),
	}
}

// talker says phrases: every macro is a minute long, except for those that are missing.
type talker struct{}

func (talker) Play(context.Context, *call.Channel, string, call.PlayOptions) (bool, error) {
	return false, errors.New("nothing speaks here")
}

func (talker) Phrase(ctx context.Context, ch *call.Channel, macro, data, lang string, o call.PlayOptions) (bool, error) {
	if macro == "missing" {
		return false, errors.New("Can't find macro missing.")
	}
	ch.Set("phrase", macro+"|"+data+"|"+lang)
	return ch.Play(ctx, "silence_stream://60000", o)
}

func (talker) SayArgs(ctx context.Context, ch *call.Channel, args string, o call.PlayOptions) (bool, error) {
	ch.Set("said", args)
	return ch.Play(ctx, "silence_stream://20", o)
}

// testCommands are as much of the commands as the tests need.
func testCommands(cache *regex.Cache) []call.Command {
	command := func(name string, run func(ctx context.Context, sw *call.Switch, in *call.Invocation) error) call.Command {
		return call.Command{Name: name, Run: run}
	}
	return []call.Command{
		command("echo", func(_ context.Context, _ *call.Switch, in *call.Invocation) error {
			in.Out.WriteString(in.Args)
			return nil
		}),
		command("broken", func(context.Context, *call.Switch, *call.Invocation) error { return call.ErrCommand }),
		command("file_exists", func(_ context.Context, _ *call.Switch, in *call.Invocation) error {
			_, err := os.Stat(in.Args)
			in.Out.WriteString(strconv.FormatBool(err == nil))
			return nil
		}),
		command("regex", func(_ context.Context, _ *call.Switch, in *call.Invocation) error {
			parts := append(strings.SplitN(in.Args, "|", 3), "", "")
			groups, ok, err := cache.Match(parts[0], parts[1])
			switch {
			case err != nil:
				return err
			case parts[2] == "":
				in.Out.WriteString(strconv.FormatBool(ok))
			case ok:
				in.Out.WriteString(regex.Substitute(parts[2], groups))
			}
			return nil
		}),
		command("whoami", func(_ context.Context, _ *call.Switch, in *call.Invocation) error {
			if in.Channel != nil {
				in.Out.WriteString(in.Channel.UUID())
			}
			return nil
		}),
		command("later", func(ctx context.Context, sw *call.Switch, in *call.Invocation) error {
			ms, uuid, _ := strings.Cut(in.Args, " ")
			n, err := strconv.Atoi(ms)
			ch := sw.Find(uuid)
			if err != nil || ch == nil {
				return errors.New("usage: later ms uuid")
			}
			time.AfterFunc(time.Duration(n)*time.Millisecond, func() { ch.Hangup(call.CauseUserBusy) })
			return nil
		}),
	}
}
