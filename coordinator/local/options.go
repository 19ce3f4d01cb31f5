package local

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"syscall"

	"sluice.dev/internal/proc"
)

// MaxPrefixBytes bounds Options.Prefix.
const MaxPrefixBytes = 200

// Options describe the workers of one run. Args and Config are called within
// Launch, one at a time, and must not call it.
type Options struct {
	// Prefix begins the ids of the workers, <Prefix>-1, <Prefix>-2 and so on.
	// No id of another run on this machine may begin with <Prefix>-, since
	// everything so marked is killed at the run's end: make a part of it
	// random. 1 to MaxPrefixBytes letters, digits, '-', '.' and '_'. Required.
	Prefix string
	// Executable is the program of workers and guard; default
	// os.Executable().
	Executable string
	// Args are the arguments of a worker's process, which is to call
	// ChildConfig. Anybody can read them, so secrets go into Config. Required.
	Args func(id string) []string
	// GuardArgs are the arguments of the guard's process, which is to call
	// GuardMain. Required on Linux, not used elsewhere.
	GuardArgs []string
	// Slots are the slots, 1 or more each, of the workers that may run at a
	// time: as many as it has elements. Required.
	Slots []int
	// Config makes the configuration of a worker, which reaches it over a
	// pipe, never as an argument or in the environment; default empty.
	Config func(id string, slots int) []byte
	// File is one more file that all workers inherit, as descriptor FileFD;
	// default none.
	File *os.File
	// Frames reads the output frames of a worker, in a goroutine of its own.
	// It should read to the end of file, which comes when the worker and its
	// items have ended; when it returns earlier, the worker's further writes
	// fail. Default: they are read and dropped.
	Frames func(id string, r io.ReadCloser)
	// Orphans are those that the program has adopted itself, since it has
	// several launchers at a time: Kill and Close of them are then its own, at
	// the end of the last. Default: the launcher adopts them, and kills them
	// in Close.
	Orphans *proc.Orphans
	// Stderr is where workers and guard write what they have to say
	// themselves, to stdout too; default os.Stderr. They write to it directly.
	Stderr *os.File
	// OnExit is called once for each worker that ended, after its position is
	// free and everything that it started was killed. It may be called for
	// several workers at once and may call Launch, but not Wait or Close.
	OnExit func(Exit)
	// Logger tells of what goes wrong without a caller to tell; default none.
	Logger *slog.Logger
}

// Exit is how a worker ended.
type Exit struct {
	ID     string
	Slots  int
	Code   int            // exit code; -1 when a signal ended it
	Signal syscall.Signal // 0 when it ended by itself
	Asked  bool           // Drain, Finish, Stop, Kill or Close was called before it ended
	Swept  int            // 0 when nothing of its items outlived it; else at least so many were killed
	// Err is nil when it is certain that nothing of the worker runs any more,
	// so that its leases may be expired at once. Otherwise something may: the
	// leases should run out by themselves. It is errors.ErrUnsupported on
	// systems other than Linux.
	Err error
}

// String is the way it ended, as in "exit code 2" or "killed (signal 9)".
func (e Exit) String() string {
	if e.Signal != 0 {
		return fmt.Sprintf("%s (signal %d)", e.Signal, int(e.Signal))
	}
	return fmt.Sprintf("exit code %d", e.Code)
}

// guarded tells whether the system lets a guard do its work.
const guarded = runtime.GOOS == "linux"

// check completes the options with their defaults, or says what is wrong.
func (o Options) check() (Options, error) {
	switch {
	case !validPrefix(o.Prefix):
		return o, fmt.Errorf("local: Prefix %.40q: 1 to %d letters, digits, '-', '.' and '_' are allowed", o.Prefix, MaxPrefixBytes)
	case o.Args == nil:
		return o, errors.New("local: Args is nil: the arguments of a worker's process are required")
	case guarded && len(o.GuardArgs) == 0:
		return o, errors.New("local: GuardArgs is empty: the arguments of the guard's process are required")
	case len(o.Slots) == 0:
		return o, errors.New("local: Slots is empty: the slots of 1 worker or more are required")
	}
	for i, n := range o.Slots {
		if n < 1 {
			return o, fmt.Errorf("local: Slots[%d] is %d: a worker has 1 slot or more", i, n)
		}
	}
	if o.Executable == "" {
		self, err := os.Executable()
		if err != nil {
			return o, fmt.Errorf("local: Executable: %w", err)
		}
		o.Executable = self
	}
	if o.Config == nil {
		o.Config = func(string, int) []byte { return nil }
	}
	if o.Frames == nil {
		o.Frames = func(_ string, r io.ReadCloser) { _, _ = io.Copy(io.Discard, r) }
	}
	if o.Stderr == nil {
		o.Stderr = os.Stderr
	}
	if o.OnExit == nil {
		o.OnExit = func(Exit) {}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o, nil
}

func validPrefix(s string) bool {
	foreign := func(c rune) bool {
		alnum := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		return !alnum && !strings.ContainsRune("-._", c)
	}
	return s != "" && len(s) <= MaxPrefixBytes && !strings.ContainsFunc(s, foreign)
}

// idPrefix is what the ids of a run's workers, and of no other run's, begin
// with.
func idPrefix(prefix string) string { return prefix + "-" }
