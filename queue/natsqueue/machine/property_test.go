package machine_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sluice.dev/queue"
	"sluice.dev/queue/natsqueue/machine"
)

// play is a machine to which anything is done, in any order.
type play struct {
	*machine.Machine
	now   int64
	log   []byte
	held  []queue.Lease // the ones that ended, too
	seq   uint64
	calls uint64
}

func newPlay() *play {
	p := &play{Machine: machine.New(), now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()}
	// Everything passes while the test looks: leases, delays, the retention.
	p.Now(p.now)
	_, _ = p.SetPolicy(queue.Policy{Lease: time.Second, RetryDelay: 500 * time.Millisecond, RetryDelayMax: 2 * time.Second,
		BackoffLimit: new(2), DisruptionLimit: new(4), Retention: time.Minute}, true)
	return p
}

func (p *play) take() { p.log = append(p.log, p.Take()...) }

// step does one thing.
func (p *play) step(t *rapid.T) {
	n := func(n int, what string) int { return rapid.IntRange(0, n-1).Draw(t, what) }
	id := func() string { return fmt.Sprint("item-", n(40, "id")) }
	batch := func() string { return []string{"", "x", "y", "z"}[n(4, "batch")] }
	lease := func() queue.Lease {
		if len(p.held) == 0 {
			return queue.Lease{Item: queue.Item{ID: id()}, Token: 1}
		}
		return p.held[n(len(p.held), "lease")]
	}
	p.now += []int64{0, 0, 1, 300_000, 2_000_000, 70_000_000}[n(6, "time")]
	p.Now(p.now)
	switch what := n(20, "what"); {
	case what < 5:
		entries := make([]machine.Entry, 1+n(5, "items"))
		for i := range entries {
			it := queue.Item{ID: id(), Batch: batch(), Priority: n(10, "priority"), Payload: make([]byte, n(3, "payload"))}
			if n(4, "delays") == 0 {
				it.Delay = []time.Duration{time.Millisecond, time.Second, time.Hour}[n(3, "delay")]
			}
			if n(4, "publishes") == 0 {
				it.Output = fmt.Sprint("out-", n(20, "output"))
			}
			entries[i] = machine.Entry{Item: it, Digest: machine.DigestOf(it)}
		}
		if n(5, "again") > 0 {
			p.calls++
		}
		if _, err := p.Enqueue(p.calls, entries); err != nil {
			t.Fatal(err)
		}
	case what < 10:
		x := queue.Exchange{Worker: fmt.Sprint("w", n(3, "worker")), Claim: n(6, "claim")}
		for range n(6, "settle") {
			x.Settle = append(x.Settle, queue.Settlement{Lease: lease(), Verb: queue.Verb(1 + n(4, "verb")), Result: []byte("r"),
				Failure: queue.Failure{Cause: queue.CauseError}, Backoff: n(2, "backoff") == 0, Unstarted: n(4, "unstarted") == 0})
		}
		if n(8, "same") > 0 {
			p.seq++
		}
		x.Seq = p.seq
		if r, err := p.Exchange(x); err == nil {
			p.held = append(p.held, r.Leases...)
			p.held = p.held[max(0, len(p.held)-20):]
		}
	case what < 11:
		p.Extend([]queue.Lease{lease(), lease()})
	case what < 12:
		_ = p.Commit(lease(), []byte("record"))
	case what < 13:
		p.Expire(fmt.Sprint("w", n(3, "worker")), queue.Failure{Cause: queue.CauseKilled})
	case what < 15:
		p.ChangeItems([]queue.ItemVerb{queue.RetryItem, queue.CancelItem, queue.DeleteItem}[n(3, "verb")], []string{id(), id()})
	case what < 17:
		v := []queue.BatchVerb{queue.SuspendBatch, queue.ResumeBatch, queue.CancelBatch, queue.DeleteBatch}[n(4, "verb")]
		_ = p.ChangeBatch(batch(), v)
	case what < 18:
		_ = p.OpenBatch(queue.Batch{Name: batch(), After: batch(), Deadline: time.Duration(n(3, "deadline")) * time.Second})
	case what < 19:
		if p.Seal(batch()); n(3, "pause") == 0 {
			p.Pause(n(2, "paused") == 0)
		}
	default:
		p.Leave(fmt.Sprint("w", n(3, "worker")), 0)
		p.Answer(uint64(n(9, "call")), []byte("answer"))
	}
	p.take()
}

// counted is what a machine's depth must be, counted.
func (p *play) counted(batch string, all bool) queue.Depth {
	d := queue.Depth{Paused: p.Depth().Paused}
	suspended := map[string]bool{}
	for _, b := range p.Batches() {
		suspended[b.Name] = b.Suspended
	}
	for c := new(machine.Cursor); c != nil; {
		var recs []queue.Record
		recs, c = p.Items(queue.Query{States: queue.States}, *c)
		for _, r := range recs {
			if !all && r.Item.Batch != batch {
				continue
			}
			*map[queue.State]*int64{queue.Blocked: &d.Blocked, queue.Delayed: &d.Delayed, queue.Ready: &d.Ready, queue.Leased: &d.Leased,
				queue.Done: &d.Done, queue.Dead: &d.Dead, queue.Cancelled: &d.Cancelled}[r.State]++
			if r.State == queue.Ready && (d.Paused || suspended[r.Item.Batch]) {
				d.Held++
			}
		}
	}
	return d
}

