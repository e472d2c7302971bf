//go:build linux && !386 && !s390x

package udp

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The calls here never block, so they are made without telling Go's scheduler
// (RawSyscall), and without allocations.

// bind opens a bound socket that does not block; shared: the port may have another one.
func bind(addr netip.AddrPort, shared bool) (int, error) {
	family := syscall.AF_INET6
	if addr.Addr().Is4() {
		family = syscall.AF_INET
	}
	fd, err := syscall.Socket(family, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	if shared {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
			syscall.Close(fd)
			return -1, os.NewSyscallError("setsockopt", err)
		}
	}
	if family == syscall.AF_INET {
		err = syscall.Bind(fd, &syscall.SockaddrInet4{Port: int(addr.Port()), Addr: addr.Addr().As4()})
	} else if err = syscall.SetsockoptInt(fd, syscall.IPPROTO_IPV6, syscall.IPV6_V6ONLY, only6(addr.Addr())); err == nil {
		err = syscall.Bind(fd, &syscall.SockaddrInet6{Port: int(addr.Port()), Addr: addr.Addr().As16(), ZoneId: zoneID(addr.Addr().Zone())})
	}
	if err != nil {
		syscall.Close(fd)
		return -1, os.NewSyscallError("bind", err)
	}
	return fd, nil
}

// only6 is 0 for the address "::" alone, which stands for IPv4, too.
func only6(ip netip.Addr) int {
	if ip.IsUnspecified() {
		return 0
	}
	return 1
}

// boundTo returns the address that a socket is bound to.
func boundTo(fd int) (netip.AddrPort, error) {
	sa, err := syscall.Getsockname(fd)
	if err != nil {
		return netip.AddrPort{}, os.NewSyscallError("getsockname", err)
	}
	switch sa := sa.(type) {
	case *syscall.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port)), nil
	case *syscall.SockaddrInet6:
		ip := netip.AddrFrom16(sa.Addr)
		if sa.ZoneId != 0 {
			ip = ip.WithZone(zoneName(sa.ZoneId))
		}
		return netip.AddrPortFrom(ip, uint16(sa.Port)), nil
	}
	return netip.AddrPort{}, syscall.EAFNOSUPPORT
}

// pollNow returns how many events are there.
func pollNow(epoll int, events []syscall.EpollEvent) int {
	n, _, errno := syscall.RawSyscall6(syscall.SYS_EPOLL_PWAIT, uintptr(epoll),
		uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), 0, 0, 0)
	if errno != 0 {
		return 0
	}
	return int(n)
}

// receiveFrom takes a datagram and tells whose it is.
func receiveFrom(fd int, buf []byte) (int, netip.AddrPort, error) {
	var sa syscall.RawSockaddrInet6 // has room for both families
	size := uint32(syscall.SizeofSockaddrInet6)
	n, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, uintptr(fd),
		uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf)), 0,
		uintptr(unsafe.Pointer(&sa)), uintptr(unsafe.Pointer(&size)))
	if errno != 0 {
		return 0, netip.AddrPort{}, errno
	}
	from, err := farEnd(&sa)
	return int(n), from, err
}

// soTimestampns has the system put the time at which it got a datagram beside it, as
// two numbers of 64 bits on every architecture (Linux 5.1).
const soTimestampns = 64

// stamp is that time as recvmsg(2) gives it.
type stamp struct {
	header    syscall.Cmsghdr
	sec, nsec int64
}

func stampArrivals(fd int) error {
	return os.NewSyscallError("setsockopt", syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, soTimestampns, 1))
}

// receiveStamped is receiveFrom of a socket with stampArrivals. at is when the datagram
// came, in nanoseconds since 1970; 0 if the system does not say.
func receiveStamped(fd int, buf []byte) (n int, from netip.AddrPort, at int64, err error) {
	var (
		sa   syscall.RawSockaddrInet6
		mark stamp
		iov  = syscall.Iovec{Base: &buf[0]}
		msg  = syscall.Msghdr{Name: (*byte)(unsafe.Pointer(&sa)), Namelen: syscall.SizeofSockaddrInet6, Iov: &iov, Iovlen: 1,
			Control: (*byte)(unsafe.Pointer(&mark))}
	)
	iov.SetLen(len(buf))
	msg.SetControllen(int(unsafe.Sizeof(mark)))
	got, _, errno := syscall.RawSyscall(syscall.SYS_RECVMSG, uintptr(fd), uintptr(unsafe.Pointer(&msg)), 0)
	if errno != 0 {
		return 0, netip.AddrPort{}, 0, errno
	}
	if mark.header.Level == syscall.SOL_SOCKET && mark.header.Type == soTimestampns {
		at = mark.sec*1e9 + mark.nsec
	}
	from, err = farEnd(&sa)
	return int(got), from, at, err
}

// farEnd is the address that the system gave.
func farEnd(sa *syscall.RawSockaddrInet6) (netip.AddrPort, error) {
	port := (*[2]byte)(unsafe.Pointer(&sa.Port))
	at := uint16(port[0])<<8 | uint16(port[1])
	switch sa.Family {
	case syscall.AF_INET:
		four := (*syscall.RawSockaddrInet4)(unsafe.Pointer(sa))
		return netip.AddrPortFrom(netip.AddrFrom4(four.Addr), at), nil
	case syscall.AF_INET6:
		ip := netip.AddrFrom16(sa.Addr).Unmap()
		if sa.Scope_id != 0 {
			ip = ip.WithZone(zoneName(sa.Scope_id))
		}
		return netip.AddrPortFrom(ip, at), nil
	}
	return netip.AddrPort{}, fmt.Errorf("udp: address family %d", sa.Family)
}

// sendTo transmits a datagram by a socket of IPv6 (six) or IPv4.
func sendTo(fd int, b []byte, to netip.AddrPort, six bool) error {
	var (
		sa   syscall.RawSockaddrInet6
		size uintptr
	)
	switch ip := to.Addr(); {
	case six:
		sa.Family, sa.Addr = syscall.AF_INET6, ip.As16()
		if z := ip.Zone(); z != "" {
			sa.Scope_id = zoneID(z)
		}
		size = syscall.SizeofSockaddrInet6
	case ip.Is4() || ip.Is4In6():
		four := (*syscall.RawSockaddrInet4)(unsafe.Pointer(&sa))
		four.Family, four.Addr = syscall.AF_INET, ip.As4()
		size = syscall.SizeofSockaddrInet4
	default:
		return &net.AddrError{Err: "an address of IPv6 on a socket of IPv4", Addr: ip.String()}
	}
	port := (*[2]byte)(unsafe.Pointer(&sa.Port))
	port[0], port[1] = byte(to.Port()>>8), byte(to.Port())
	var at unsafe.Pointer
	if len(b) > 0 {
		at = unsafe.Pointer(&b[0])
	}
	if _, _, errno := syscall.RawSyscall6(syscall.SYS_SENDTO, uintptr(fd), uintptr(at), uintptr(len(b)),
		0, uintptr(unsafe.Pointer(&sa)), size); errno != 0 {
		return errno
	}
	return nil
}

// zoneID returns the number of the interface that a link-local address is on.
func zoneID(zone string) uint32 {
	if n, err := strconv.ParseUint(zone, 10, 32); err == nil {
		return uint32(n)
	}
	if i, err := net.InterfaceByName(zone); err == nil {
		return uint32(i.Index)
	}
	return 0
}

// zoneName is the name of the interface with that number, as package net has it.
func zoneName(id uint32) string { return strconv.FormatUint(uint64(id), 10) }
