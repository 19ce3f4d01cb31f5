package command

import (
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"sluice.dev/internal/payload"
	"sluice.dev/internal/progress"
	"sluice.dev/worker"
	"sluice.dev/worker/publish"
	"sluice.dev/worker/template"
)

// Defaults of Options.
const (
	DefaultGrace      = 10 * time.Second
	DefaultStoreGrace = 10 * time.Minute
)

// Options say what runs for each item and within which limits. Only Template
// is required.
type Options struct {
	Template *template.Template
	// Output is the final path of what an item publishes whose payload names
	// none. An item with neither publishes nothing.
	Output *template.Pattern

	ItemDeadline time.Duration // a command that runs longer is ended: DeadlineExceeded; 0: no limit
	Stall        time.Duration // so is one that writes nothing for this long: Stalled; 0: no limit
	Grace        time.Duration // from SIGTERM to SIGKILL of an item's process group; 0: DefaultGrace

	FailExitCodes    []int // exit codes, 1 to 255, after which an item is dead at once
	ReleaseExitCodes []int // exit codes, 1 to 255, that give an item back without counting an attempt

	MinOutputBytes int64            // a smaller output is BadOutput; an empty one always is
	Existing       publish.Existing // what to do about an output that exists; "": publish.ExistingFail

	// StoreGrace is how long a command that writes {out} goes on after its
	// lease's deadline while the store cannot be reached; without a commit it
	// publishes nothing. 0: DefaultStoreGrace. The worker asks for it through
	// Handler.StoreGrace.
	StoreGrace time.Duration

	// Env is added, as NAME=value, to the environment that the items inherit
	// from this process; the names in Unset are taken out of the whole.
	Env, Unset []string

	Dir string // of the scratch files that hold output while an item runs; "": os.TempDir()
	// LineBuffer gives an item's output to the Console in whole lines while its
	// command runs, in place of all of it at the end.
	LineBuffer bool
	Console    Console // nil: output is dropped, but for the tail of stderr in a Failure
	// Keep gives an attempt files of its own for its output, which outlive it,
	// in place of scratch files. After an error the attempt runs with those.
	// It is called from many goroutines at once. nil: nothing is kept.
	Keep func(a *worker.Attempt) (*Kept, error)
	// Progress finds in an item's output how far it is, for Running. nil: the
	// ways that package progress knows.
	Progress *progress.Pattern
	Logger   *slog.Logger
}

// Console receives an item's whole stdout and stderr when its command has
// ended, however it ended, once for each attempt that wrote anything; with
// LineBuffer a part of it each time. It is called from many goroutines at once.
// The readers are valid until Item returns, and the item waits for that.
type Console interface {
	Item(a *worker.Attempt, stdout, stderr io.Reader) error
}

// withDefaults is o with its zero values filled in, or what is wrong with it.
func (o Options) withDefaults() (Options, error) {
	if o.Template == nil {
		return o, fmt.Errorf("template is nil: a command is required")
	}
	if o.Output != nil && !o.Template.UsesOut() {
		return o, fmt.Errorf("an output pattern is given, and the command has neither {out} nor {outdir}: nothing would be written there")
	}
	for _, d := range []struct {
		name string
		v    time.Duration
	}{
		{"item deadline", o.ItemDeadline}, {"stall limit", o.Stall},
		{"grace", o.Grace}, {"store grace", o.StoreGrace},
	} {
		if d.v < 0 {
			return o, fmt.Errorf("%s %s is negative: 0 or more is allowed", d.name, d.v)
		}
	}
	if o.MinOutputBytes < 0 {
		return o, fmt.Errorf("least output size %d is negative: 0 or more bytes are allowed", o.MinOutputBytes)
	}
	if err := o.checkExitCodes(); err != nil {
		return o, err
	}
	if err := o.checkEnv(); err != nil {
		return o, err
	}
	switch o.Existing {
	case "":
		o.Existing = publish.ExistingFail
	case publish.ExistingFail, publish.ExistingSkip, publish.ExistingReplace:
	default:
		return o, fmt.Errorf("existing %q is unknown: %s, %s or %s are allowed", string(o.Existing), publish.ExistingFail, publish.ExistingSkip, publish.ExistingReplace)
	}
	if o.Grace == 0 {
		o.Grace = DefaultGrace
	}
	if o.StoreGrace == 0 {
		o.StoreGrace = DefaultStoreGrace
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o, nil
}

func (o Options) checkExitCodes() error {
	for _, list := range []struct {
		name  string
		codes []int
	}{{"fail", o.FailExitCodes}, {"release", o.ReleaseExitCodes}} {
		for _, c := range list.codes {
			if c < 1 || c > 255 {
				return fmt.Errorf("%s exit code %d is out of range: 1 to 255", list.name, c)
			}
		}
	}
	for _, c := range o.FailExitCodes {
		if slices.Contains(o.ReleaseExitCodes, c) {
			return fmt.Errorf("exit code %d is both a fail and a release exit code: it can be one of them", c)
		}
	}
	return nil
}

func (o Options) checkEnv() error {
	for _, kv := range o.Env {
		name, _, ok := strings.Cut(kv, "=")
		switch {
		case !ok || name == "" || strings.Contains(kv, "\x00"):
			return fmt.Errorf("environment entry %q is malformed: NAME=value is allowed", kv)
		case slices.Contains(ownNames, name) || strings.HasPrefix(name, payload.ArgPrefix):
			return fmt.Errorf("environment entry %q: %s is set for each item and cannot be given", kv, name)
		}
	}
	return nil
}
