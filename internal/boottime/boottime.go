// Package boottime reads a clock that nobody sets and that runs on while the
// machine is suspended, where the system has one. It is for deadlines that
// must have passed after a suspend, as those of leases.
package boottime
