//go:build !amd64 && !arm64

package resample

import "unsafe"

// dot multiplies the n samples from a with those from b; n is a multiple of four.
func dot(a, b *float32, n int) float32 { return dotGo(unsafe.Slice(a, n), unsafe.Slice(b, n)) }
