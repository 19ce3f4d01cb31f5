package local

import (
	"errors"
	"fmt"
	"io"
	"os"

	"sluice.dev/internal/proc"
)

// The descriptors that a child inherits, in the order of exec.Cmd.ExtraFiles.
const (
	lifelineFD = 3
	configFD   = 4
	framesFD   = 5

	// FileFD is that of Options.File. Whoever uses it should keep it from the
	// processes of items.
	FileFD = 6
)

// errByHand is for a person who runs a hidden verb.
var errByHand = errors.New("this command is started by a launcher, not by hand")

// ChildConfig is the worker's side of the launch: the configuration that
// Options.Config made, the lifeline (for proc.WatchLifeline) and the file to
// write output frames to. It is to be called once, before the worker starts
// anything, since it keeps all three from the processes of items. It fails in
// a process that no Launcher has started.
func ChildConfig() (config []byte, lifeline, frames *os.File, err error) {
	if os.Getenv(proc.ProcessVar) == "" {
		return nil, nil, nil, fmt.Errorf("local: %w: %s is not set", errByHand, proc.ProcessVar)
	}
	// What the kernel shows of this process keeps the mark; items get
	// proc.MarkVar instead.
	if err := os.Unsetenv(proc.ProcessVar); err != nil {
		return nil, nil, nil, fmt.Errorf("local: %w", err)
	}
	lifeline, err = proc.InheritedPipe(lifelineFD, "lifeline", false)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("local: %w: %w", errByHand, err)
	}
	conf, err := proc.InheritedPipe(configFD, "configuration", false)
	if err != nil {
		return nil, nil, nil, errors.Join(fmt.Errorf("local: %w: %w", errByHand, err), lifeline.Close())
	}
	defer conf.Close()
	frames, err = proc.InheritedPipe(framesFD, "frames", true)
	if err != nil {
		return nil, nil, nil, errors.Join(fmt.Errorf("local: %w: %w", errByHand, err), lifeline.Close())
	}
	config, err = io.ReadAll(conf)
	if err != nil {
		return nil, nil, nil, errors.Join(fmt.Errorf("local: read the configuration: %w", err), lifeline.Close(), frames.Close())
	}
	return config, lifeline, frames, nil
}
