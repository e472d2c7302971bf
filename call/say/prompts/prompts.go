// Package prompts has recordings that speak without any sound files being
// installed: numbers, letters, dates, money, and the phrases of conferences,
// menus, voicemail and the directory, under the names that FreeSWITCH's sounds
// have.
//
// FS gives them as a file system that is laid under the directory of sounds
// (stream.Opener.Prompts): "en/us/callie/digits/1.wav" and "digits/1.wav" are both
// the recording en/digits/1.opus. The files are Ogg/Opus whatever they are called.
// en.txt says what is spoken in each; "go generate" makes them again, on a machine
// that has Flite. LICENSE has the terms of the voice.
package prompts

import (
	"embed"
	"io/fs"
	"path"
	"strings"
)

//go:generate go run make.go en.txt en

//go:embed en
var recordings embed.FS

// defaultLanguage speaks where a name has no directory of a language.
const defaultLanguage = "en"

// FS is the file system of the recordings.
func FS() fs.FS { return layout{} }

// layout finds recordings by the names that sounds have.
type layout struct{}

// Open implements fs.FS.
func (layout) Open(name string) (fs.File, error) {
	file, ok := recording(name)
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return recordings.Open(file)
}

// Stat implements fs.StatFS.
func (layout) Stat(name string) (fs.FileInfo, error) {
	file, ok := recording(name)
	if !ok {
		return nil, &fs.PathError{Op: "stat", Path: name, Err: fs.ErrNotExist}
	}
	return fs.Stat(recordings, file)
}

// recording turns "LANGUAGE/…/KIND/NAME.EXTENSION" or "KIND/NAME.EXTENSION" into
// the name of a recording.
func recording(name string) (string, bool) {
	parts := strings.Split(name, "/")
	if len(parts) < 2 || !fs.ValidPath(name) {
		return "", false
	}
	language := defaultLanguage
	if len(parts) > 2 {
		language = parts[0]
	}
	kind, base := parts[len(parts)-2], parts[len(parts)-1]
	return path.Join(language, kind, strings.TrimSuffix(base, path.Ext(base))+".opus"), true
}
