// Package expand fills in what configuration and dialplan leave open: the
// ${name}, $${name} and ${command(args)} of FreeSWITCH, with their offsets,
// array indices, nesting and escapes (spec/api-commands.md §8).
//
// [Expand] walks a text once and asks a [Resolver] for the values; a channel, an
// event, or the globals alone are resolvers of their callers. Beside it stand
// the two splitters that commands use for their arguments ([SplitSeparate],
// [Split]) and the text form of arrays.
//
// Everything here is a pure function of its input and its resolver. Depth, the
// number of look-ups and the size of the result are bounded, so that no text,
// however it refers to itself, costs more than a moment.
package expand
