//go:build amd64 || arm64

package resample

// dot multiplies two slices of the same length, a multiple of four, four samples at
// a time: most of what a change of rate costs is here.
//
//go:noescape
func dot(a, b []float32) float32
