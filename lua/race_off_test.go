//go:build !race

package lua

// manyRuns is how many scripts the test of leaks runs.
const manyRuns = 10_000
