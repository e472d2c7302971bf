// Package calls plays whole calls between a box and phones of our own, over real
// sockets on loopback: what is heard, which events come, what is left behind.
package calls
