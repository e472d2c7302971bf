package endpoint

import (
	"context"
	"strings"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/directory"
	"github.com/switchlet/switchlet/call/expand"
)

// User stands for the dial string of a directory user: user/ID[@DOMAIN]
// (spec/config.md §4).
type User struct{ Directory *directory.Directory }

// Dial is never called: originate asks Expand first.
func (User) Dial(context.Context, *call.Switch, *call.DialRequest) (*call.Channel, error) {
	return nil, call.CauseChanNotImplemented
}

// Expand implements call.Expander.
func (u User) Expand(ctx context.Context, sw *call.Switch, r *call.DialRequest) (string, []call.Var, error) {
	id, domain := u.Directory.SplitUser(r.Data)
	if id == "" {
		return "", nil, call.CauseSubscriberAbsent
	}
	params := map[string]string{"as_channel": "true", "action": "user_call"}
	for _, v := range r.Vars.All() {
		params[v.Name] = v.Value
	}
	user, err := u.Directory.User(ctx, "id", id, domain, params)
	if err != nil {
		sw.Log.Printf(call.LogWarning, "Can't find user [%s@%s]", id, domain)
		return "", nil, call.CauseSubscriberAbsent
	}
	text := user.DialString()
	if text == "" {
		sw.Log.Printf(call.LogErr, "No dial-string available, please check your user directory.")
		return "", nil, call.CauseMandatoryIEMissing
	}
	dialled := []call.Var{{Name: "dialed_user", Value: id}, {Name: "dialed_domain", Value: domain}}
	vars := append([]call.Var(nil), dialled...)
	if !strings.Contains(text, "presence_id=") {
		vars = append(vars, call.Var{Name: "presence_id", Value: id + "@" + domain})
	}
	for _, v := range user.Variables {
		vars = append(vars, call.Var{Name: v.Name, Value: v.Value})
	}
	for _, v := range user.DialVars() {
		vars = append(vars, call.Var{Name: v.Name, Value: v.Value})
	}
	text = expandDial(sw, r, text, dialled)
	if strings.Contains(text, "user/"+id+"@") || strings.HasSuffix(text, "user/"+id) {
		return "", nil, call.CauseInvalidIEContents
	}
	return text, vars, nil
}

// Group stands for the members of a directory group: group/NAME[@DOMAIN].
type Group struct{ Directory *directory.Directory }

// Dial is never called: originate asks Expand first.
func (Group) Dial(context.Context, *call.Switch, *call.DialRequest) (*call.Channel, error) {
	return nil, call.CauseChanNotImplemented
}

// Expand implements call.Expander.
func (g Group) Expand(ctx context.Context, sw *call.Switch, r *call.DialRequest) (string, []call.Var, error) {
	text := g.Directory.GroupCall(ctx, r.Data, func(dial string, vars directory.Values) string {
		list := make([]call.Var, len(vars))
		for i, v := range vars {
			list[i] = call.Var{Name: v.Name, Value: v.Value}
		}
		return expandDial(sw, r, dial, list)
	})
	return text, nil, nil
}

// expandDial expands a dial string on the A leg, or with the dial's variables,
// after those given.
func expandDial(sw *call.Switch, r *call.DialRequest, text string, own []call.Var) string {
	base := sw.GlobalResolver()
	if r.Originator != nil {
		for _, v := range own {
			r.Originator.Set(v.Name, v.Value)
		}
		base = r.Originator.Resolver()
	}
	return expand.Expand(text, dialResolver{base, call.NewVars(append(r.Vars.All(), own...)...)})
}

// dialResolver looks names up among a dial's variables before the base.
type dialResolver struct {
	expand.Resolver
	vars *call.Vars
}

func (d dialResolver) Variable(name string) (string, bool) {
	if v, ok := d.vars.Lookup(name); ok {
		return v, true
	}
	return d.Resolver.Variable(name)
}
