//go:build race

package lua

// manyRuns is less under the race detector, which slows each run down.
const manyRuns = 2_000
