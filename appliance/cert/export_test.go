package cert

import "testing"

// Create makes a self-signed certificate and its key.
func Create(file string, names ...string) error { return create(file, names) }

// Authority starts a server of ACME that looks for answers at a port, and returns
// its directory and the file by which to trust it.
func Authority(t *testing.T, httpPort int) (directory, file string) {
	t.Helper()
	a := newAuthority(t, httpPort, httpPort)
	return a.directory, a.file
}
