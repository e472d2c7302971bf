// Package scenario plays calls to a switch that has no network, in virtual time,
// and says whether they went as a text file has it: who calls, what they hear
// and press, and what must follow.
//
// Parse reads a file of scenarios. A Player plays each of them on a Stage, a
// switch of its own that whoever has all the rooms builds, inside a bubble of
// testing/synctest: all goroutines of the switch live in the bubble, its clock
// stands still while any of them computes and jumps to the next timer when all
// wait. So five minutes of a call take as long as the switch computes for them.
// No socket may be in the bubble, because a goroutine that waits for the
// network keeps the clock from moving.
//
// Callers and far ends are telephones in memory (line): a Leg, a Wire, and an
// ear. What the ear hears is judged by the samples that arrive on the wire,
// which are compared with those of every sound that the switch opened (Studio).
package scenario
