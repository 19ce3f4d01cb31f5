//go:build unix

package identity

import (
	"io/fs"
	"syscall"
)

func inode(info fs.FileInfo) uint64 {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0
	}
	return st.Ino
}
