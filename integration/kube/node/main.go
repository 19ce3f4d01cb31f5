package node

import (
	"context"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
)

// Process is the name under which a program that calls Main becomes a node. It
// reads Options as a line of JSON from its standard input, and ends with that.
const Process = "sluice-node"

// initProcess is the name under which it becomes a container.
const initProcess = Process + "-init"

// Main is called first in the main or TestMain of every program that starts
// nodes, since a node, and the first process of each of its containers, is that
// very program under another name. In these it does not return.
func Main() {
	switch os.Args[0] {
	case Process:
		os.Exit(nodeMain())
	case initProcess:
		os.Exit(initMain())
	}
}

// nodeMain runs a node until its standard input ends, or it is told to stop.
func nodeMain() int {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	var o Options
	if err := o.read(os.Stdin); err != nil {
		log.Error("node", "error", err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // a pipe that the parent holds
		stop()
	}()
	if err := Run(ctx, o, log); err != nil {
		log.Error("node", "node", o.Name, "error", err)
		return 1
	}
	return 0
}
