package lua

import (
	"slices"
	"strings"
	"testing"
)

func TestParseCommand(t *testing.T) {
	for text, want := range map[string]command{
		"x.lua":                   {script: "x.lua"},
		"  \n\rx.lua a  b":        {script: "x.lua", args: []string{"a", "b"}},
		"x.lua 'one two' three":   {script: "x.lua", args: []string{"one two", "three"}},
		`x.lua "one two"`:         {script: "x.lua", args: []string{`"one`, `two"`}},
		`x.lua it\'s ''`:          {script: "x.lua", args: []string{"it's", ""}},
		"~stream:write('x')":      {inline: true, source: "stream:write('x')"},
		"#!/lua stream:write(1)":  {inline: true, source: " stream:write(1)"},
		"#!/LUA\nstream:write(1)": {inline: true, source: "\nstream:write(1)"},
		"\tx.lua":                 {script: "\tx.lua"},
		"~":                       {inline: true},
		"":                        {},
		`x.lua back\slash a\`:     {script: "x.lua", args: []string{`back\slash`, `a\`}},
	} {
		got := parseCommand(text)
		if got.inline != want.inline || got.source != want.source || got.script != want.script || !slices.Equal(got.args, want.args) {
			t.Errorf("%q is %+v, want %+v", text, got, want)
		}
	}
	if got := parseCommand("x.lua" + strings.Repeat(" a", 300)); len(got.args) != maxArguments-1 {
		t.Errorf("%d arguments, want %d", len(got.args), maxArguments-1)
	}
}

func FuzzParseCommand(f *testing.F) {
	f.Add("x.lua 'a b' \\'")
	f.Fuzz(func(t *testing.T, text string) {
		if c := parseCommand(text); len(c.args) >= maxArguments {
			t.Errorf("%d arguments", len(c.args))
		}
	})
}

func TestParseOrder(t *testing.T) {
	for word, want := range map[string]order{
		"":           {verb: goOn},
		"true":       {verb: goOn},
		"TRUE":       {verb: stop},
		"undefined":  {verb: goOn},
		"false":      {verb: stop},
		"break":      {verb: stop},
		"0":          {verb: stop},
		"stop":       {verb: stop},
		"Pause":      {verb: togglePause},
		"restart":    {verb: restart},
		"truncate":   {verb: truncate},
		"speed":      {verb: stop},
		"speed:+":    {setSpeed, 1, 1},
		"speed:-":    {setSpeed, 1, 1},
		"speed:-2":   {setSpeed, -1, 2},
		"speed:2":    {setSpeed, 0, 2},
		"volume:+3":  {setVolume, 1, 3},
		"volume:-":   {setVolume, 1, 1},
		"volume:0":   {setVolume, 0, 0},
		"seek:+":     {seek, 1, 1000},
		"seek:-500":  {seek, -1, 500},
		"seek:250":   {seek, 0, 250},
		"seek":       {verb: goOn},
		"seek:-2000": {seek, -1, 2000},
	} {
		if got := parseOrder(word); got != want {
			t.Errorf("%q is %+v, want %+v", word, got, want)
		}
	}
}
