package producer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"sluice.dev/queue"
)

func TestEnqueue(t *testing.T) {
	for _, c := range []struct {
		name     string
		lines    string
		existing Existing
		ours     bool
		closed   string
		output   bool
		want     string // the report
		args     string // of the items that were added
		err      string
	}{
		{name: "nothing", want: "0 lines, 0 items"},
		{name: "items and a duplicate", lines: "a\nb\na", want: "3 lines, 2 items, 1 duplicate", args: "a b"},
		{name: "a bad line ends it, what came before is in", lines: "a\nb\n\x00\nc", want: "2 lines, 2 items", args: "a b", err: "list:3: line has a NUL byte"},
		{name: "an item that cannot be made", lines: "a\n" + strings.Repeat("x", queue.MaxPayloadBytes), want: "1 line, 1 item", args: "a", err: "list:2: payload of item"},
		{name: "a closed batch", lines: "a", closed: "b1", want: "1 line, 0 items", err: `list:1: batch "b1" is sealed, cancelled or past its deadline`},
		{name: "one output twice", lines: "a:1\nb\na:2", output: true, want: "3 lines, 2 items", args: "a:1 b", err: "list:3: another item of the queue publishes output DIR/a"},
		{name: "an output that exists", lines: "a\nold", output: true, want: "1 line, 1 item", args: "a", err: "list:2: output DIR/old there already"},
		{name: "skipped", lines: "old\na\nold:2", output: true, existing: Skip, want: "3 lines, 1 item, 2 skipped: output exists", args: "a"},
		{name: "all skipped", lines: "old", output: true, existing: Skip, want: "1 line, 0 items, 1 skipped: output exists"},
		{name: "replaced", lines: "old", output: true, existing: Replace, want: "1 line, 1 item", args: "old"},
		{name: "ours", lines: "old\nold", output: true, ours: true, want: "2 lines, 1 item, 1 duplicate", args: "old"},
		{name: "an unknown word", lines: "a", existing: "keep", want: "0 lines, 0 items", err: `existing "keep" is unknown`},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			oldFile(t, dir+"/old", "x")
			mo := MakerOptions{Batch: "b1"}
			if c.output {
				mo.Output = into(dir)
			}
			o := Outputs{Existing: c.existing}
			if c.ours {
				o.Ours = func(context.Context, queue.Item) (bool, error) { return true, nil }
			}
			q := &memory{closed: c.closed}
			rep, err := Enqueue(t.Context(), q, text(c.lines), newMaker(t, mo), EnqueueOptions{Outputs: o})
			if rep.String() != c.want {
				t.Errorf("report %q, want %q", rep, c.want)
			}
			if got := strings.Join(q.args(t), " "); got != c.args {
				t.Errorf("the queue has %q, want %q", got, c.args)
			}
			want := strings.ReplaceAll(c.err, "DIR", dir)
			if (want == "") != (err == nil) || err != nil && !strings.HasPrefix(err.Error(), want) {
				t.Errorf("Enqueue: %.300v, want %q", err, want)
			}
		})
	}
}

func TestEnqueueNamesWhatWasRefused(t *testing.T) {
	m := newMaker(t, MakerOptions{})
	it := make1(t, m, 1, arg("b"))
	q := &memory{byID: map[string]string{it.ID: "another payload"}, outputs: map[string]bool{}}
	rep, err := Enqueue(t.Context(), q, text("a\nb"), m, EnqueueOptions{})
	refused, ok := errors.AsType[*Refused](err)
	if !ok || refused.Pos != (Position{"list", 2}) || refused.Item.ID != it.ID || refused.Outcome != queue.Conflict {
		t.Errorf("Enqueue: %v, want the conflict at list:2", err)
	}
	if rep.Items != 1 {
		t.Errorf("report %q, want one item added", rep)
	}
}

// enqueueFunc is a function as an Enqueuer.
type enqueueFunc func(ctx context.Context, items []queue.Item) ([]queue.Outcome, error)

