package console

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// buffer is an output that may be read while it is written.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

// take is what was written since the last take.
func (b *buffer) take() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.b.Reset()
	return b.b.String()
}

func put(c *Console, id, stdout, stderr string, whole bool) {
	g := c.Item(ItemHead{ID: id})
	if stdout != "" {
		g.Write(Stdout, []byte(stdout))
	}
	if stderr != "" {
		g.Write(Stderr, []byte(stderr))
	}
	g.End(whole)
}

func TestOutputPassesThrough(t *testing.T) {
	var out, err buffer
	c := New(Options{Stdout: &out, Stderr: &err})
	put(c, "a", "no newline", "nor here", true)
	put(c, "b", "any\x00\xff\x1b[1mbytes\r\n", "", true)
	put(c, "c", "lost", "lost too", false)
	put(c, "d", "end", "err", true)
	c.Write([]byte("message"))
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff("no newlineany\x00\xff\x1b[1mbytes\r\nlost\nend", out.take()); d != "" {
		t.Errorf("stdout -want +got\n%s", d)
	}
	if d := cmp.Diff("nor herelost too\nerr\nmessage\n", err.take()); d != "" {
		t.Errorf("stderr -want +got\n%s", d)
	}
}

func TestTagBeginsEachLine(t *testing.T) {
	var out, err buffer
	c := New(Options{Stdout: &out, Stderr: &err, Tag: true})
	g := c.Item(ItemHead{ID: "id", Arg: "in/a\nb"})
	for _, part := range []string{"one\ntw", "o\n\nth", "ree"} {
		g.Write(Stdout, []byte(part))
	}
	g.Write(Stderr, []byte("oops"))
	g.End(true)
	put(c, "only-id", strings.Repeat("x\n", 40_000), "", true)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	want := "in/a\\nb\tone\nin/a\\nb\ttwo\nin/a\\nb\t\nin/a\\nb\tthree\n" + strings.Repeat("only-id\tx\n", 40_000)
	if got := out.take(); got != want {
		t.Errorf("stdout %.200q (%d bytes), want %.200q (%d bytes)", got, len(got), want, len(want))
	}
	if got := err.take(); got != "in/a\\nb\toops\n" {
		t.Errorf("stderr %q", got)
	}
}

// tty is a console on one terminal for everything.
func tty(width func() int) (*Console, *buffer) {
	var b buffer
	return New(Options{Stdout: &b, Stderr: &b, StdoutTerminal: true, Terminal: true, Width: width}), &b
}

func expect(t *testing.T, b *buffer, want string) {
	t.Helper()
	synctest.Wait()
	if got := b.take(); got != want {
		t.Errorf("\n got %q\nwant %q", got, want)
	}
}

func TestProgressMakesWayForOutput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, b := tty(func() int { return 80 })
		expect(t, b, "")
		time.Sleep(time.Second)
		expect(t, b, "") // nothing to tell yet

		c.Update(Snapshot{Total: 3, Running: 2})
		time.Sleep(drawEvery)
		const line = "done 0/3  running 2  --/s  -- left\r"
		expect(t, b, line)
		time.Sleep(time.Second)
		expect(t, b, "") // nothing has changed

		time.Sleep(drawEvery / 2)
		put(c, "a", "out", "err\n", true)
		expect(t, b, erase+"out\nerr\n"+line)
		put(c, "b", "again\n", "", true) // too soon to draw
		expect(t, b, erase+"again\n")
		c.Write([]byte("sluice: a message\n"))
		expect(t, b, "sluice: a message\n")
		time.Sleep(drawEvery)
		expect(t, b, line)

		g := c.Item(ItemHead{ID: "c"})
		g.Write(Stdout, []byte("half a "))
		c.Write([]byte("sluice: later"))
		time.Sleep(time.Second)
		g.Write(Stdout, []byte("line"))
		expect(t, b, erase+"half a line") // neither message nor progress within a group
		g.End(true)
		expect(t, b, "\nsluice: later\n"+line)

		put(c, "d", "nothing after this", "", true)
		expect(t, b, erase+"nothing after this\n")
		time.Sleep(drawEvery)
		expect(t, b, line)
		time.Sleep(drawEvery)

		if err := c.Close(); err != nil {
			t.Error(err)
		}
		expect(t, b, erase)
		put(c, "e", "late", "", true)
		expect(t, b, "late\n")
		c.Write([]byte("after all\n"))
		expect(t, b, "after all\n")
	})
}

