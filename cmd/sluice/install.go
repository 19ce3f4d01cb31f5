package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
)

// installProcess is what an init container runs: it puts this program where the
// pod's other containers find it.
const installProcess = "__install"

func installCommand() *cobra.Command {
	return &cobra.Command{
		Use:    installProcess + " PATH",
		Short:  "Copy this program to PATH",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE:   func(_ *cobra.Command, args []string) error { return install(args[0]) },
	}
}

// install copies the program in one step, as seen by others, for anyone to run.
func install(path string) (err error) {
	exe, err := os.Executable()
	if err != nil {
		return fmt.Errorf("install: %w", err)
	}
	from, err := os.Open(exe)
	if err != nil {
		return fmt.Errorf("install: %w", err)
	}
	defer from.Close()
	to, err := os.CreateTemp(filepath.Dir(path), ".sluice-")
	if err != nil {
		return fmt.Errorf("install: %w", err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(to.Name())
		}
	}()
	_, err = io.Copy(to, from)
	if err = errors.Join(err, to.Chmod(0o755), to.Close()); err != nil {
		return fmt.Errorf("install: %w", err)
	}
	return os.Rename(to.Name(), path)
}