// Whatever is done to a machine: its log replays to its state, from the
// beginning and from a snapshot taken on the way, and its counts are those of
// its items.
func TestReplayGivesTheState(t *testing.T) {
	var seen queue.Depth
	rapid.Check(t, func(t *rapid.T) {
		p := newPlay()
		steps := rapid.IntRange(1, 150).Draw(t, "steps")
		cut := rapid.IntRange(0, steps-1).Draw(t, "cut")
		var chunks [][]byte
		var tail int
		for i := range steps {
			if p.step(t); i == cut {
				for chunk := range p.Snapshot(rapid.IntRange(1, 2000).Draw(t, "chunk")) {
					chunks = append(chunks, chunk)
				}
				tail = len(p.log)
			}
		}
		want := whole(p.Machine)
		full := machine.New()
		if err := full.Replay(p.log); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(whole(full), want) {
			t.Fatal("the log replays to another state")
		}
		part := machine.New()
		for _, chunk := range chunks {
			if err := part.Replay(chunk); err != nil {
				t.Fatalf("a snapshot: %v", err)
			}
		}
		if err := part.Replay(p.log[tail:]); err != nil {
			t.Fatalf("what follows a snapshot: %v", err)
		}
		if !bytes.Equal(whole(part), want) {
			t.Fatal("a snapshot and what follows it give another state")
		}
		if got, want := counts(p.Machine), p.counted("", true); got != want {
			t.Fatalf("depth is %+v, and there are %+v", got, want)
		}
		for _, b := range p.Batches() {
			got, want := b.Depth, p.counted(b.Name, false)
			got.NextDue = 0
			if got != want {
				t.Fatalf("batch %s has %+v, and there are %+v", b.Name, got, want)
			}
		}
		d := counts(p.Machine)
		// All decide the same from here on.
		for _, m := range []*machine.Machine{full, part, p.Machine} {
			m.Now(p.now + 90_000_000)
			_, _ = m.Exchange(queue.Exchange{Worker: "last", Seq: 1, Claim: 100})
		}
		if want := whole(p.Machine); !bytes.Equal(whole(full), want) || !bytes.Equal(whole(part), want) {
			t.Fatal("a machine that replayed decides otherwise than the one that decided")
		}
		seen.Blocked, seen.Delayed, seen.Leased, seen.Done = seen.Blocked+d.Blocked, seen.Delayed+d.Delayed, seen.Leased+d.Leased, seen.Done+d.Done
		seen.Dead, seen.Cancelled, seen.Held = seen.Dead+d.Dead, seen.Cancelled+d.Cancelled, seen.Held+d.Held
	})
	if min(seen.Delayed, seen.Leased, seen.Done, seen.Dead, seen.Cancelled) == 0 {
		t.Errorf("a state was never seen: %+v", seen)
	}
}

// A log that was damaged is refused, or says something else; it never brings a
// reader down.
func TestADamagedLogIsNoPanic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := newPlay()
		p.take()
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			p.step(t)
		}
		log := p.log
		if rapid.Bool().Draw(t, "snapshot") {
			log = whole(p.Machine)
		}
		for range rapid.IntRange(1, 4).Draw(t, "bytes") {
			log[rapid.IntRange(0, len(log)-1).Draw(t, "at")] = rapid.Byte().Draw(t, "byte")
		}
		m := machine.New()
		if err := m.Replay(log[:rapid.IntRange(0, len(log)).Draw(t, "cut")]); err == nil {
			whole(m)
			m.Depth()
		}
	})
}

func FuzzReplay(f *testing.F) {
	p := newPlay()
	_, _ = p.Enqueue(1, []machine.Entry{{Item: queue.Item{ID: "a"}}, {Item: queue.Item{ID: "b", Delay: time.Second}}})
	_, _ = p.Exchange(queue.Exchange{Worker: "w", Seq: 1, Claim: 1})
	p.take()
	f.Add(p.log)
	f.Add(whole(p.Machine))
	f.Fuzz(func(_ *testing.T, log []byte) {
		if m := machine.New(); m.Replay(log) == nil {
			whole(m)
		}
	})
}

// A full queue refuses a call as a whole, and takes it when others are done.
func TestAFullQueue(t *testing.T) {
	m := machine.New()
	m.SetLimit(1000)
	add := func(id string, size int) error {
		it := queue.Item{ID: id, Payload: make([]byte, size)}
		_, err := m.Enqueue(uint64(len(id)), []machine.Entry{{Item: it, Digest: machine.DigestOf(it)}})
		return err
	}
	if err := add("a", 600); err != nil {
		t.Fatal(err)
	}
	if err := add("b", 600); !errors.Is(err, machine.ErrFull) {
		t.Errorf("Enqueue: %v, want %v", err, machine.ErrFull)
	}
	if d := m.Depth(); d.Total() != 1 {
		t.Errorf("depth is %+v, want one item", d)
	}
	r, err := m.Exchange(queue.Exchange{Worker: "w", Seq: 1, Claim: 1})
	if err != nil || len(r.Leases) != 1 {
		t.Fatal(r, err)
	}
	if _, err := m.Exchange(queue.Exchange{Worker: "w", Seq: 2, Settle: []queue.Settlement{{Lease: r.Leases[0], Verb: queue.Ack}}}); err != nil {
		t.Fatal(err)
	}
	if err := add("b", 600); err != nil {
		t.Errorf("when there is room: %v", err)
	}
}

func TestAnUnknownFactIsRefused(t *testing.T) {
	if err := machine.New().Replay([]byte{250}); err == nil {
		t.Error("a fact of a later version was taken for one of ours")
	}
}
