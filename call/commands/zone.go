package commands

import (
	"time"

	"github.com/switchlet/switchlet/call/expr"
	"github.com/switchlet/switchlet/conf"
)

// Zone finds a time zone by name: timezones.conf first, then the zones that the
// binary knows.
func Zone(store *conf.Store, name string) (*time.Location, bool) {
	if c := store.Tree().Configuration("timezones.conf"); c != nil {
		if z := c.Child("timezones").Find("zone", "name", name); z != nil {
			if loc, err := expr.ParseTZ(z.Attr("value")); err == nil {
				return loc, true
			}
		}
	}
	if name == "" {
		return nil, false
	}
	loc, err := time.LoadLocation(name)
	return loc, err == nil
}
