// Package appliance is the box: it reads flags and environment, keeps the data
// directory and its secrets, wires all rooms to one call.Switch, starts them in
// order, stops them in the opposite order, and tells a newcomer what to dial.
//
// It holds no call logic. Every room is a part with a start and a stop; what a
// room has to say to another goes through the Switch.
package appliance
