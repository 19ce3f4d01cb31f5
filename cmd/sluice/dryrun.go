package main

import (
	"bufio"
	"context"
	"io"

	"sluice.dev/producer"
	"sluice.dev/queue"
)

// preview stands in for the queue of a run that only shows its commands.
type preview struct {
	command parsed
	w       *bufio.Writer
	known   map[string]struct{}
}

// dryRun writes the command of each item, and runs none.
func (r *run) dryRun(ctx context.Context, command parsed, w io.Writer) error {
	p := &preview{command: command, w: bufio.NewWriter(w), known: make(map[string]struct{})}
	_, err := producer.Enqueue(ctx, p, r.source, r.maker, producer.EnqueueOptions{Outputs: r.outputs()})
	if err != nil {
		return usage(err)
	}
	return nil
}

func (p *preview) Enqueue(_ context.Context, items []queue.Item) ([]queue.Outcome, error) {
	outcomes := make([]queue.Outcome, len(items))
	for i, it := range items {
		if _, ok := p.known[it.ID]; ok {
			outcomes[i] = queue.Duplicate
			continue
		}
		p.known[it.ID] = struct{}{}
		outcomes[i] = queue.Added
		if _, err := p.w.Write(append(p.command.line(it.Payload, 1), '\n')); err != nil {
			return nil, err
		}
	}
	return outcomes, p.w.Flush()
}
