package command

import (
	"os"

	"golang.org/x/sys/unix"
)

// openScratch opens a file without a name for reading and appending.
func openScratch(dir string) (*os.File, error) {
	f, err := os.OpenFile(dir, os.O_RDWR|os.O_APPEND|unix.O_TMPFILE, 0o600)
	if err != nil {
		return openUnlinked(dir) // the errors of file systems without O_TMPFILE are many
	}
	return f, nil
}
