package console

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
)

func TestOrderShowsItemsAsTheyWereExpected(t *testing.T) {
	const items = 200
	var out, errs buffer
	c := New(Options{Stdout: &out, Stderr: &errs, Tag: true})
	o, err := NewOrder(c, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var want bytes.Buffer
	for i := range items {
		o.Expect(fmt.Sprint(i), fmt.Sprint(i)) // twice is once
		fmt.Fprintf(&want, "<%d>\tfirst %d\n<%d>\tsecond %d\n", i, i, i, i)
	}
	todo := make(chan int, items)
	for _, i := range rand.Perm(items) {
		todo <- i
	}
	close(todo)
	var workers sync.WaitGroup
	for range 8 {
		workers.Go(func() {
			for i := range todo {
				h := ItemHead{ID: fmt.Sprint(i), Arg: fmt.Sprintf("<%d>", i)}
				for _, attempt := range []string{"first", "second"} {
					g := o.Item(h)
					g.Write(Stdout, fmt.Appendf(nil, "%s ", attempt))
					g.Write(Stdout, fmt.Appendf(nil, "%d\n", i))
					g.End(true)
				}
				if i%10 != 3 { // the end of some is not known before Close
					o.Over(h.ID)
				}
			}
		})
	}
	workers.Wait()
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if got := out.take(); got != want.String() {
		t.Errorf("out of order:\n%s", got)
	}
}

func TestOrderShowsTheFirstAsItComes(t *testing.T) {
	var out buffer
	c := New(Options{Stdout: &out})
	defer func() { _ = c.Close() }()
	o, err := NewOrder(c, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	o.Expect("a", "b")
	write := func(id, text string) {
		g := o.Item(ItemHead{ID: id})
		g.Write(Stdout, []byte(text))
		g.End(true)
	}
	write("a", "1")
	write("b", "3")
	write("unheard of", "x")
	write("a", "2")
	if id, n := o.First(); id != "a" || n != 2 {
		t.Errorf("first is %q of %d", id, n)
	}
	before := out.take()
	o.Over("a")
	after := out.take()
	if before != "1x2" || after != "3" {
		t.Errorf("shown %q, and %q once the first was over", before, after)
	}
	if err := o.Close(); err != nil {
		t.Error(err)
	}
}
