//go:build amd64 || arm64

package resample

// dot multiplies the n samples from a with those from b, four at a time; n is a
// multiple of four. Most of what a change of rate costs is here, and in calling it:
// it takes pointers because a slice costs as much as twelve samples.
//
//go:noescape
func dot(a, b *float32, n int) float32
