// Package ports gives tests ports for programs and listeners that open them later.
package ports

import (
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
)

// The ports are above those that the system gives to whoever asks for any (32768 to
// 60999), and above those of package box. As there, a port is a test's alone while
// it holds its guard, which nobody connects to and which cannot outlive its process.
const (
	low   = 61000
	step  = 4 // a port, the next one, the guard
	guard = 2
	count = 1100
	tries = 200
)

// Free is an even port that is free for UDP and TCP of IPv4, and so is the next one. Until the test ends no other test is given them, in whichever process.
func Free(t testing.TB) int {
	t.Helper()
	for range tries {
		port := low + rand.IntN(count)*step
		held, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", port+guard))
		if err != nil {
			continue
		}
		if free(port) && free(port+1) {
			t.Cleanup(func() { held.Close() })
			return port
		}
		held.Close()
	}
	t.Fatal("no free port")
	return 0
}

func free(port int) bool {
	address := fmt.Sprintf(":%d", port)
	l, err := net.Listen("tcp4", address)
	if err != nil {
		return false
	}
	l.Close()
	u, err := net.ListenPacket("udp4", address)
	if err != nil {
		return false
	}
	u.Close()
	return true
}
