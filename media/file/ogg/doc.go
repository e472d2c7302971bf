// Package ogg reads and writes Ogg/Opus files (RFC 3533, RFC 7845).
//
// A Reader gives mono sound at whichever of Opus's rates is asked for, skips what
// the encoder prepended, cuts what it appended, and seeks by bisection with 80 ms
// of lead, as the RFC wants. A Writer makes files of one or two channels whose
// pages are complete every second, so that a recording can be played whatever
// happens to its writer, and continues a file that exists.
//
// Pages are checked by their CRC; damaged ones are passed over. Everything is
// bounded before it is read: pages by their format, tags by maxTags, damage by
// maxDamage. Only the first logical stream of a file is read, and only such as
// have one Opus stream (mapping family 0, or another with one stream).
package ogg
