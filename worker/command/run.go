package command

import (
	"context"
	"fmt"
	"strings"

	"sluice.dev/worker"
	"sluice.dev/worker/template"
)

// run runs the command of an attempt to its end and returns the tail of its
// stderr. Its error is nil for exit code 0 alone; otherwise it says what becomes
// of the item.
func (h *Handler) run(ctx context.Context, a *worker.Attempt, v template.Values) (stderr string, err error) {
	if strings.Contains(a.Item.ID, "\x00") {
		return "", unstartable(fmt.Errorf("item id %q holds a NUL byte, which no environment can carry", a.Item.ID))
	}
	argv, err := h.o.Template.Expand(v)
	if err != nil {
		return "", unstartable(err)
	}
	path := h.program
	if path == "" {
		if path, err = lookPath(argv[0]); err != nil {
			return "", h.notStarted(err)
		}
	}
	c, err := h.scratch.get()
	if err != nil {
		return "", startLater(err)
	}
	defer h.scratch.put(c)
	g, err := startGroup(path, argv, h.environ(a), [3]uintptr{h.devNull.Fd(), c.stdout.Fd(), c.stderr.Fd()})
	if err != nil {
		return "", h.notStarted(err)
	}
	w := h.watch(ctx, g, c)
	err = g.await()
	why := w.close()
	if err == nil {
		err = g.reap()
	}
	if err != nil {
		return "", fmt.Errorf("wait for the command: %w", err)
	}
	h.show(a, c)
	if stderr, err = c.tail(); err != nil {
		stderr = fmt.Sprintf("(cannot be read: %v)", err)
	}
	return stderr, h.verdict(ctx, g.status, why, stderr)
}

// show hands what the command wrote to the console. A console that fails is no
// fault of the item.
func (h *Handler) show(a *worker.Attempt, c *capture) {
	if h.o.Console == nil {
		return
	}
	stdout, stderr, err := c.readers()
	if err == nil && stdout.Size()+stderr.Size() > 0 {
		err = h.o.Console.Item(a, stdout, stderr)
	}
	if err != nil {
		h.o.Logger.Error("an item's output could not be shown", "item", a.Item.ID, "attempt", a.Attempt, "error", err)
	}
}
