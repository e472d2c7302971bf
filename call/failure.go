package call

import "strings"

// HandleCause decides what a bridge that failed, or ended unanswered, with cause
// does to the A leg: transfer_on_fail, failure_causes and continue_on_fail let it
// be transferred or go on with the next application; else it is hung up
// (spec/api-commands.md §4 "bridge specifics").
func (c *Channel) HandleCause(cause Cause) {
	if to := c.Get("transfer_on_fail"); to != "" {
		list, rest, _ := strings.Cut(to, " ")
		f := append(strings.Fields(rest), "", "", "")
		if True(list) || causeListed(list, cause) {
			if strings.EqualFold(f[0], "auto_cause") {
				f[0] = cause.String()
			}
			if err := c.Transfer(f[0], f[1], f[2]); err != nil {
				c.Log(LogErr, "transfer_on_fail: %v", err)
			}
			return
		}
	}
	if list := c.Get("failure_causes"); list != "" {
		if causeListed(list, cause) {
			c.Hangup(cause)
		}
		return
	}
	goOn := c.Get("continue_on_fail")
	if cause == CauseAttendedTransfer {
		goOn = "false"
	}
	switch {
	case True(goOn), goOn != "" && causeListed(goOn, cause):
		return
	case goOn == "" && (cause == CauseNoAnswer || cause == CauseNoUserResponse || cause == CauseOriginatorCancel):
		return
	}
	if !c.awaitsTransfer() {
		c.Hangup(cause)
	}
}

// causeListed reports whether a comma-separated list has the cause by name or
// number.
func causeListed(list string, cause Cause) bool {
	for _, one := range strings.Split(list, ",") {
		one = strings.TrimSpace(one)
		if one == "" {
			continue
		}
		if c, ok := LookupCause(one); ok {
			if c == cause {
				return true
			}
		} else if ParseCause(one) == cause && one[0] >= '0' && one[0] <= '9' {
			return true
		}
	}
	return false
}
