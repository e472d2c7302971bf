package conf

import (
	"strconv"
	"strings"
)

// True reports whether s is one of the words that switch on a boolean
// parameter (yes, on, true, t, enabled, active, allow, in any case) or a
// number other than 0 (spec/config.md §2, switch_true).
func True(s string) bool {
	switch strings.ToLower(s) {
	case "yes", "on", "true", "t", "enabled", "active", "allow":
		return true
	}
	n, ok := number(s)
	return ok && n != 0
}

// False reports whether s is one of the words that switch off a boolean
// parameter (no, off, false, f, disabled, inactive, disallow) or the number 0
// (switch_false). A text can be neither True nor False.
func False(s string) bool {
	switch strings.ToLower(s) {
	case "no", "off", "false", "f", "disabled", "inactive", "disallow":
		return true
	}
	n, ok := number(s)
	return ok && n == 0
}

// number reads a decimal number, as far as both predicates care: its integer
// part decides.
func number(s string) (int64, bool) {
	whole, _, _ := strings.Cut(s, ".")
	if whole == "" || len(whole) > 20 {
		return 0, false
	}
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil {
		return 0, false
	}
	return n, true
}
