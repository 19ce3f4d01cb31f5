package natsqueue

// hooks are what a test does to a driver.
type hooks struct {
	point    func(name string) bool // at a named point: whether to fail there
	snapshot int                    // instead of snapshotLeast
	parked   func()                 // when the leader knows that this client waits
	asked    func(again func())     // a question that was answered, and could come again
}

// point tells whether a test wants the leader to be gone here, as a process is
// that was killed.
func (d *Driver) point(name string) bool { return d.hooks.point != nil && d.hooks.point(name) }

func (d *Driver) snapshotLeast() int {
	if d.hooks.snapshot > 0 {
		return d.hooks.snapshot
	}
	return snapshotLeast
}
