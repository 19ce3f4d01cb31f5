//go:build !linux

package boottime

import "time"

var start = time.Now()

// Now is the time since the program was started by Go's monotonic clock, which
// may stand still while the machine is suspended: a deadline that passed
// meanwhile is then noticed late.
func Now() time.Duration { return time.Since(start) }
