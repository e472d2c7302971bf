//go:build linux && !386 && !s390x

package udp

import (
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// alarm is what a goroutine sleeps by that does so a thousand times a second. Where the
// machine is idle otherwise, Go's own timers wake a second thread each time, to look
// for more work, and are late by up to a millisecond; the system's timer comes through
// Go's poller, as datagrams do, and wakes the one that is needed.
type alarm struct {
	file  *os.File
	raw   syscall.RawConn
	begin func(fd uintptr) bool
	wait  time.Duration // belongs to sleep

	mu   sync.Mutex
	fd   int
	set  bool // somebody sleeps
	rung bool
}

func newAlarm() (*alarm, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("timerfd_create", err)
	}
	a := &alarm{file: os.NewFile(uintptr(fd), "udp alarm"), fd: fd}
	a.begin = a.beginSleep
	err = a.file.SetReadDeadline(time.Time{}) // fails where Go's poller cannot watch it
	if err == nil {
		a.raw, err = a.file.SyscallConn()
	}
	if err != nil {
		a.file.Close()
		return nil, err
	}
	return a, nil
}

// sleep waits for d, or until ring is called; not at all if it was since the last time.
func (a *alarm) sleep(d time.Duration) {
	a.wait = max(d, 1)
	_ = a.raw.Read(a.begin)
}

// beginSleep is called when sleep begins, and when the timer woke it. The timer is set
// here because what the poller told before is forgotten by now.
func (a *alarm) beginSleep(uintptr) (done bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.set || a.rung {
		a.set, a.rung = false, false
		return true
	}
	a.set = true
	a.after(a.wait)
	return false
}

// ring ends the sleep, or the next one.
func (a *alarm) ring() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.rung = true
	if a.set {
		a.after(1)
	}
}

// after sets the timer. a.mu is held.
func (a *alarm) after(d time.Duration) {
	_ = unix.TimerfdSettime(a.fd, 0, &unix.ItimerSpec{Value: unix.NsecToTimespec(int64(d))}, nil)
}

// close frees the descriptor. Nobody sleeps or rings then, nor later.
func (a *alarm) close() { a.file.Close() }
