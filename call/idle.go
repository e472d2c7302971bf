package call

import "strconv"

// idle makes the far end hear something while the call only waits, where
// send_silence_when_idle says so: -1 is silence, a number above 0 is noise that is the
// softer the higher it is. Some far ends, and firewalls, take a pause for the end of
// the call. The function that is returned ends it; waits may be nested.
func (c *Channel) idle() (end func()) {
	n, err := strconv.Atoi(c.Get("send_silence_when_idle"))
	if err != nil || n == 0 || !c.MediaReady() {
		return func() {}
	}
	c.idling.Add(1)
	if n > 0 {
		c.port.ComfortNoise(n)
	} else {
		c.port.SilenceFill(true)
	}
	return func() {
		if c.idling.Add(-1) == 0 {
			c.port.SilenceFill(false)
		}
	}
}
