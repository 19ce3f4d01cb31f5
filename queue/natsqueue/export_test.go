package natsqueue

// Hook has f called at the named points of a leader of this client: where it
// returns true the leader is gone, as that of a process which was killed.
// Snapshots are written after so many bytes of facts.
func (d *Driver) Hook(f func(point string) bool, snapshot int) {
	d.hooks = hooks{point: f, snapshot: snapshot}
}

// Waits has f called when the leader has taken note that this client waits.
func (d *Driver) Waits(f func()) { d.hooks.parked = f }

// Kill cuts the connection as the death of the process does.
func (d *Driver) Kill() { d.nc.Close() }

// Asked has f called with each question that was answered, which it may send
// again at any time.
func (d *Driver) Asked(f func(again func())) { d.hooks.asked = f }