// Output that goes to a file leaves the progress line alone.
func TestProgressStaysWhenStdoutIsAFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out, err buffer
		c := New(Options{Stdout: &out, Stderr: &err, Terminal: true})
		c.Update(Snapshot{Total: 1})
		time.Sleep(drawEvery)
		expect(t, &err, "done 0/1  running 0  --/s  -- left\r")
		put(c, "a", "to the file", "", true)
		time.Sleep(time.Second)
		expect(t, &out, "to the file")
		expect(t, &err, "")
		c.Close()
	})
}

func TestProgressIsDrawnTenTimesASecondAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, b := tty(nil)
		defer c.Close()
		for i := range int64(5000) {
			c.Update(Snapshot{Done: i, Total: 5000, Running: 1})
			put(c, "a", "x\n", "", true)
			time.Sleep(time.Millisecond)
		}
		synctest.Wait()
		if n := strings.Count(b.take(), "done "); n < 48 || n > 51 {
			t.Errorf("drawn %d times in 5 s", n)
		}
	})
}

func TestResizeIsHonoured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		widths := make(chan int, 1)
		width := 80
		c, b := tty(func() int {
			select {
			case width = <-widths:
			default:
			}
			return width
		})
		defer c.Close()
		c.Update(Snapshot{Total: 200, Running: 4, Delayed: 1, Dead: 1})
		time.Sleep(drawEvery)
		expect(t, b, "done 0/200  running 4  retrying 1  dead 1  --/s  -- left\r")
		widths <- 40
		time.Sleep(drawEvery)
		expect(t, b, erase+"done 0/200  dead 1  --/s  -- left\r")
		widths <- 2
		time.Sleep(drawEvery)
		expect(t, b, erase)
		widths <- 0 // unknown
		time.Sleep(drawEvery)
		expect(t, b, "done 0/200  running 4  retrying 1  dead 1  --/s  -- left\r")
	})
}

// clock is an output that notes when each write came.
type clock struct {
	start time.Time
	lines []string
}

func (c *clock) Write(p []byte) (int, error) {
	c.lines = append(c.lines, fmt.Sprintf("%v %s", time.Since(c.start), p))
	return len(p), nil
}

func TestPlainLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &clock{start: time.Now()}
		c := New(Options{Stderr: w})
		c.Update(Snapshot{Total: 200, Running: 4})
		time.Sleep(5500 * time.Millisecond)
		for i := range int64(20) { // to 25.5 s
			c.Update(Snapshot{Done: 2 * i, Total: 200, Running: 4})
			time.Sleep(time.Second)
		}
		time.Sleep(time.Minute) // to 85.5 s, nothing changes
		g := c.Item(ItemHead{ID: "a"})
		c.Update(Snapshot{Done: 50, Total: 200, Running: 4, Dead: 1})
		time.Sleep(8 * time.Second) // to 93.5 s: the line waits for the group
		c.Update(Snapshot{Done: 200, Total: 201, Dead: 1})
		g.End(true)
		c.Update(Snapshot{Done: 199, Total: 201, Dead: 1, Running: 1})
		time.Sleep(time.Minute)
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		want := []string{
			"10s sluice: done 8/200, running 4, 0.8/s, 4m00s left\n",
			"20s sluice: done 28/200, running 4, 1.4/s, 2m03s left\n",
			"30s sluice: done 38/200, running 4, 1.3/s, 2m08s left\n",
			"1m33.5s sluice: done 200/201, running 0, dead 1, 2.4/s, 0s left\n",
			"1m43.5s sluice: done 199/201, running 1, dead 1, --/s, -- left\n",
		}
		if d := cmp.Diff(want, w.lines); d != "" {
			t.Errorf("-want +got\n%s", d)
		}
	})
}

func TestNoEscapeWithoutATerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out, err buffer
		c := New(Options{Stdout: &out, Stderr: &err, Tag: true})
		for i := range int64(100) {
			c.Update(Snapshot{Done: i, Total: 100, Running: 4, Delayed: 1, Dead: 2})
			g := c.Item(ItemHead{ID: "a", Arg: "\x1b[31m\r"})
			g.Write(Stdout, []byte("out"))
			g.Write(Stderr, []byte("err"))
			g.End(i%2 == 0)
			c.Event(Event{Type: WorkerSuspect, Worker: "\x1b", Text: "\x1b", For: time.Minute})
			c.Event(Event{Type: LogLine, Worker: "w", Text: "\x1b]0;\a"})
			time.Sleep(time.Second)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		sent := out.take() + err.take()
		if !strings.Contains(sent, "sluice: done 9") || strings.ContainsAny(sent, "\x1b\r\a") {
			t.Errorf("sent %q", sent)
		}
	})
}

func TestEventsThatAPersonShouldKnow(t *testing.T) {
	var err buffer
	c := New(Options{Stderr: &err})
	c.Event(Event{Type: ItemStarted, ID: "a"})
	c.Event(Event{Type: WorkerSuspect, Worker: "w-3", For: 20 * time.Second, Text: "its last five items failed: CannotStart"})
	c.Event(Event{Type: ItemSettled, ID: "a"})
	c.Event(Event{Type: WorkerSuspect, Worker: "w-4", Text: "Killed"})
	c.Event(Event{Type: LogLine, Worker: "w-3", Text: "two\nlines"})
	c.Close()
	const want = "sluice: worker w-3 is suspect and claims nothing for 20s: its last five items failed: CannotStart\n" +
		"sluice: worker w-4 is suspect and claims nothing: Killed\n" +
		`sluice: worker w-3: two\nlines` + "\n"
	if got := err.take(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// gate is an output that takes nothing until it is opened.
type gate struct {
	open chan struct{}
	buffer
}

func (g *gate) Write(p []byte) (int, error) {
	<-g.open
	return g.buffer.Write(p)
}

func TestBlockedOutputHoldsUpNeitherUpdateNorMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out, err := &gate{open: make(chan struct{})}, &buffer{}
		c := New(Options{Stdout: out, Stderr: err})
		go put(c, "a", "x", "", true)
		synctest.Wait()
		line := strings.Repeat("m", 1023) + "\n"
		for range maxPending/len(line) + 3 {
			c.Update(Snapshot{Total: 1})
			c.Event(Event{Type: ItemStarted})
			c.Write([]byte(line))
		}
		close(out.open)
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		want := strings.Repeat(line, maxPending/len(line)) + "sluice: 3 messages dropped while the output was blocked\n"
		if got := err.take(); got != want {
			t.Errorf("%d bytes, the last %q", len(got), got[max(0, len(got)-80):])
		}
	})
}

func TestOutputThatFailsStopsNobody(t *testing.T) {
	full := errors.New("no space left on device")
	var err buffer
	out := failsOnce{err: full}
	c := New(Options{Stdout: &out, Stderr: &err})
	r, pipe := io.Pipe()
	go func() {
		defer pipe.Close()
		w := NewFrameWriter(pipe)
		for range 3 {
			w.Item(ItemHead{ID: "a"}, io.LimitReader(endless{}, 1<<20), strings.NewReader("e"))
		}
	}()
	if err := ReadFrames(r, c); err != nil {
		t.Error(err)
	}
	if err := c.Close(); !errors.Is(err, full) || !strings.Contains(err.Error(), "stdout") {
		t.Errorf("error %v", err)
	}
	if out.calls != 1 {
		t.Errorf("%d writes to an output that failed", out.calls)
	}
	if got := err.take(); got != "eee" {
		t.Errorf("stderr %q", got)
	}
}

// failsOnce is an output that has room again after its first error. What came
// later would stand behind a gap.
type failsOnce struct {
	err   error
	calls int
}

func (w *failsOnce) Write(p []byte) (int, error) {
	if w.calls++; w.calls == 1 {
		return 0, w.err
	}
	return len(p), nil
}
