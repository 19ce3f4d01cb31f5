package console

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/queue"
)

// recorder is a Sink that keeps all it gets.
type recorder struct {
	items  []*recorded
	events []Event
}

type recorded struct {
	Head        ItemHead
	Out, Err    string
	Ends, Whole int
}

func (r *recorder) Item(h ItemHead) Group {
	r.items = append(r.items, &recorded{Head: h})
	return r.items[len(r.items)-1]
}
func (r *recorder) Event(e Event) { r.events = append(r.events, e) }

func (r *recorded) Write(s Stream, p []byte) {
	if s == Stdout {
		r.Out += string(p)
	} else {
		r.Err += string(p)
	}
}

func (r *recorded) End(whole bool) {
	r.Ends++
	if whole {
		r.Whole++
	}
}

func TestFramesCarryAnyBytes(t *testing.T) {
	var all [256]byte
	for i := range all {
		all[i] = byte(i)
	}
	big := strings.Repeat(string(all[:]), 1000) // 256000 bytes: several chunks, more than is held
	heads := []ItemHead{
		{ID: "a\n\x1b", Arg: string(all[:]), N: 7, Attempt: 2, Slot: 3, Worker: "w-1"},
		{ID: "b", Arg: strings.Repeat("\xff", queue.MaxPayloadBytes)},
		{ID: strings.Repeat("\x01", queue.MaxIDBytes)},
	}
	events := []Event{
		{Type: ItemStarted, Worker: "w-1", ID: "a", Attempt: 2},
		{Type: ItemSettled, ID: "a", Verb: queue.Nack, Cause: queue.CauseExitCode, Took: time.Second},
		{Type: WorkerSuspect, Text: "five items failed", For: time.Minute},
	}
	var pipe bytes.Buffer
	w := NewFrameWriter(&pipe)
	for i, h := range heads {
		if err := w.Item(h, strings.NewReader(big[i:]), strings.NewReader("e"+big)); err != nil {
			t.Fatal(err)
		}
		if err := w.Event(events[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Item(ItemHead{ID: "silent"}, nil, nil); err != nil {
		t.Fatal(err)
	}

	var got recorder
	if err := ReadFrames(&pipe, &got); err != nil {
		t.Fatal(err)
	}
	want := []*recorded{{Head: ItemHead{ID: "silent"}, Ends: 1, Whole: 1}}
	for i, head := range slices.Backward(heads) {
		want = append([]*recorded{{Head: head, Out: big[i:], Err: "e" + big, Ends: 1, Whole: 1}}, want...)
	}
	if !cmp.Equal(got.items, want) {
		t.Error("items are not as they were sent")
	}
	if d := cmp.Diff(events, got.events); d != "" {
		t.Error(d)
	}
}

func TestFramesCutAnywhereEndTheGroup(t *testing.T) {
	var pipe bytes.Buffer
	w := NewFrameWriter(&pipe)
	w.Event(Event{Type: LogLine, Text: "up"})
	w.Item(ItemHead{ID: "a"}, strings.NewReader("out of a"), strings.NewReader("err of a"))
	firstEnd := pipe.Len()
	w.Item(ItemHead{ID: "b"}, strings.NewReader("out of b"), nil)
	whole := pipe.Bytes()
	event := headerBytes + int(binary.BigEndian.Uint32(whole[1:]))

	for cut := range len(whole) + 1 {
		var got recorder
		err := ReadFrames(bytes.NewReader(whole[:cut]), &got)
		clean := cut == 0 || cut == event || cut == firstEnd || cut == len(whole)
		if clean && err != nil || !clean && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("cut at %d of %d: error %v", cut, len(whole), err)
		}
		for i, it := range got.items {
			sent := []string{"out of a", "out of b"}[i]
			if it.Ends != 1 || !strings.HasPrefix(sent, it.Out) || it.Whole == 1 && it.Out != sent {
				t.Errorf("cut at %d: item %d is %+v", cut, i, *it)
			}
		}
		if cut == len(whole)-headerBytes && (len(got.items) != 2 || got.items[1].Out != "out of b") {
			t.Errorf("cut before the last end: %d items", len(got.items))
		}
	}
}

func TestFramesOutOfStepAreRefused(t *testing.T) {
	frame := func(kind byte, body string) string {
		return string(binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(body)))) + body
	}
	head := frame(kindHead, `{"id":"a"}`)
	for _, test := range []struct{ name, sent, want string }{
		{"unknown kind", "GET / HTTP/1.0\r\n", `unknown kind 'G'`},
		{"chunk outside", frame(kindOut, "x"), `frame 'o' outside an item`},
		{"end outside", frame(kindEnd, ""), `frame '.' outside an item`},
		{"item inside", head + head, `item "a" holds the head of another`},
		{"chunk too long", head + frame(kindErr, strings.Repeat("x", maxChunk+1)), `65537 bytes: at most 65536`},
		{"end with a body", head + frame(kindEnd, "x"), `1 bytes: at most 0`},
		{"event too long", "v\xff\xff\xff\xff", `4294967295 bytes: at most 2097152`},
		{"head is no JSON", frame(kindHead, "{"), `head of an item: unexpected end`},
		{"event is no JSON", frame(kindEvent, "["), `event: unexpected end`},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got recorder
			err := ReadFrames(strings.NewReader(test.sent), &got)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
			for _, it := range got.items {
				if it.Ends != 1 || it.Whole != 0 {
					t.Errorf("group ended %d times, %d of them whole", it.Ends, it.Whole)
				}
			}
		})
	}
}

