//go:build !linux

package sip

import "net"

// wantRefusals does nothing: only Linux tells of ICMP errors.
func wantRefusals(*net.UDPConn) {}

func refusals(*net.UDPConn, func([]byte)) {}

func isRefusal(error) bool { return false }
