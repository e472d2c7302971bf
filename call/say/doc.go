// Package say speaks with recordings: it turns numbers, dates, amounts and names
// into lists of prompts (say), runs the phrase macros of the section "languages",
// and leads callers through the menus of ivr.conf.
//
// Announcements owns the three; Applications and Commands are its rows for the
// tables of a Switch, and as call.Phrases it plays the file names that begin with
// "phrase:" and "say:". What is heard goes through call.Channel.Play, so that
// digits, events and variables are those of any playback. A language is a pure
// function from a Request to the names of prompts; English is here, others are
// further rows of the table in language.go.
//
// The prompts themselves are files below sound_prefix or those of the package
// prompts. Nothing here opens a file or makes speech from text: the latter is
// the work of a Speaker (call/speech), if there is one.
package say
