package commands

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/switchlet/switchlet/call"
)

// print writes a table in the form that "as xml|json|delim|csv" asks for.
func print(in *call.Invocation, t table, count bool, words []string) error {
	form, separator := "", ","
	if len(words) > 0 && words[0] == "as" {
		if len(words) < 2 {
			return reply(in, "-ERR Cannot find format \n")
		}
		form = strings.ToLower(words[1])
		if len(words) > 2 {
			separator = words[2]
		}
	}
	switch form {
	case "xml":
		printXML(in, t, count)
	case "json":
		printJSON(in, t, count)
	case "", "delim", "csv":
		if !count && len(t.rows) > 0 {
			in.Out.WriteString(strings.Join(t.columns, separator) + "\n")
			for _, r := range t.rows {
				in.Out.WriteString(strings.Join(r, separator) + "\n")
			}
		}
		fmt.Fprintf(in.Out, "\n%d total.\n", len(t.rows))
	default:
		fmt.Fprintf(in.Out, "-ERR Cannot find format %s\n", words[1])
	}
	return nil
}

// quote is s as a JSON string.
func quote(s string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.Encode(s)
	return strings.TrimSuffix(b.String(), "\n")
}

var xmlEscaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

func printXML(in *call.Invocation, t table, count bool) {
	if count {
		fmt.Fprintf(in.Out, "<result row_count=\"%d\"></result>\n", len(t.rows))
		return
	}
	if len(t.rows) == 0 {
		in.Out.WriteString("<result row_count=\"0\"/>\n")
		return
	}
	fmt.Fprintf(in.Out, "<result row_count=\"%d\">\n", len(t.rows))
	for i, r := range t.rows {
		fmt.Fprintf(in.Out, "  <row row_id=\"%d\">\n", i+1)
		for j, c := range t.columns {
			fmt.Fprintf(in.Out, "    <%s>%s</%s>\n", c, xmlEscaper.Replace(r[j]), c)
		}
		in.Out.WriteString("  </row>\n")
	}
	in.Out.WriteString("</result>\n")
}

func printJSON(in *call.Invocation, t table, count bool) {
	if len(t.rows) == 0 {
		in.Out.WriteString("{\"row_count\": 0}\n")
		return
	}
	fmt.Fprintf(in.Out, `{"row_count":%d,"rows":[`, len(t.rows))
	if !count {
		for i, r := range t.rows {
			if i > 0 {
				in.Out.WriteByte(',')
			}
			in.Out.WriteByte('{')
			for j, c := range t.columns {
				if j > 0 {
					in.Out.WriteByte(',')
				}
				in.Out.WriteString(quote(c) + ":" + quote(r[j]))
			}
			in.Out.WriteByte('}')
		}
	}
	in.Out.WriteString("]}")
}
