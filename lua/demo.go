package lua

import (
	"embed"
	"io/fs"
)

//go:embed scripts/*.lua
var embedded embed.FS

// Scripts are the embedded scripts, for Options.Builtin: demo.lua, which
// extension 5000 of the default dialplan runs.
func Scripts() fs.FS {
	sub, err := fs.Sub(embedded, "scripts")
	if err != nil {
		return embedded
	}
	return sub
}
