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
	c, end, err := h.open(a)
	if err != nil {
		return "", startLater(err)
	}
	defer end()
	g, err := startGroup(path, argv, h.environ(a, v.Payload), [3]uintptr{h.devNull.Fd(), c.stdout.Fd(), c.stderr.Fd()})
	if err != nil {
		return "", h.notStarted(err)
	}
	defer h.running.start(a, c, h.o.Progress)()
	w := h.watch(ctx, g, c)
	shown := h.follow(a, c)
	err = g.await()
	why := w.close()
	if err == nil {
		err = g.reap()
	}
	out := shown()
	if err != nil {
		return "", fmt.Errorf("wait for the command: %w", err)
	}
	out.rest()
	if stderr, err = c.tail(); err != nil {
		stderr = fmt.Sprintf("(cannot be read: %v)", err)
	}
	return stderr, h.verdict(ctx, g.status, why, stderr)
}
