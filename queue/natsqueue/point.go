package natsqueue

// hooks are what a test does to a driver.
type hooks struct {
	point    func(name string) bool // at a named point: whether to fail there
	snapshot int                    // after so many bytes of facts
	parked   func()                 // when the leader knows that this client waits
	asked    func(again func())     // a question that was answered, and could come again
}

// point tells whether a test wants the leader to be gone here, as a process is
// that was killed.
func (d *Driver) point(name string) bool { return d.hooks.point != nil && d.hooks.point(name) }

// snapshotAfter is after how many bytes of facts a snapshot is written, where the
// last one has a size.
func (d *Driver) snapshotAfter(size int) int {
	if d.hooks.snapshot > 0 {
		return d.hooks.snapshot
	}
	return max(snapshotLeast, 2*size)
}
