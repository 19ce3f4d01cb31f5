package machine

import (
	"errors"
	"fmt"
	"reflect"
	"time"

	"sluice.dev/queue"
	"sluice.dev/queue/natsqueue/internal/bin"
)

// Seal says that nothing more joins a batch.
func (m *Machine) Seal(name string) {
	if b := m.ensure(name); !b.sealed {
		m.factBatch(factSeal, b)
	}
	m.unblock()
}

// OpenBatch makes a batch, as queue.Operator describes.
func (m *Machine) OpenBatch(o queue.Batch) error {
	after := m.names[o.After]
	switch b := m.names[o.Name]; {
	case o.After == o.Name:
		return fmt.Errorf("batch %q: it cannot come after itself", o.Name)
	case o.After != "" && after == nil:
		return fmt.Errorf("batch %q: after %q: %w", o.Name, o.After, queue.ErrNotFound)
	case b != nil && b.after != o.After:
		return fmt.Errorf("batch %q is there already, and not after %q", o.Name, o.After)
	case b != nil && o.Deadline != 0 && b.within == 0:
		return fmt.Errorf("batch %q is there already, without a deadline: %s cannot be stated now", o.Name, o.Deadline)
	case b != nil && o.Deadline != 0 && b.within != micros(o.Deadline):
		return fmt.Errorf("batch %q is there already, with a deadline of %s, not %s", o.Name, time.Duration(b.within)*time.Microsecond, o.Deadline)
	case b != nil:
		return nil
	}
	waits := o.After != "" && !after.complete()
	m.decide(func(w *bin.Writer) { writeBatch(w, factBatch, o.Name, o.After, waits, o.Deadline) })
	return nil
}

// ChangeBatch changes a batch, as queue.Operator describes.
func (m *Machine) ChangeBatch(name string, v queue.BatchVerb) error {
	b := m.names[name]
	if b == nil {
		return fmt.Errorf("batch %q: %w", name, queue.ErrNotFound)
	}
	switch v {
	case queue.SuspendBatch:
		if !b.suspended {
			m.factBatch(factSuspend, b)
		}
	case queue.ResumeBatch:
		if b.suspended {
			m.factBatch(factResume, b)
		}
	case queue.CancelBatch:
		m.void(b, "Cancelled")
	case queue.DeleteBatch:
		for _, f := range b.followers {
			if !f.void {
				return fmt.Errorf("batch %q: batch %q waits for it: delete that first", name, f.name)
			}
		}
		for it := range m.publishing {
			if it.of == b && it.isPublishing() {
				return fmt.Errorf("batch %q: an item is publishing its output: %w", name, queue.ErrCommitted)
			}
		}
		m.factBatch(factDelete, b)
	default:
		return fmt.Errorf("batch %q: %q is no verb for a batch", name, v)
	}
	m.unblock()
	return nil
}

// ChangeItems changes items, and tells of each what became of it.
func (m *Machine) ChangeItems(v queue.ItemVerb, ids []string) []error {
	errs := make([]error, len(ids))
	for i, id := range ids {
		errs[i] = m.change(v, id)
	}
	m.unblock()
	return errs
}

func (m *Machine) change(v queue.ItemVerb, id string) error {
	it := m.known(id)
	if it == nil {
		return fmt.Errorf("item %.60q: %w", id, queue.ErrNotFound)
	}
	state := it.state()
	switch state {
	case queue.Blocked, queue.Delayed, queue.Leased:
		state = queue.Ready // stands for all of them
	case queue.Dead:
		if v == queue.RetryItem && it.of.void {
			state = queue.Cancelled
		}
	}
	switch {
	case it.isPublishing() && v != queue.RetryItem:
		return fmt.Errorf("item %.60q: %w", id, queue.ErrCommitted)
	case v == queue.RetryItem && state == queue.Dead:
		m.factItem(factRetry, it)
	case v == queue.CancelItem && state == queue.Ready:
		m.factItem(factCancel, it)
	case v == queue.DeleteItem:
		m.factItems(factForget, []*item{it})
	case v != queue.RetryItem && v != queue.CancelItem:
		return fmt.Errorf("item %.60q: %q is no verb for an item", id, v)
	default:
		return &queue.WrongState{Verb: v, ID: id, State: state}
	}
	return nil
}

// Expire ends the leases of a worker that is proven dead, and tells how many
// they were. They are nobody's to come back for. What interrupted them counts
// no attempt, and the worker has left. A claim of it that is under way gets nothing.
func (m *Machine) Expire(name string, f queue.Failure) int {
	var held []*item
	for _, it := range m.leased {
		if it.body.worker == name {
			held = append(held, it)
		}
	}
	end := byte(factDeadWork)
	if f.Cause == queue.CauseInterrupted {
		end = factLeave
	}
	for _, it := range held {
		if end == factLeave {
			m.release(it, queue.Settlement{Failure: f})
		} else {
			m.fail(it, toBack, m.now, 0, tail(f))
		}
	}
	m.factName(end, name)
	m.unblock()
	return len(held)
}

// Pause stops claims, or lets them go on.
func (m *Machine) Pause(paused bool) {
	if paused != m.paused {
		m.decide(func(w *bin.Writer) {
			w.Byte(factPause)
			w.Bool(paused)
		})
	}
}

// SetPolicy states values of the policy, as queue.Controller describes.
func (m *Machine) SetPolicy(p queue.Policy, force bool) (queue.Policy, error) {
	stated, err := merge(m.stated, p, force)
	if err != nil {
		return queue.Policy{}, err
	}
	if !reflect.DeepEqual(stated, m.stated) {
		m.decide(func(w *bin.Writer) {
			w.Byte(factPolicy)
			writePolicy(w, stated)
		})
	}
	inForce, err := merge(queue.DefaultPolicy(), m.stated, true) // of its own, since it has pointers
	return inForce, err
}

// merge writes what a policy states over another. What is stated already and
// differs is a *queue.PolicyConflict unless force is set.
func merge(into, p queue.Policy, force bool) (queue.Policy, error) {
	conflict := func(field string, was, is any) error {
		return &queue.PolicyConflict{Field: field, InForce: fmt.Sprint(was), Stated: fmt.Sprint(is)}
	}
	var errs []error
	duration := func(field string, was *time.Duration, is time.Duration) {
		switch {
		case is == 0:
		case force || *was == 0 || *was == is:
			*was = is
		default:
			errs = append(errs, conflict(field, *was, is))
		}
	}
	number := func(field string, was **int, is *int) {
		switch {
		case is == nil:
		case force || *was == nil || **was == *is:
			*was = new(*is)
		default:
			errs = append(errs, conflict(field, **was, *is))
		}
	}
	duration("lease", &into.Lease, p.Lease)
	number("backoffLimit", &into.BackoffLimit, p.BackoffLimit)
	duration("retryDelay", &into.RetryDelay, p.RetryDelay)
	duration("retryDelayMax", &into.RetryDelayMax, p.RetryDelayMax)
	number("disruptionLimit", &into.DisruptionLimit, p.DisruptionLimit)
	duration("retention", &into.Retention, p.Retention)
	if len(errs) > 0 {
		return queue.Policy{}, errs[0]
	}
	return into, nil
}

// errVersion is a log of a newer version.
var errVersion = errors.New("a newer sluice wrote it: use that version, or a later one")
