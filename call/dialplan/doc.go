// Package dialplan decides what a call does: from the XML dialplan, or from an
// inline text, it makes the list of applications to run (spec/api-commands.md
// §6 and §7).
//
// [Hunt] walks the extensions of a context, evaluates their conditions now, and
// collects the actions of those that hold. What it needs of the call comes in as
// functions of a [Request]: the caller profile's fields, the expansion of
// variables, the clock. [Trace] is the same walk that keeps a record of every
// condition with the values it compared, and [XML.Trace] that of a [Trial], a call
// that is not made. [Inline] reads app:data,app:data.
//
// Nothing here runs an application, but for those marked inline, which go out
// through the request while the dialplan is read; and nothing here knows a
// channel, so a dialplan can be tried without a call.
package dialplan
