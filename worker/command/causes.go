package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"sluice.dev/queue"
	"sluice.dev/worker"
)

// verdict says what becomes of an item whose command has ended: nil after exit
// code 0, unless a limit of its own ended it.
func (h *Handler) verdict(ctx context.Context, status syscall.WaitStatus, why ending, stderr string) error {
	if status.Exited() && status.ExitStatus() == 0 && (why == onItsOwn || why == shutdown) {
		return nil
	}
	f := queue.Failure{Stderr: stderr}
	switch {
	case why == leaseLost:
		return context.Cause(ctx)
	case why == shutdown:
		return interrupted(ctx, "while its command ran")
	case why == overdue:
		f.Cause, f.Message = queue.CauseDeadlineExceeded, fmt.Sprintf("ran past its deadline of %s", h.o.ItemDeadline)
	case why == stalled:
		f.Cause, f.Message = queue.CauseStalled, fmt.Sprintf("wrote nothing for %s", h.o.Stall)
	case status.Signaled():
		// The exit code is the one that a shell would tell of it.
		f.Cause, f.ExitCode = queue.CauseKilled, 128+int(status.Signal())
		f.Message = "killed by " + signalName(status.Signal())
	default:
		f.Cause, f.ExitCode = queue.CauseExitCode, status.ExitStatus()
		f.Message = fmt.Sprintf("exit code %d", f.ExitCode)
	}
	if why == onItsOwn && diedOfSIGKILL(status) && h.oom.claim() {
		f.Cause, f.Message = queue.CauseOOMKilled, f.Message+": the system ran out of memory"
	}
	switch {
	case slices.Contains(h.o.FailExitCodes, f.ExitCode):
		return worker.Permanent(worker.Fail(f))
	case slices.Contains(h.o.ReleaseExitCodes, f.ExitCode):
		return worker.ReleaseDelayed(worker.Fail(f))
	}
	return worker.Fail(f)
}

// diedOfSIGKILL tells a death by SIGKILL, of the command or of one that a shell
// ran last.
func diedOfSIGKILL(s syscall.WaitStatus) bool {
	return s.Signaled() && s.Signal() == syscall.SIGKILL || s.Exited() && s.ExitStatus() == 128+int(syscall.SIGKILL)
}

// signalName is a signal as people write it.
func signalName(s syscall.Signal) string {
	if name := unix.SignalName(s); name != "" {
		return fmt.Sprintf("%s (signal %d)", name, int(s))
	}
	return fmt.Sprintf("signal %d", int(s))
}

// interrupted gives an item back that the end of ctx, not the item, cut short.
func interrupted(ctx context.Context, when string) error {
	cause := context.Cause(ctx)
	if cancelled(ctx) == leaseLost {
		return cause
	}
	return worker.Release(worker.Fail(queue.Failure{
		Cause:   queue.CauseInterrupted,
		Message: fmt.Sprintf("%s: %v", when, cause),
	}))
}

// unstartable buries an item of which no command can be made.
func unstartable(err error) error {
	return worker.Permanent(worker.Fail(queue.Failure{Cause: queue.CauseCannotStart, Message: err.Error()}))
}

// startLater gives an item back that this machine could not start.
func startLater(err error) error {
	return worker.Release(worker.Fail(queue.Failure{Cause: queue.CauseCannotStart, Message: err.Error()}))
}

// notStarted says what becomes of an item whose command did not start. It is
// the item's fault when its words are too long, or when it names the program
// itself and that cannot run; anything else is this machine's.
func (h *Handler) notStarted(err error) error {
	if errors.Is(err, syscall.E2BIG) || h.program == "" && !scarce(err) {
		return unstartable(err)
	}
	return startLater(err)
}

// scarce tells an error that passes when there is more of something, or when a
// program is no longer being written.
func scarce(err error) bool {
	for _, e := range []syscall.Errno{
		syscall.ENOMEM, syscall.EAGAIN, syscall.EMFILE, syscall.ENFILE,
		syscall.ETXTBSY, syscall.EIO,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
