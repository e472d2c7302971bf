// Package kv keeps what the applications and commands hash, db, group and limit
// share: small values by realm and key, in memory (Hash) or on disk (DB), dial
// strings by group (Groups), and counts of how often a resource is in use
// (Limits); and the objects of the JSON command store (Objects). All are safe for
// concurrent use.
package kv
