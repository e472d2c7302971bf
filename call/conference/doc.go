// Package conference has the rooms in which many calls hear each other: who may
// come in, who is a moderator, what keys do, what is played and recorded, and the
// events that tell of it. The sound itself is added up in media/mix.
//
// Rooms gives the switch its applications (conference,
// conference_set_auto_outcall) and the command conference. A room is made by its
// first caller from a profile of conference.conf, has one goroutine that owns all
// its state and publishes its events in order, and is gone when its last member
// has left. A member is served in its channel's own goroutine; commands, keys and
// the clock reach the room by short functions in its inbox, which never block.
//
// Names, texts, headers and figures are those of FreeSWITCH's mod_conference
// (spec/conference.md). Video and text to speech are not here.
package conference
