package dialplan

import (
	"strconv"
	"strings"

	"github.com/switchlet/switchlet/call/regex"
	"github.com/switchlet/switchlet/conf"
)

// breakMode says after which result an extension's conditions end.
type breakMode string

const (
	breakOnFalse breakMode = "on-false"
	breakOnTrue  breakMode = "on-true"
	breakAlways  breakMode = "always"
	breakNever   breakMode = "never"
)

func breakOf(cond *conf.Node) breakMode {
	mode := breakMode(strings.ToLower(cond.Attr("break")))
	switch mode {
	case breakOnTrue, breakAlways, breakNever:
		return mode
	}
	return breakOnFalse
}

// ends reports whether no further condition is looked at.
func (m breakMode) ends(matched bool) bool {
	return m == breakAlways || matched && m == breakOnTrue || !matched && m == breakOnFalse
}

// outcome is what the tests of one condition found.
type outcome struct {
	matched bool // the actions run, not the anti-actions
	proceed bool // the extension would be the right one
	// captured tells that actions refer to groups: the expression has
	// parentheses and was compared with a field.
	captured bool
	groups   []string
}

// conditions evaluates the conditions that stand in node (an extension, or a
// condition at depth 1 and more) and reports whether the extension proceeds.
func (h *hunter) conditions(node *conf.Node, extension string, depth int) (proceed bool) {
	name, prefix, nestRequired := extension, "", true
	if depth > 0 {
		if depth > maxDepth {
			h.logf(Error, "Recursion LIMIT!")
			return false
		}
		name = extension + "_recur_" + strconv.Itoa(depth)
		prefix = "|" + strings.Repeat("-", 4*depth-1) + " "
		if v, ok := node.LookupAttr("require-nested"); ok {
			nestRequired = isTrue(v)
		}
		h.logf(Debug, "%sDialplan: Processing recursive conditions level:%d [%s] require-nested=%s",
			prefix, depth, name, strings.ToUpper(strconv.FormatBool(nestRequired)))
	}
	for _, cond := range node.ChildrenNamed("condition") {
		if h.err != nil {
			return false
		}
		mode := breakOf(cond)
		place := place{cond, extension, name, prefix, mode, depth}
		o := h.evaluate(place, proceed)
		proceed = o.proceed
		if h.act(place, o) {
			proceed = true
		}
		if mode.ends(o.matched) {
			break
		}
		if proceed && cond.Child("condition") != nil {
			if proceed = h.conditions(cond, extension, depth+1); proceed {
				continue
			}
			if mode != breakNever {
				break
			}
		}
	}
	return proceed || !nestRequired
}

// place is the condition at hand and how the log speaks of it.
type place struct {
	cond      *conf.Node
	extension string
	name      string // with the level of nesting
	prefix    string
	mode      breakMode
	depth     int
}

// act collects the actions or anti-actions and reports whether any anti-action
// stood there, which makes the extension proceed.
func (h *hunter) act(p place, o outcome) (anti bool) {
	if !o.matched {
		for _, a := range p.cond.ChildrenNamed("anti-action") {
			h.add(p, a, dataOf(a), true)
			anti = true
		}
		return anti
	}
	if o.captured {
		h.SetVar("DP_MATCH", arrayText(o.groups))
	}
	groups := o.groups
	if h.Captured != nil {
		groups = make([]string, len(o.groups))
		for i, g := range o.groups {
			groups[i] = h.Captured(g)
		}
	}
	for _, a := range p.cond.ChildrenNamed("action") {
		data := dataOf(a)
		if o.captured {
			data = regex.Substitute(data, groups)
		}
		h.add(p, a, data, false)
	}
	return false
}

// evaluate makes the tests of a condition: its time, then its set of regexes,
// its field, or neither. A test that decides nothing leaves what the condition
// before it said.
func (h *hunter) evaluate(p place, before bool) outcome {
	o := outcome{proceed: before}
	timed, inTime := h.inTime(p.cond)
	if timed {
		o.matched, o.proceed = inTime, inTime
		verdict := "Date/TimeMatch (FAIL)"
		if inTime {
			verdict = "Date/Time Match (PASS)"
		}
		h.logf(Debug, "%sDialplan: %s %s [%s] break=%s", p.prefix, h.Channel, verdict, p.name, p.mode)
		h.record(p, Step{Kind: TimeTest, Matched: inTime, Expression: timeText(p.cond)})
	}
	if rule, ok := p.cond.LookupAttr("regex"); ok {
		h.set(p, strings.ToLower(rule), &o)
		return o
	}
	expression := h.Expand(expressionOf(p.cond))
	field, ok := p.cond.LookupAttr("field")
	if !ok {
		if !timed {
			h.logf(Debug, "%sDialplan: %s Absolute Condition [%s]", p.prefix, h.Channel, p.name)
			h.record(p, Step{Kind: AbsoluteTest, Matched: true})
			o.matched, o.proceed = true, true
		}
		return o
	}
	value := h.value(field)
	groups, pass := h.match(p, value, expression)
	h.logf(Debug, "%sDialplan: %s Regex (%s) [%s] %s(%s) =~ /%s/ break=%s",
		p.prefix, h.Channel, verdict(pass), p.name, field, value, expression, p.mode)
	h.record(p, Step{Kind: FieldTest, Field: field, Value: value, Expression: expression, Matched: pass})
	// A time that holds is enough for the actions, whatever the field says.
	o.matched = o.matched || pass
	o.proceed = pass
	o.captured = strings.Contains(expression, "(")
	o.groups = groups
	return o
}

