package main

import (
	"context"
	"path/filepath"

	"sluice.dev/queue"
	"sluice.dev/worker/publish"
)

// sweep removes what items that are not done have left staged. Their workers
// have ended, and the store that could let anybody go on ends with this run.
func (r *run) sweep(ctx context.Context, d queue.Depth, dead []queue.Record) {
	if r.flags.Output == "" {
		return
	}
	tried := dead
	if d.Unfinished() > 0 {
		open, err := r.queue.Items(ctx, queue.Query{States: []queue.State{queue.Delayed, queue.Ready, queue.Leased}})
		if err != nil {
			r.say("staging folders may remain: %v", err)
		}
		tried = append(open, dead...)
	}
	ids := make(map[string][]string) // by folder
	for _, rec := range tried {
		if rec.Attempts+rec.Releases > 0 || rec.State == queue.Leased {
			dir := filepath.Dir(rec.Item.Output)
			ids[dir] = append(ids[dir], rec.Item.ID)
		}
	}
	for dir, ids := range ids {
		if err := publish.Sweep(dir, ids...); err != nil {
			r.say("staging folders may remain: %v", err)
		}
	}
}
