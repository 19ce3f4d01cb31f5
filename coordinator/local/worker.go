package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"sync"
	"syscall"
	"time"

	"sluice.dev/internal/proc"
)

// sweepLimit bounds the sweep after a worker. It takes milliseconds unless a
// process hangs in the kernel.
const sweepLimit = 5 * time.Second

// worker is one worker's process.
type worker struct {
	id       string
	position int
	slots    int
	cmd      *exec.Cmd
	done     chan struct{} // closed when nothing of it is left to do

	// Guarded by Launcher.mu.
	asked   bool // it was told to end
	leaving bool // it takes no new items: it was told to end, or has ended
}

// start starts the process of w, or gives its position back.
func (l *Launcher) start(w *worker) (err error) {
	defer func() {
		if err != nil {
			l.free(w)
		}
	}()
	args, config := l.o.Args(w.id), l.o.Config(w.id, w.slots)
	configR, configW, err := os.Pipe()
	if err != nil {
		return err
	}
	framesR, framesW, err := os.Pipe()
	if err != nil {
		closeAll(configR, configW)
		return err
	}

	w.cmd = exec.Command(l.o.Executable, args...)
	w.cmd.Env = proc.WorkerEnv(os.Environ(), w.id)
	w.cmd.Stdout, w.cmd.Stderr = l.o.Stderr, l.o.Stderr
	w.cmd.ExtraFiles = []*os.File{
		lifelineFD - 3: l.lifeline.Reader(),
		configFD - 3:   configR,
		framesFD - 3:   framesW,
	}
	if l.o.File != nil {
		w.cmd.ExtraFiles = append(w.cmd.ExtraFiles, l.o.File) // FileFD
	}
	w.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	err = l.enter(w)
	closeAll(configR, framesW) // the child has them
	if err != nil {
		closeAll(configW, framesR)
		return err
	}

	var files sync.WaitGroup
	files.Go(func() {
		defer configW.Close()
		// An error is the worker's end, or its choice not to read: what it
		// then says of itself is clearer than a broken pipe here.
		_, _ = configW.Write(config)
	})
	files.Go(func() {
		defer framesR.Close()
		l.o.Frames(w.id, framesR)
	})
	go l.tend(w, configW, &files)
	return nil
}

func closeAll(pipes ...*os.File) {
	for _, f := range pipes {
		_ = f.Close() // a pipe has nothing to lose
	}
}

// enter starts the process and puts it among the workers, in one step for
// Drain and Kill: none escapes their signal.
func (l *Launcher) enter(w *worker) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopping {
		return ErrStopping
	}
	if err := proc.Start(w.cmd); err != nil {
		return err
	}
	l.workers = append(l.workers, w)
	return nil
}

// tend sees a worker through its end.
func (l *Launcher) tend(w *worker, config *os.File, files *sync.WaitGroup) {
	defer close(w.done)
	waitErr := proc.Wait(w.cmd)
	_ = config.Close() // ends a write that nobody reads

	l.mu.Lock()
	w.leaving = true
	asked := w.asked
	l.mu.Unlock()

	ctx, cancel := context.WithTimeout(context.Background(), sweepLimit)
	swept, err := proc.Sweep(ctx, w.id, true)
	cancel()
	exit := Exit{ID: w.id, Slots: w.slots, Code: -1, Asked: asked, Swept: swept, Err: err}
	if state := w.cmd.ProcessState; state != nil {
		exit.Code = state.ExitCode()
		if ws, ok := state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
			exit.Signal = ws.Signal()
		}
	} else {
		exit.Err = errors.Join(exit.Err, fmt.Errorf("local: wait for worker %s: %w", w.id, waitErr))
	}

	l.free(w)
	l.o.OnExit(exit)
	files.Wait()

	l.mu.Lock()
	defer l.mu.Unlock()
	l.workers = slices.DeleteFunc(l.workers, func(x *worker) bool { return x == w })
}

func (l *Launcher) free(w *worker) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.taken[w.position] = false
}
