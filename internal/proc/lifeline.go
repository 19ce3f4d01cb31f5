package proc

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Lifeline is a pipe into which nobody writes. Its one writing end is held by
// the process that made it, so that end of file on the reading end, which
// children inherit, means that this process is gone, however it ended.
type Lifeline struct{ r, w *os.File }

// NewLifeline makes a lifeline of this process. No child gets its writing
// end, which is closed on exec.
func NewLifeline() (*Lifeline, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("proc: lifeline: %w", err)
	}
	return &Lifeline{r: r, w: w}, nil
}

// Reader is the end to hand to children, through exec.Cmd.ExtraFiles.
func (l *Lifeline) Reader() *os.File { return l.r }

// Close ends the lifeline: to every holder of the reading end this process is
// gone.
func (l *Lifeline) Close() error { return errors.Join(l.w.Close(), l.r.Close()) }

// WatchLifeline returns a channel that is closed once the process at the other
// end of f is gone, or f cannot be read. It keeps f and one goroutine until
// then.
func WatchLifeline(f *os.File) <-chan struct{} {
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		var b [1]byte
		for {
			if _, err := f.Read(b[:]); err != nil {
				return
			}
		}
	}()
	return gone
}

// InheritedPipe takes over descriptor fd, which the parent process must have
// passed as one end of a pipe: open for reading, or for writing. From here on
// children do not inherit it. The name is for errors. A descriptor that is
// something else, as when a person starts the program by hand, is an error and
// left alone.
func InheritedPipe(fd int, name string, writing bool) (*os.File, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, fmt.Errorf("proc: descriptor %d (%s): %w", fd, name, err)
	}
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err != nil {
		return nil, fmt.Errorf("proc: descriptor %d (%s): %w", fd, name, err)
	}
	end, mode := "reading", unix.O_RDONLY
	if writing {
		end, mode = "writing", unix.O_WRONLY
	}
	if st.Mode&unix.S_IFMT != unix.S_IFIFO || flags&unix.O_ACCMODE != mode {
		return nil, fmt.Errorf("proc: descriptor %d (%s) is not the %s end of a pipe", fd, name, end)
	}
	syscall.CloseOnExec(fd)
	return os.NewFile(uintptr(fd), name), nil
}
