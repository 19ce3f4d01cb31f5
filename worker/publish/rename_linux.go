package publish

import (
	"os"

	"golang.org/x/sys/unix"
)

var system = mover{
	noReplace: func(from, to string) error { return renameat2(from, to, unix.RENAME_NOREPLACE) },
	link:      os.Link,
	exchange:  func(a, b string) error { return renameat2(a, b, unix.RENAME_EXCHANGE) },
}

func renameat2(from, to string, flags uint) error {
	for {
		err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, flags)
		if err == nil {
			return nil
		}
		if err != unix.EINTR {
			return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
		}
	}
}