func (f enqueueFunc) Enqueue(ctx context.Context, items []queue.Item) ([]queue.Outcome, error) {
	return f(ctx, items)
}

func TestEnqueueWhenTheStoreFails(t *testing.T) {
	for _, c := range []struct {
		name string
		q    enqueueFunc
		want string
	}{
		{"an error", func(context.Context, []queue.Item) ([]queue.Outcome, error) { return nil, queue.ErrUnavailable }, "list:1: store unavailable"},
		{"too few outcomes", func(context.Context, []queue.Item) ([]queue.Outcome, error) { return nil, nil }, "list:1: 0 outcomes for 1 items"},
	} {
		t.Run(c.name, func(t *testing.T) {
			rep, err := Enqueue(t.Context(), c.q, text("a"), newMaker(t, MakerOptions{}), EnqueueOptions{})
			if se, ok := errors.AsType[*StoreError](err); !ok || se.Error() != c.want || rep != (Report{}) {
				t.Errorf("Enqueue = %q, %v, want %q", rep, err, c.want)
			}
		})
	}
}

func TestEnqueueAddsEveryLineOnceAndInOrder(t *testing.T) {
	for _, lines := range []int{0, 1, maxCallItems - 1, maxCallItems, maxCallItems + 1, 2*maxCallItems + 300} {
		var want []string
		for i := range lines {
			want = append(want, fmt.Sprint(i))
		}
		q := &memory{}
		rep, err := Enqueue(t.Context(), q, Args(want), newMaker(t, MakerOptions{}), EnqueueOptions{})
		if err != nil || rep != (Report{Lines: int64(lines), Items: int64(lines)}) {
			t.Errorf("Enqueue of %d lines = %q, %v", lines, rep, err)
		}
		if !slices.Equal(q.args(t), want) {
			t.Errorf("of %d lines the queue has others, or in another order", lines)
		}
	}
}

// gate is an Enqueuer whose calls wait to be let through.
type gate struct {
	memory
	calls chan []string // the arguments of each call
	pass  chan struct{}
	t     *testing.T
}

func (g *gate) Enqueue(ctx context.Context, items []queue.Item) ([]queue.Outcome, error) {
	var args []string
	for _, it := range items {
		args = append(args, decode(g.t, it).Arg)
	}
	g.calls <- args
	<-g.pass
	return g.memory.Enqueue(ctx, items)
}

type result struct {
	rep Report
	err error
}

func TestALineOfASlowPipeWaitsForNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		g := &gate{calls: make(chan []string), pass: make(chan struct{}), t: t}
		m := newMaker(t, MakerOptions{})
		done := make(chan result)
		go func() {
			rep, err := Enqueue(t.Context(), g, Lines(r, "pipe", LineOptions{}), m, EnqueueOptions{})
			done <- result{rep, err}
		}()
		write := func(s string) {
			t.Helper()
			if _, err := io.WriteString(w, s); err != nil {
				t.Fatal(err)
			}
			synctest.Wait() // until everything waits for more
		}
		call := func(want ...string) {
			t.Helper()
			synctest.Wait()
			select {
			case got := <-g.calls:
				if !slices.Equal(got, want) {
					t.Errorf("a call with %q, want %q", got, want)
				}
			default:
				t.Fatalf("no call, want one with %q", want)
			}
		}
		write("a\nhal")
		call("a")
		// While that call is under way the lines behind it gather.
		write("f\nb\n")
		write("c\n")
		g.pass <- struct{}{}
		call("half", "b", "c")
		g.pass <- struct{}{}
		write("d")
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		call("d")
		g.pass <- struct{}{}
		if res := <-done; res.err != nil || res.rep != (Report{Lines: 5, Items: 5}) {
			t.Errorf("Enqueue = %q, %v", res.rep, res.err)
		}
	})
}

func TestAFastPipeIsHeldBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const lines = 2500
		read := 0
		src := func(yield func(Record, error) bool) {
			for read < lines {
				read++
				if !yield(arg(fmt.Sprint(read)), nil) {
					return
				}
			}
		}
		asked, room := make(chan int), make(chan struct{})
		q := &memory{}
		m := newMaker(t, MakerOptions{})
		done := make(chan result)
		go func() {
			rep, err := Enqueue(t.Context(), q, src, m, EnqueueOptions{Room: func(_ context.Context, n int) error {
				asked <- n
				<-room
				return nil
			}})
			done <- result{rep, err}
		}()
		total := 0
		for total < lines {
			total += <-asked
			synctest.Wait()
			if ahead := read - total; ahead > maxCallItems+1 {
				t.Fatalf("%d records were read ahead of the %d that have room", ahead, total)
			}
			room <- struct{}{}
		}
		if res := <-done; res.err != nil || res.rep.Items != lines {
			t.Errorf("Enqueue = %q, %v", res.rep, res.err)
		}
		for _, n := range q.calls {
			if n > maxCallItems {
				t.Errorf("a call with %d items", n)
			}
		}
		if len(q.calls) > lines/maxCallItems+2 {
			t.Errorf("%d calls for %d lines that were there", len(q.calls), lines)
		}
	})
}

func TestACallHoldsAMebibyte(t *testing.T) {
	var got []string
	q := enqueueFunc(func(_ context.Context, items []queue.Item) ([]queue.Outcome, error) {
		bytes := 0
		for _, it := range items {
			bytes += size(it)
			got = append(got, decode(t, it).Arg)
		}
		if bytes > maxCallBytes && len(items) > 1 {
			t.Errorf("a call with %d items of %d bytes", len(items), bytes)
		}
		return slices.Repeat([]queue.Outcome{queue.Added}, len(items)), nil
	})
	var lines []string
	for i := range 30 {
		lines = append(lines, strings.Repeat("x", i*10_000+1))
	}
	lines = append(lines, strings.Repeat("x", queue.MaxPayloadBytes-100), "last")
	rep, err := Enqueue(t.Context(), q, Args(lines), newMaker(t, MakerOptions{}), EnqueueOptions{})
	if err != nil || rep.Items != int64(len(lines)) {
		t.Errorf("Enqueue = %q, %v", rep, err)
	}
	if !slices.Equal(got, lines) {
		t.Error("the queue was given other items, or in another order")
	}
}

func TestEnqueueEndsWithItsContext(t *testing.T) {
	stop := errors.New("stop")
	t.Run("while the pipe is silent", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r, w := io.Pipe()
			m := newMaker(t, MakerOptions{})
			ctx, cancel := context.WithCancelCause(t.Context())
			done := make(chan result)
			go func() {
				rep, err := Enqueue(ctx, &memory{}, Lines(r, "pipe", LineOptions{}), m, EnqueueOptions{})
				done <- result{rep, err}
			}()
			if _, err := io.WriteString(w, "a\n"); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			cancel(stop)
			if res := <-done; !errors.Is(res.err, stop) || res.rep.Items != 1 {
				t.Errorf("Enqueue = %q, %v, want one item and the cause", res.rep, res.err)
			}
			r.Close() // ends the read; the bubble fails if anything stays behind
		})
	})
	t.Run("while the store does not answer", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		q := enqueueFunc(func(ctx context.Context, _ []queue.Item) ([]queue.Outcome, error) {
			cancel(stop)
			return nil, ctx.Err()
		})
		endless := func(yield func(Record, error) bool) {
			for yield(arg("a"), nil) {
			}
		}
		if _, err := Enqueue(ctx, q, endless, newMaker(t, MakerOptions{}), EnqueueOptions{}); !errors.Is(err, stop) {
			t.Errorf("Enqueue: %v, want the cause", err)
		}
	})
	t.Run("while there is no room", func(t *testing.T) {
		full := errors.New("full")
		room := func(context.Context, int) error { return full }
		rep, err := Enqueue(t.Context(), &memory{}, text("a"), newMaker(t, MakerOptions{}), EnqueueOptions{Room: room})
		if !errors.Is(err, full) || rep != (Report{}) {
			t.Errorf("Enqueue = %q, %v, want Room's error", rep, err)
		}
	})
}
