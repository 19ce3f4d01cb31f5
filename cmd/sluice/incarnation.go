package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"sluice.dev/manifests/workload"
	"sluice.dev/queue"
)

// lastWordsVar names the file with a container's last words, its termination
// message, where the container is started again in its pod when it has ended. A
// worker begins by naming itself there: a cluster that tells of the container's
// end then tells which of all that had its id is dead, however it died.
const lastWordsVar = "SLUICE_TERMINATION_LOG"

// incarnate is the id of this start of the worker, one of several if there is a
// file for its last words. It calls forget when it ends by itself and holds
// nothing, so that the file is for whoever says why it ended.
func incarnate(ctx context.Context, id, file string, queues []*queue.Queue, log *slog.Logger) (self string, forget func(), err error) {
	if file == "" {
		return id, func() {}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, storeLimit)
	defer cancel()
	var known []string
	for _, q := range queues {
		list, err := q.Workers(ctx)
		if err != nil {
			return "", nil, told(err)
		}
		for _, w := range list {
			known = append(known, w.ID)
		}
	}
	i := workload.NextIncarnation(id, known, time.Now())
	if err := queue.ValidateWorker(i.String()); err != nil {
		return "", nil, usage(fmt.Errorf("%s: %w", workerVar, err))
	}
	if err := os.WriteFile(file, []byte(i.LastWords()), 0o666); err != nil {
		log.Warn("cannot name itself in "+lastWordsVar+": should this worker be killed, its leases have to run out", "error", err)
	}
	return i.String(), func() { _ = os.Truncate(file, 0) }, nil
}
