package appliance

// What is missing of applications that exist, for "switchlet check" and for
// docs/compatibility.md. A name that stands here is told as partly supported.
var partlyApplications = map[string]string{
	"acknowledge_call":     "accepted; SIP's INVITE is answered with 100 anyway",
	"bridge":               "no bypass_media or proxy_media: sound always goes through the switch; no video",
	"clear_speech_cache":   "accepted without effect",
	"cng_plc":              "accepted; lost sound is concealed anyway",
	"conference":           "no video, no positions in space",
	"debug_media":          "logs the stages and counters once, not a line for each packet",
	"deduplicate_dtmf":     "accepted without effect",
	"early_hangup":         "accepted without effect",
	"enable_keepalive":     "accepted; nothing is sent",
	"filter_codecs":        "accepted without effect",
	"jitterbuffer":         "the lengths hold; debug, pause and resume have no effect",
	"media_reset":          "accepted; sound always goes through the switch",
	"novideo":              "accepted; there is no video",
	"phrase":               "English only",
	"remove_bugs":          "recordings and tone detection only",
	"reuse_caller_profile": "accepted without effect",
	"say":                  "English only",
	"system":               "only where allow-shell is true in switch.conf",
	"bgsystem":             "only where allow-shell is true in switch.conf",
}

// partlyCommands is the same for commands.
var partlyCommands = map[string]string{
	"bg_spawn":           "only where allow-shell is true in switch.conf",
	"bg_system":          "only where allow-shell is true in switch.conf",
	"conference":         "what concerns video, canvases and positions in space is accepted or refused, without effect",
	"db_cache":           "status only",
	"fsctl":              "reclaim_mem, save_history, calibrate_clock, flush_db_handles, mdns_resolve, sql, recover, debug_sql, uuid_version and the clock's words only answer",
	"hash_remote":        "answers; there are no remote hashes",
	"limit_status":       "answers as the reference does: not supported",
	"load":               "reloads the configuration; what exists is built in",
	"nat_map":            "answers as a switch that found no router",
	"pool_stats":         "answers; there are no pools",
	"reload":             "reloads the configuration; what exists is built in",
	"reloadcert":         "fires its event; certificates that have changed are found without it",
	"say_string":         "English only",
	"sofia":              "loglevel, tracelevel, and profile watchdog and capture only answer",
	"spawn":              "only where allow-shell is true in switch.conf",
	"spawn_stream":       "only where allow-shell is true in switch.conf",
	"system":             "only where allow-shell is true in switch.conf",
	"unload":             "refused; what exists is built in",
	"uuid_capture_text":  "answers; there is no real-time text",
	"uuid_codec_debug":   "logs the stages and counters once",
	"uuid_codec_param":   "answers; no codec takes it",
	"uuid_debug_media":   "logs the stages and counters once, not a line for each packet",
	"uuid_jitterbuffer":  "the lengths hold; debug has no effect",
	"uuid_media":         "no endpoint leaves the path of the sound: -ERR",
	"uuid_media_3p":      "no endpoint leaves the path of the sound: -ERR",
	"uuid_preprocess":    "answers; there is no preprocessor",
	"uuid_simplify":      "no endpoint leaves a call: -ERR",
	"uuid_video_refresh": "answers; there is no video",
	"verto":              "debug only answers",
}

// partlyLua is the same for Lua, by class and method.
var partlyLua = map[string]string{
	"Session.detectSpeech":        "there is no speech recognition",
	"Session.playAndDetectSpeech": "there is no speech recognition",
	"freeswitch.email":            "only where allow-shell is true in switch.conf",
}

// Partly says what is missing of an application, a command, or a method of Lua
// ("Session.detectSpeech"): kind is "application", "command" or "lua". It is ""
// when nothing is known to be missing.
func Partly(kind, name string) string {
	return map[string]map[string]string{"application": partlyApplications, "command": partlyCommands, "lua": partlyLua}[kind][name]
}
