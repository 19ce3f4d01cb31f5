package command

import (
	"os"

	"sluice.dev/worker"
)

// Kept is the files of one attempt whose output is kept.
type Kept struct {
	// Stdout and Stderr are empty and open for reading and appending. They
	// are the keeper's to close.
	Stdout, Stderr *os.File
	// Done is called once, when the command has ended and nothing of its
	// group writes any more. The handler does not touch the files after it.
	Done func() error
}

// open returns what holds the output of an attempt, and what gives it back. An
// output that cannot be kept is no fault of the item.
func (h *Handler) open(a *worker.Attempt) (c *capture, end func(), err error) {
	if h.o.Keep != nil {
		k, err := h.o.Keep(a)
		if err == nil {
			return &capture{k.Stdout, k.Stderr}, func() { h.notKept(a, k.Done()) }, nil
		}
		h.notKept(a, err)
	}
	if c, err = h.scratch.get(); err != nil {
		return nil, nil, err
	}
	return c, func() { h.scratch.put(c) }, nil
}

func (h *Handler) notKept(a *worker.Attempt, err error) {
	if err != nil {
		h.o.Logger.Error("an item's output could not be kept", "item", a.Item.ID, "attempt", a.Attempt, "error", err)
	}
}
