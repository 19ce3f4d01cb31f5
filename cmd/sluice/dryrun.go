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
	known   *known
}

// dryRun writes the command of each item, and runs none.
func (r *run) dryRun(ctx context.Context, command parsed, w io.Writer) error {
	p := &preview{command: command, w: bufio.NewWriter(w), known: &r.known}
	defer func() { _ = r.known.close() }()
	_, err := producer.Enqueue(ctx, p, r.source, r.maker, producer.EnqueueOptions{Outputs: r.outputs()})
	if err != nil {
		return usage(err)
	}
	return nil
}

func (p *preview) Enqueue(_ context.Context, items []queue.Item) ([]queue.Outcome, error) {
	outcomes := make([]queue.Outcome, len(items))
	for i, it := range items {
		o, err := p.known.outcome(it)
		if err != nil {
			return nil, err
		}
		if outcomes[i] = o; o != 0 {
			continue
		}
		outcomes[i] = queue.Added
		if _, err := p.w.Write(append(p.command.line(it.Payload, 1), '\n')); err != nil {
			return nil, err
		}
	}
	return outcomes, p.w.Flush()
}
