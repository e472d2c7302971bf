package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPage_IsWhatTheSwitchHas(t *testing.T) {
	root := filepath.Join("..", "..")
	want, err := write(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(root, "docs", "compatibility.md"))
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("docs/compatibility.md is not up to date; run: go run ./docs/compat")
	}
	for _, line := range strings.Split(want, "\n") {
		if strings.HasPrefix(line, "| ") && strings.Contains(line, " | 0 | 0 | 0 |") {
			t.Errorf("an empty chapter: %s", line)
		}
	}
}
