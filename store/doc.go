// Package store keeps what must outlive a call: SQLite databases behind one
// table of data source names.
//
// Two doors lead in. DB is for the switch's own tables (registrations, the db
// application, limits, call history): one writer and a few readers of one file,
// in WAL mode, with transactions and a batched writer. Conn is for scripts that
// bring their own SQL: one connection that is theirs alone until they release
// it, taken from a pool per data source name; its values are SQLite's own texts.
//
// core.db in Options.Dir is the switch's; sqlite://NAME opens NAME.db beside it.
// Other databases come in as rows of Options.Drivers. The package knows nothing
// of calls, events or Lua.
package store
