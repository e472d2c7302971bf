package conf

import (
	"embed"
	"io/fs"
)

//go:embed all:default
var embedded embed.FS

// Default returns the embedded tree: a complete, small configuration in
// FreeSWITCH's format, with freeswitch.xml at its root.
func Default() fs.FS {
	sub, err := fs.Sub(embedded, "default")
	if err != nil {
		return embedded
	}
	return sub
}
