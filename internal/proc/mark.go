package proc

import "strings"

// The marks are variables of a process's environment that hold a worker's id.
const (
	// MarkVar marks the processes of a worker's items. Whoever starts an item
	// sets it, and puts the item into a process group of its own, since Sweep
	// kills the whole group of a marked process. The worker itself does not
	// carry it.
	MarkVar = "SLUICE_WORKER"
	// ProcessVar marks the worker's own process, and with it a child that the
	// worker has forked and that has not become its item's command yet.
	ProcessVar = "SLUICE_PROCESS"
)

// WorkerEnv is env for the process of a worker: without the marks that this
// process may carry itself, since a run may be another run's item, and with
// the worker's own.
func WorkerEnv(env []string, id string) []string {
	return append(Unmarked(env), ProcessVar+"="+id)
}

// Unmarked is a copy of env without the marks.
func Unmarked(env []string) []string {
	clean := make([]string, 0, len(env)+1)
	for _, entry := range env {
		name, _, _ := strings.Cut(entry, "=")
		if name != MarkVar && name != ProcessVar {
			clean = append(clean, entry)
		}
	}
	return clean
}