func TestReaderThatFailsKeepsFramesInStep(t *testing.T) {
	var pipe bytes.Buffer
	w := NewFrameWriter(&pipe)
	broken := errors.New("disk on fire")
	err := w.Item(ItemHead{ID: "a"}, io.MultiReader(strings.NewReader("some"), errorReader{broken}), strings.NewReader("e"))
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), `stdout of item "a"`) {
		t.Errorf("error %v", err)
	}
	if err := w.Item(ItemHead{ID: "b"}, nil, strings.NewReader("fine")); err != nil {
		t.Fatal(err)
	}
	var got recorder
	if err := ReadFrames(&pipe, &got); err != nil {
		t.Fatal(err)
	}
	want := []*recorded{
		{Head: ItemHead{ID: "a"}, Out: "some", Err: "e", Ends: 1, Whole: 1},
		{Head: ItemHead{ID: "b"}, Err: "fine", Ends: 1, Whole: 1},
	}
	if d := cmp.Diff(want, got.items); d != "" {
		t.Error(d)
	}
}

type errorReader struct{ err error }

func (r errorReader) Read([]byte) (int, error) { return 0, r.err }

func TestPipeErrorSticks(t *testing.T) {
	r, pipe := io.Pipe()
	w := NewFrameWriter(pipe)
	r.Close()
	for range 2 {
		if err := w.Item(ItemHead{ID: "a"}, strings.NewReader("x"), nil); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("item: %v", err)
		}
		if err := w.Event(Event{Type: LogLine}); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("event: %v", err)
		}
	}
}

func TestFrameThatIsTooLongIsRefusedBeforeItIsSent(t *testing.T) {
	var pipe bytes.Buffer
	err := NewFrameWriter(&pipe).Event(Event{Type: LogLine, Text: strings.Repeat("x", maxJSON)})
	if err == nil || !strings.Contains(err.Error(), "at most 2097152 are allowed") || pipe.Len() > 0 {
		t.Errorf("error %v, %d bytes sent", err, pipe.Len())
	}
}

func TestEventGoesBetweenChunksOfAnItem(t *testing.T) {
	r, pipe := io.Pipe()
	w := NewFrameWriter(pipe)
	stdout, item := io.Pipe()
	go func() {
		defer pipe.Close()
		w.Item(ItemHead{ID: "slow"}, stdout, nil)
	}()
	got := events{seen: make(chan Event)}
	read := make(chan error, 1)
	go func() { read <- ReadFrames(r, got) }()

	io.WriteString(item, "begun") // the item is under way and its reader has no more
	if err := w.Event(Event{Type: LogLine, Text: "meanwhile"}); err != nil {
		t.Fatal(err)
	}
	if e := <-got.seen; e.Text != "meanwhile" {
		t.Errorf("event %+v", e)
	}
	item.Close()
	if err := <-read; err != nil {
		t.Error(err)
	}
}

type events struct{ seen chan Event }

func (e events) Item(ItemHead) Group { return new(recorded) }
func (e events) Event(v Event)       { e.seen <- v }

// Twenty writers share a pipe; their items must come out one by one.
func TestItemsOfOnePipeDoNotMix(t *testing.T) {
	r, pipe := io.Pipe()
	w := NewFrameWriter(pipe)
	var writers sync.WaitGroup
	for i := range 20 {
		writers.Go(func() {
			for j := range 20 {
				id := fmt.Sprintf("%d.%d", i, j)
				if err := w.Item(ItemHead{ID: id}, strings.NewReader(strings.Repeat(id+"\n", 1000*(j%3))), strings.NewReader(id)); err != nil {
					t.Error(err)
				}
				if err := w.Event(Event{Type: ItemSettled, ID: id}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	go func() {
		writers.Wait()
		pipe.Close()
	}()
	var got recorder
	if err := ReadFrames(r, &got); err != nil {
		t.Fatal(err)
	}
	if len(got.items) != 400 || len(got.events) != 400 {
		t.Fatalf("%d items and %d events", len(got.items), len(got.events))
	}
	for _, it := range got.items {
		var i, j int
		fmt.Sscanf(it.Head.ID, "%d.%d", &i, &j)
		if it.Err != it.Head.ID || it.Out != strings.Repeat(it.Head.ID+"\n", 1000*(j%3)) || it.Whole != 1 {
			t.Errorf("item %s: %d bytes of stdout, stderr %q", it.Head.ID, len(it.Out), it.Err)
		}
	}
}

// What both ends allocate for an item must not depend on its size.
func TestBigItemNeedsConstantMemory(t *testing.T) {
	const size = 10 << 20
	allocated := func(n int64) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		var out counter
		c := New(Options{Stdout: &out, Tag: true})
		r, pipe := io.Pipe()
		go func() {
			defer pipe.Close()
			NewFrameWriter(pipe).Item(ItemHead{ID: "big"}, io.LimitReader(endless{}, n), nil)
		}()
		if err := ReadFrames(r, c); err != nil {
			t.Fatal(err)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		if int64(out) < n {
			t.Fatalf("%d of %d bytes came", out, n)
		}
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	small, big := allocated(size/10), allocated(size)
	t.Logf("1 MiB: %d bytes allocated, 10 MiB: %d", small, big)
	if big > small+256<<10 {
		t.Errorf("an item of 10 MiB allocates %d bytes, one of 1 MiB %d", big, small)
	}
}

type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// endless is lines of 63 characters.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
		if i%64 == 63 {
			p[i] = '\n'
		}
	}
	return len(p), nil
}
