// Package dialstring reads dial strings into a syntax tree and writes them back
// (spec/api-commands.md §4):
//
//	<vars>{vars}[vars]sofia/gateway/a/1,[vars]user/2|user/3:_:user/4
//
// A [Dial] has groups that are called side by side (:_:), each a list of
// alternatives tried in turn (|), each a list of legs called together (,). Sets
// of variables stand before what they are for: <> before everything, {} before a
// group, [] before a leg.
//
// Nothing here knows what an endpoint or a variable means, and nothing is
// looked up or expanded. A text that cannot be read is an [Error] with the place
// where it went wrong. The package imports nothing of the module.
package dialstring
