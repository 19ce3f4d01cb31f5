package digestset

import (
	"os"

	"golang.org/x/sys/unix"
)

// random tells the system that a file is read here and there. What it reads
// ahead it may hold in large pieces, and a slot that is written into one costs
// five times as much. Where it does not listen that is all that is lost.
func random(f *os.File) {
	_ = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_RANDOM)
}
