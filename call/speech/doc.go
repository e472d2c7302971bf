// Package speech makes speech of text: the application speak, and the names
// "say:TEXT" that play it.
//
// An engine turns a text into a sound file: a shell command as FreeSWITCH's
// tts_commandline.conf has it, or an engine of tts.conf, which is a program that is
// run without a shell, or an address that answers with sound. What was made is
// kept in a directory within a bound, under the name of engine, voice and text, and
// played like any file. Engines run beside the call, never on the clock of its
// sound; how many run at once, for how long, on how much text and with how large a
// result is bounded.
//
// Recorded words (numbers, dates, phrases) are the business of call/say.
package speech
