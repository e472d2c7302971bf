// Package e2e plays the main job with real peers: Chromium on the page that a
// fresh box serves, a phone, a Lua script on SQLite, a registering gateway to a
// carrier that speaks G.711, and an ESL client that watches and ends the call.
//
// The tests that need Chromium, sox and Node run with the build tag e2e.
package e2e
