package originate

import (
	"strings"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/dialstring"
)

// merge puts the variables of a leg together. For a name in both sets {} wins,
// unless local_var_clobber asks for the opposite.
func (r *race) merge(own []call.Var) *call.Vars {
	v := call.NewVars()
	set := func(list []call.Var) {
		for _, x := range list {
			v.Set(x.Name, x.Value)
		}
	}
	if a := r.opts.Originator; a != nil {
		set(inherited(a))
	}
	if r.settings.on("local_var_clobber") {
		set(r.shared)
		set(own)
	} else {
		set(own)
		set(r.shared)
	}
	return v
}

// caller makes the caller profile of a new leg; origination_* of [] win here.
func (r *race) caller(merged *call.Vars, own []dialstring.Var) call.Profile {
	get := func(name string) string {
		for _, v := range own {
			if strings.EqualFold(v.Name, name) {
				return v.Value
			}
		}
		return merged.Get(name)
	}
	var p call.Profile
	if a := r.opts.Originator; a != nil {
		ap := a.Profile()
		p.Username, p.ANI, p.ANIII, p.NetworkAddr = ap.Username, ap.ANI, ap.ANIII, ap.NetworkAddr
		p.HideName, p.HideNumber, p.ScreenBit = ap.HideName, ap.HideNumber, ap.ScreenBit
		p.CallerName, p.CallerNumber = callerOf(a, r.opts)
		p.Context = ap.Context
	} else {
		p.CallerName, p.CallerNumber = r.opts.CallerName, r.opts.CallerNumber
		p.Context, p.ScreenBit = "default", true
		if p.CallerNumber == "" {
			p.CallerNumber = "0000000000"
		}
	}
	for _, f := range []struct {
		name string
		to   *string
	}{
		{"origination_caller_id_name", &p.CallerName}, {"origination_caller_id_number", &p.CallerNumber},
		{"origination_callee_id_name", &p.CalleeName}, {"origination_callee_id_number", &p.CalleeNumber},
		{"origination_ani", &p.ANI}, {"origination_aniii", &p.ANIII},
	} {
		if v := get(f.name); v != "" && !strings.EqualFold(v, "undef") {
			*f.to = v
		}
	}
	if r.opts.Originator == nil && p.ANI == "" {
		p.ANI = p.CallerNumber
	}
	for _, word := range strings.FieldsFunc(get("origination_privacy"), func(c rune) bool { return c == ':' || c == '+' || c == ' ' }) {
		switch strings.ToLower(word) {
		case "hide_name":
			p.HideName = true
		case "hide_number":
			p.HideNumber = true
		case "screen":
			p.ScreenBit = true
		}
	}
	return p
}

// dress sets the leg's variables and its relation to the A leg.
func (r *race) dress(c *call.Channel, v *call.Vars, endpoint string) {
	nested := v.True("origination_nested_vars") || call.True(r.sw.Globals.Get("origination_nested_vars"))
	for _, x := range v.All() {
		if strings.Contains(x.Value, "${") && !nested {
			c.Log(call.LogCrit, "Invalid data (${%s} contains a variable)", x.Name)
			c.Set(x.Name, "") // the endpoint may have set it, with what is harmless of it
			continue
		}
		c.Set(x.Name, x.Value)
	}
	if name := v.Get("origination_channel_name"); name != "" {
		c.SetName(name)
	}
	c.UpdateProfile(func(p *call.Profile) {
		if p.CalleeName == "" {
			p.CalleeName = "Outbound Call"
		}
		if p.CalleeNumber == "" {
			p.CalleeNumber = p.Destination
		}
	})
	c.Set("originate_endpoint", endpoint)
	if a := r.opts.Originator; a != nil {
		c.SetOther("originator", a.Profile())
		a.SetOther("originatee", c.Profile())
		c.Set("originating_leg_uuid", a.UUID())
		c.Set("originator", a.UUID())
		c.Set("call_uuid", a.UUID())
		c.Set("signal_bond", a.UUID())
	}
}
