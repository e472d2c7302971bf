package sip

// GatewayStatus is how one gateway does.
type GatewayStatus struct {
	Profile, Name string
	State         string // as "sofia status" has it: REGED, NOREG, TRYING …
	Up            bool   // calls may go out
	PingMillis    float64
	// Calls by direction, and those of them that failed.
	CallsIn, CallsOut, FailedIn, FailedOut uint64
}

// Gateways lists the gateways of all profiles.
func (s *Stack) Gateways() []GatewayStatus {
	var out []GatewayStatus
	for _, p := range s.Profiles() {
		for _, g := range p.gatewayList() {
			g.mu.Lock()
			out = append(out, GatewayStatus{Profile: p.name, Name: g.name, State: string(g.state), Up: g.isUp && !g.deleted,
				PingMillis: g.pingTime.Seconds() * 1000, CallsIn: g.callsIn.Load(), CallsOut: g.callsOut.Load(),
				FailedIn: g.failedIn.Load(), FailedOut: g.failedOut.Load()})
			g.mu.Unlock()
		}
	}
	return out
}
