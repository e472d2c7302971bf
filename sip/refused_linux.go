package sip

import (
	"errors"
	"net"
	"syscall"
)

// wantRefusals makes the kernel keep the ICMP errors of what we sent, so that a
// call to a port that nobody listens on fails at once.
func wantRefusals(conn *net.UDPConn) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return
	}
	raw.Control(func(fd uintptr) {
		syscall.SetsockoptInt(int(fd), syscall.SOL_IP, syscall.IP_RECVERR, 1)
		syscall.SetsockoptInt(int(fd), syscall.SOL_IPV6, syscall.IPV6_RECVERR, 1)
	})
}

// maxRefusals bounds what is taken off the queue of errors at once.
const maxRefusals = 64

// refusals calls fn with each datagram of ours that came back as refused.
func refusals(conn *net.UDPConn, fn func(datagram []byte)) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return
	}
	raw.Control(func(fd uintptr) {
		buf, oob := make([]byte, 2048), make([]byte, 512)
		for range maxRefusals {
			n, _, _, _, err := syscall.Recvmsg(int(fd), buf, oob, syscall.MSG_ERRQUEUE|syscall.MSG_DONTWAIT)
			if err != nil {
				return
			}
			fn(buf[:n])
		}
	})
}

// isRefusal reports whether an error of a read or write is an ICMP error of
// something sent before.
func isRefusal(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.EHOSTUNREACH) || errors.Is(err, syscall.ENETUNREACH)
}
