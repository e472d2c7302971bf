package main

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"sort"
	"strings"
)

// has reports whether every expected line occurs among the lines of got.
func (r *runner) has(want, got string) (bool, string) {
	lines := strings.Split(strings.TrimSuffix(got, "\n"), "\n")
	for _, w := range strings.Split(strings.TrimSuffix(want, "\n"), "\n") {
		found := false
		for _, g := range lines {
			ok, err := match(w, strings.TrimRight(g, "\r"), r.vars)
			if err != nil {
				return false, err.Error()
			}
			if ok {
				found = true
				break
			}
		}
		if !found {
			return false, fmt.Sprintf("  - %s\n    is not among these lines:\n%s", w, indent(clip(got, 3000), "  + "))
		}
	}
	return true, ""
}

func indent(s, p string) string {
	s = strings.TrimSuffix(s, "\n")
	return p + strings.ReplaceAll(s, "\n", "\n"+p) + "\n"
}

func sortLines(s string) string {
	end := strings.HasSuffix(s, "\n")
	l := strings.Split(strings.TrimSuffix(s, "\n"), "\n")
	sort.Strings(l)
	s = strings.Join(l, "\n")
	if end {
		s += "\n"
	}
	return s
}

func canonJSON(s string) string {
	var v any
	if err := json.Unmarshal([]byte(s), &v); err != nil {
		return "not JSON (" + err.Error() + "): " + s
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	e.Encode(v)
	return b.String()
}

// canonXML puts every tag on a line of its own and drops blank text.
func canonXML(s string) string {
	d := xml.NewDecoder(strings.NewReader(s))
	var b strings.Builder
	depth := 0
	ind := func() string { return strings.Repeat("  ", depth) }
	pending := ""
	flush := func() {
		if pending != "" {
			b.WriteString(pending + ">\n")
			pending = ""
		}
	}
	text := ""
	for {
		t, err := d.RawToken()
		if err == io.EOF {
			break
		}
		if err != nil {
			return "not XML (" + err.Error() + "): " + s
		}
		switch t := t.(type) {
		case xml.StartElement:
			flush()
			text = ""
			pending = ind() + "<" + t.Name.Local
			for _, a := range t.Attr {
				pending += fmt.Sprintf(" %s=%q", a.Name.Local, a.Value)
			}
			depth++
		case xml.CharData:
			text += strings.TrimSpace(string(t))
		case xml.EndElement:
			depth--
			if pending != "" {
				if text == "" {
					b.WriteString(pending + "/>\n")
				} else {
					b.WriteString(pending + ">" + text + "</" + t.Name.Local + ">\n")
				}
				pending = ""
			} else {
				b.WriteString(ind() + "</" + t.Name.Local + ">\n")
			}
			text = ""
		}
	}
	return b.String()
}

func cut(s string) (string, string) {
	s = strings.TrimLeft(s, " \t")
	if i := strings.IndexAny(s, " \t"); i >= 0 {
		return s[:i], strings.TrimLeft(s[i:], " \t")
	}
	return s, ""
}

// braces splits a leading {a=b,...} off s.
func braces(s string) (string, string) {
	s = strings.TrimSpace(s)
	if !strings.HasPrefix(s, "{") {
		return "", s
	}
	depth := 0
	for i, ch := range s {
		switch ch {
		case '{':
			depth++
		case '}':
			depth--
			if depth == 0 {
				return s[1:i], strings.TrimSpace(s[i+1:])
			}
		}
	}
	return "", s
}
