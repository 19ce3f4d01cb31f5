//go:build !linux

package command

import "os"

// openScratch opens a file without a name for reading and appending.
func openScratch(dir string) (*os.File, error) { return openUnlinked(dir) }
