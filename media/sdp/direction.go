package sdp

import (
	"net/netip"
	"strings"
)

// Direction says which way sound flows, seen from the side that states it.
type Direction int

// The directions of RFC 8866 §6.7. The zero value is the default.
const (
	SendRecv Direction = iota
	SendOnly
	RecvOnly
	Inactive
)

// String is the attribute's name.
func (d Direction) String() string {
	switch d {
	case SendOnly:
		return "sendonly"
	case RecvOnly:
		return "recvonly"
	case Inactive:
		return "inactive"
	}
	return "sendrecv"
}

// Reverse is the direction as the other side sees it, and the fullest answer to d.
func (d Direction) Reverse() Direction {
	switch d {
	case SendOnly:
		return RecvOnly
	case RecvOnly:
		return SendOnly
	}
	return d
}

// And is what remains of d when limit holds, too.
func (d Direction) And(limit Direction) Direction {
	send := (d == SendRecv || d == SendOnly) && (limit == SendRecv || limit == SendOnly)
	recv := (d == SendRecv || d == RecvOnly) && (limit == SendRecv || limit == RecvOnly)
	switch {
	case send && recv:
		return SendRecv
	case send:
		return SendOnly
	case recv:
		return RecvOnly
	}
	return Inactive
}

func directionOf(list []Attribute) (Direction, bool) {
	for _, a := range list {
		switch strings.ToLower(a.Name) {
		case "sendrecv":
			return SendRecv, true
		case "sendonly":
			return SendOnly, true
		case "recvonly":
			return RecvOnly, true
		case "inactive":
			return Inactive, true
		}
	}
	return SendRecv, false
}

// Direction returns the direction that the peer states for m: its own attribute, the
// session's, or the default.
func (s *Session) Direction(m *Media) Direction {
	if d, ok := directionOf(m.Attributes); ok {
		return d
	}
	d, _ := directionOf(s.Attributes)
	return d
}

// Held reports whether the peer puts m on hold: it does not receive, or has given
// the address 0.0.0.0 as before RFC 3264.
func (s *Session) Held(m *Media) bool {
	switch s.Direction(m) {
	case SendOnly, Inactive:
		return true
	}
	return unspecified(m.Connection)
}

func unspecified(address string) bool {
	a, err := netip.ParseAddr(address)
	return err == nil && a.IsUnspecified()
}
