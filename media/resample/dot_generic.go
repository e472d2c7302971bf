//go:build !amd64 && !arm64

package resample

// dot multiplies two slices of the same length, a multiple of four.
func dot(a, b []float32) float32 { return dotGo(a, b) }
