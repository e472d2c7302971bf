//go:build linux && !386 && !s390x

package udp

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// What the first two bytes of a datagram tell of RTP and RTCP (RFC 7983 §7, RFC 5761 §4).
const (
	versionBits = 0xc0
	version2    = 0x80
	firstRTCP   = 192
	lastRTCP    = 223
)

// The places of the two sockets of a port, in the order in which they were bound.
const (
	restPlace = iota
	soundPlace
)

// sorter is the program by which the system chooses the socket for a datagram: its
// result is a place. What is too short counts as zeros.
var sorter = []unix.SockFilter{
	{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: 0},
	{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: versionBits},
	{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: version2, Jf: 3},
	{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: 1},
	{Code: unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K, K: firstRTCP, Jf: 2},
	{Code: unix.BPF_JMP | unix.BPF_JGT | unix.BPF_K, K: lastRTCP, Jt: 1},
	{Code: unix.BPF_RET | unix.BPF_K, K: restPlace},
	{Code: unix.BPF_RET | unix.BPF_K, K: soundPlace},
}

// apart opens a second socket on the port of fd, to which the system gives all RTP
// that comes to the port from now on; what is no RTP stays with fd. Nobody can have
// had the port before, because fd was bound to it alone.
func apart(fd int) (sound int, err error) {
	local, err := boundTo(fd)
	if err != nil {
		return -1, err
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
		return -1, os.NewSyscallError("setsockopt", err)
	}
	if sound, err = bind(local, true); err == nil {
		program := unix.SockFprog{Len: uint16(len(sorter)), Filter: &sorter[0]}
		if err = unix.SetsockoptSockFprog(sound, unix.SOL_SOCKET, unix.SO_ATTACH_REUSEPORT_CBPF, &program); err == nil {
			return sound, nil
		}
		syscall.Close(sound)
	}
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 0)
	return -1, err
}