// set evaluates the regex children of a condition by their rule: all, xor, or
// any for every other word.
func (h *hunter) set(p place, rule string, o *outcome) {
	all, xor := rule == "all", rule == "xor"
	word := "any"
	if all {
		word = "all"
	}
	h.ClearVars("DP_REGEX_MATCH")
	pass, fail := 0, 0
	kept := false
	for i, child := range p.cond.ChildrenNamed("regex") {
		t := h.member(p, child, word)
		if t.pass {
			pass++
		} else {
			fail++
		}
		if !t.timeFailed {
			o.proceed = t.pass
		}
		last := t.pass && !all && !xor || !t.pass && all
		if t.captured {
			h.SetVar("DP_REGEX_MATCH_"+strconv.Itoa(i+1), arrayText(t.groups))
			if t.pass {
				o.captured, o.groups, kept = true, t.groups, true
			}
		}
		if last {
			break
		}
	}
	switch {
	case xor && pass == 1, all && fail == 0, !xor && !all && pass > 0:
		o.matched = true
	}
	if kept {
		// As in the reference, the regex whose captures count also says
		// whether the extension is the right one.
		o.proceed = true
	}
}

// memberResult is what one regex of a set found.
type memberResult struct {
	pass       bool
	timeFailed bool // it has no field and its time does not hold
	captured   bool
	groups     []string
}

func (h *hunter) member(p place, child *conf.Node, word string) memberResult {
	timed, inTime := h.inTime(child)
	if timed {
		verdict := "Date/TimeMatch (FAIL)"
		if inTime {
			verdict = "Date/Time Match (PASS)"
		}
		h.logf(Debug, "%sDialplan: %s %s [%s]", p.prefix, h.Channel, verdict, p.name)
		h.record(p, Step{Kind: TimeTest, Matched: inTime, Expression: timeText(child)})
	}
	expression := h.Expand(expressionOf(child))
	field, ok := child.LookupAttr("field")
	switch {
	case ok:
		value := h.value(field)
		groups, pass := h.match(p, value, expression)
		h.logf(Debug, "%sDialplan: %s Regex (%s) [%s] %s(%s) =~ /%s/ match=%s",
			p.prefix, h.Channel, verdict(pass), p.name, field, value, expression, word)
		h.record(p, Step{Kind: FieldTest, Field: field, Value: value, Expression: expression, Matched: pass})
		return memberResult{pass: pass, captured: strings.Contains(expression, "("), groups: groups}
	case !timed:
		h.logf(Debug, "%sDialplan: %s Absolute Condition [%s] match=%s", p.prefix, h.Channel, p.name, word)
		h.record(p, Step{Kind: AbsoluteTest, Matched: true})
		return memberResult{pass: true}
	}
	return memberResult{pass: inTime, timeFailed: !inTime}
}

// value is what a field attribute names: an expansion when it has a dollar sign
// in it, else a field of the caller profile.
func (h *hunter) value(field string) string {
	if strings.Contains(field, "$") {
		return h.Expand(field)
	}
	return h.Field(field)
}

// match looks for the expression in the value. A pattern that cannot be used is
// logged and matches nothing.
func (h *hunter) match(p place, value, expression string) ([]string, bool) {
	groups, ok, err := h.Regex.Match(value, expression)
	if err != nil {
		h.logf(Error, "[%s] /%s/: %s", p.name, expression, err)
	}
	return groups, ok
}

func verdict(pass bool) string {
	if pass {
		return "PASS"
	}
	return "FAIL"
}

// arrayText is the text form of captures.
func arrayText(groups []string) string {
	switch len(groups) {
	case 0:
		return ""
	case 1:
		return groups[0]
	}
	return "ARRAY::" + strings.Join(groups, "|:")
}
