// Package lua runs the switch's Lua scripts: the classes that FreeSWITCH's
// mod_lua gives them (Session, API, Event, EventConsumer, Stream, DTMF, IVRMenu,
// JSON, Dbh), its entry points (the application lua, the commands lua and
// luarun, start-up scripts, event hooks, the XML handler, the dialplan LUA), and
// a standard library that behaves as PUC Lua 5.2 does where gopher-lua differs.
//
// A Host compiles scripts once and runs each in a state of its own, in the
// goroutine of whoever started it: the channel's for the application, a new one
// for luarun. Values go in as globals; what a script wrote to its stream comes
// out. Sound, digits and variables are the channel's business (call), data the
// store's, requests by HTTP go through Options.HTTP; nothing else here opens a
// socket. A script that fails ends alone: its error
// and traceback go to the log, the call goes on.
package lua
