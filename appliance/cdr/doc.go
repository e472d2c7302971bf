// Package cdr keeps the call history: what became of every leg of every call.
//
// In come the CHANNEL_HANGUP_COMPLETE events of the bus, through one bounded
// queue; a call never waits for the disk. Out go a row for each leg in the table
// cdr of core.db, and the lines that cdr_csv.conf asks for in Master.csv and in
// the files of accounts. Records are handed to an observer too, which counts.
//
// The CSV files, their templates and the command cdr_csv are those of FreeSWITCH's
// mod_cdr_csv (spec/config.md §5). Nothing here decides what a call costs.
package cdr
