// Package expr holds the small evaluators behind API commands and variables: the
// arithmetic of expr ([Eval]), the comparison of cond ([Cond]), dates by the C
// library's formats ([Strftime]) and time zones by POSIX strings ([ParseTZ]).
//
// All are pure functions from text to text, with the results of FreeSWITCH down
// to their oddities (spec/api-commands.md §8). What a text can cost is bounded:
// its length, how deep its parentheses go, how many steps it takes.
package expr
