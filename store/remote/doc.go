// Package remote connects scripts to databases that are servers: PostgreSQL,
// MySQL and MariaDB, and Microsoft SQL Server, by drivers in Go.
//
// Drivers gives the rows for store.Options.Drivers. In goes SQL text as a script
// wrote it, several statements at once if it likes; out come the rows as texts.
// A result is fetched whole before the first row is handed over, so that the
// server and the connection are free while the script looks at it, and so that
// a query may be nested in another. A connection that was lost while nobody used
// it is made anew; one that is lost in a transaction is an error.
//
// Which names lead where is the business of the one who makes the store.
package remote
