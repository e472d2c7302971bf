package appliance

import (
	"context"

	"github.com/switchlet/switchlet/esl/server"
	"github.com/switchlet/switchlet/store"
)

// modules are the reference's modules whose work the rooms do.
var modules = []string{"mod_commands", "mod_conference", "mod_console", "mod_db", "mod_dialplan_xml", "mod_dptools",
	"mod_event_socket", "mod_expr", "mod_hash", "mod_local_stream", "mod_logfile", "mod_loopback", "mod_lua",
	"mod_native_file", "mod_opus", "mod_rtc", "mod_sndfile", "mod_sofia", "mod_tone_stream", "mod_verto"}

// addParts lists the rooms that run, in the order of their start.
func (b *Box) addParts(_ context.Context, _ *store.DB) {
	socket := b.eventSocket()
	b.Switch.AddApplications(server.Application(socket))
	b.parts = []part{
		{"media", func(ctx context.Context) error { b.media.Start(context.WithoutCancel(ctx)); return nil }, func() error { b.media.Close(); return b.opener.Close() }},
		{"switch", func(context.Context) error { b.Switch.Start(); return nil }, func() error { return nil }},
		{"event socket", socket.Start, socket.Close},
	}
}

func (b *Box) registrations() [][]string { return nil }
