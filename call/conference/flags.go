package conference

import (
	"strings"

	"github.com/switchlet/switchlet/call"
)

// memberFlag is a set of properties that a member has from the start.
type memberFlag uint32

const (
	flagMute memberFlag = 1 << iota
	flagDeaf
	flagMuteDetect
	flagDistDTMF
	flagSkipDTMF
	flagModerator
	flagNoMOH
	flagEndconf
	flagMandatoryEndconf
	flagMinTwo
	flagGhost
	flagJoinOnly
	flagSecondScreen
	flagTalkData
)

// roomFlag is a set of properties that a room has from the start.
type roomFlag uint32

const (
	roomWaitMod roomFlag = 1 << iota
	roomAudioAlways
	roomRestartAutoRecord
	roomLiveArraySync
)

type memberWord struct {
	word string
	flag memberFlag
}

// memberWords are the flags of members by name (spec/conference.md §1). Those of
// video are unknown words, which are ignored.
var memberWords = [...]memberWord{
	{"mute", flagMute}, {"deaf", flagDeaf}, {"mute-detect", flagMuteDetect}, {"dist-dtmf", flagDistDTMF},
	{"skip-dtmf", flagSkipDTMF}, {"moderator", flagModerator}, {"nomoh", flagNoMOH}, {"endconf", flagEndconf},
	{"mandatory_member_endconf", flagMandatoryEndconf}, {"mintwo", flagMinTwo}, {"ghost", flagGhost},
	{"join-only", flagJoinOnly}, {"second-screen", flagSecondScreen | flagMute | flagDeaf},
	{"talk-data-events", flagTalkData},
}

type roomWord struct {
	word string
	flag roomFlag
}

var roomWords = [...]roomWord{
	{"wait-mod", roomWaitMod}, {"audio-always", roomAudioAlways},
	{"restart-auto-record", roomRestartAutoRecord}, {"livearray-sync", roomLiveArraySync},
}

func memberFlags(words []string) (f memberFlag) {
	for _, w := range words {
		for _, k := range memberWords {
			if strings.EqualFold(k.word, w) {
				f |= k.flag
			}
		}
	}
	return f
}

func roomFlags(words []string) (f roomFlag) {
	for _, w := range words {
		for _, k := range roomWords {
			if strings.EqualFold(k.word, w) {
				f |= k.flag
			}
		}
	}
	return f
}

// flagVariables are the words that a caller's and the global variables
// conference_member_flags and conference_flags add, and those of the form
// conference_member_flags_WORD=true.
func flagVariables(ch *call.Channel) (member, room []string) {
	globals := ch.Switch().Globals
	for _, get := range [...]func(string) string{ch.Get, globals.Get} {
		member = append(member, flagWords(get("conference_member_flags"))...)
		room = append(room, flagWords(get("conference_flags"))...)
	}
	on := func(name string) bool { return call.True(ch.Get(name)) || call.True(globals.Get(name)) }
	for _, k := range memberWords {
		if on("conference_member_flags_"+k.word) || on("conference_flags_"+k.word) {
			member = append(member, k.word)
		}
	}
	for _, k := range roomWords {
		if on("conference_flags_" + k.word) {
			room = append(room, k.word)
		}
	}
	return append(member, room...), room
}
