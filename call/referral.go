package call

// AwaitTransfer sets who is told, once, how the transfer that comes next went: true when
// the channel is bridged or TransferDone says so, false when it has nothing more to run.
// fn must not wait; it returns whether somebody takes the channel back then. Until it was
// told a bridge that fails does not hang the channel up, unless its variables ask for
// that, and its last action parks it for a moment (confirm_blind_transfer).
func (c *Channel) AwaitTransfer(fn func(ok bool) (taken bool)) {
	c.mu.Lock()
	c.onTransferred = fn
	c.mu.Unlock()
}

// awaitsTransfer reports whether somebody still waits to be told.
func (c *Channel) awaitsTransfer() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.onTransferred != nil
}

// TransferDone tells who waits for it whether the transfer went well, and reports whether
// the channel is taken care of now.
func (c *Channel) TransferDone(ok bool) bool {
	c.mu.Lock()
	fn := c.onTransferred
	c.onTransferred = nil
	c.mu.Unlock()
	return fn != nil && fn(ok)
}

// takenBack parks a channel that ran out of actions, if whoever transferred it takes it
// back.
func (c *Channel) takenBack() bool {
	if !c.awaitsTransfer() {
		return false
	}
	c.vars.Set("park_timeout", "10:blind_transfer")
	return c.move(StatePark, nil) && c.TransferDone(false)
}
