package cluster

import (
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// reserve takes a free port of loopback by a socket that is bound and does not
// listen. The API server binds it too, both having allowed that; nobody else
// gets it in between, nor while the API server is away.
func reserve() (held *os.File, port int, err error) {
	syscall.ForkLock.RLock() // no child inherits it
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err == nil {
		unix.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, 0, fmt.Errorf("a port for the API server: %w", err)
	}
	held = os.NewFile(uintptr(fd), "reserved port")
	defer func() {
		if err != nil {
			_ = held.Close()
			held, err = nil, fmt.Errorf("a port for the API server: %w", err)
		}
	}()
	if err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
		return held, 0, err
	}
	if err = unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return held, 0, err
	}
	addr, err := unix.Getsockname(fd)
	if err != nil {
		return held, 0, err
	}
	return held, addr.(*unix.SockaddrInet4).Port, nil
}
