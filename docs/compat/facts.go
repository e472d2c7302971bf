package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// fact is one name of a fact sheet.
type fact struct {
	place string // the configuration, class or family that it belongs to, or ""
	name  string
}

// sheet reads one file of docs/reference and keeps the part between two headings.
func sheet(dir, file, from, to string) ([]string, error) {
	text, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		return nil, err
	}
	_, rest, ok := strings.Cut(string(text), "\n"+from)
	if !ok {
		return nil, fmt.Errorf("%s: there is no heading %q", file, from)
	}
	part, _, ok := strings.Cut(rest, "\n"+to)
	if !ok {
		return nil, fmt.Errorf("%s: there is no heading %q", file, to)
	}
	return strings.Split(part, "\n"), nil
}

var (
	quoted = regexp.MustCompile("`([^`]+)`")
	word   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]*$`)
	bold   = regexp.MustCompile(`\*\*([a-z_]+\.conf)\*\*`)
)

// firstCell is what stands in the first column of a table's row, "" elsewhere.
func firstCell(line string) string {
	if !strings.HasPrefix(line, "| ") {
		return ""
	}
	cell, _, _ := strings.Cut(strings.ReplaceAll(line[2:], `\|`, "\x00"), " |")
	return cell
}

// rows are the names in the first column of the tables that have this heading
// there, in order and once.
func rows(lines []string, heading, place string) []fact {
	var out []fact
	wanted := false
	for i, line := range lines {
		if i+1 < len(lines) && strings.HasPrefix(lines[i+1], "|---") {
			wanted = strings.EqualFold(strings.TrimSpace(firstCell(line)), heading)
			continue
		}
		if !wanted {
			continue
		}
		for _, m := range quoted.FindAllStringSubmatch(firstCell(line), -1) {
			name, _, _ := strings.Cut(m[1], "(")
			name = strings.Fields(name + " -")[0]
			if f := (fact{place, name}); word.MatchString(name) && !slices.Contains(out, f) {
				out = append(out, f)
			}
		}
	}
	return out
}

// values are quoted words of that table that are no parameters.
const values = " settings global_settings max- LUA_CPATH LUA_PATH default example a accountcode "

// configurations are the parameters of the table in config.md §5: a row names its
// file in bold where it is another one than the row before.
func configurations(lines []string) []fact {
	var out []fact
	file := ""
	for _, line := range lines {
		cell := firstCell(line)
		if m := bold.FindStringSubmatch(cell); m != nil {
			file = m[1]
		}
		for _, m := range quoted.FindAllStringSubmatch(cell, -1) {
			if f := (fact{file, m[1]}); file != "" && word.MatchString(m[1]) && !strings.Contains(values, " "+m[1]+" ") && !slices.Contains(out, f) {
				out = append(out, f)
			}
		}
	}
	return out
}

// words are all names in a text of quoted lists.
func words(lines []string, place string) []fact {
	var out []fact
	for _, m := range quoted.FindAllStringSubmatch(strings.Join(lines, " "), -1) {
		for _, name := range strings.Fields(m[1]) {
			out = append(out, fact{place, name})
		}
	}
	return out
}
