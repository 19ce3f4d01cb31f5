package console

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"sluice.dev/queue"
)

func TestItemLines(t *testing.T) {
	film := RunningItem{ID: "1", Text: "in/film.mp4", For: 134 * time.Second, Percent: 52.9, Known: true}
	short := RunningItem{ID: "2", Text: "in/a.mp4", For: 9 * time.Second, Percent: 100, Known: true}
	mute := RunningItem{ID: "frame-17", For: 45 * time.Second}
	long := RunningItem{ID: "3", Text: "in/a very long name of a film that nobody knows.mp4", For: time.Hour}
	evil := RunningItem{ID: "4", Text: "a\x1b[2Jb\n\xff", For: 2 * time.Second}
	wide := RunningItem{ID: "5", Text: "映画映画映画映画.mp4", For: 2 * time.Second}
	for name, tt := range map[string]struct {
		items         []RunningItem
		width, height int
		want          []string
	}{
		"all": {[]RunningItem{film, mute, short}, 80, 22, []string{
			"  2m14s   52%  #####-----  in/film.mp4",
			"    45s                    frame-17",
			"     9s  100%  ##########  in/a.mp4",
		}},
		"none tells":       {[]RunningItem{mute}, 80, 22, []string{"   45s  frame-17"}},
		"no room for bars": {[]RunningItem{film}, 35, 22, []string{"  2m14s   52%  in/film.mp4"}},
		"nor for per cent": {[]RunningItem{film}, 22, 22, []string{"  2m14s  in/film.mp4"}},
		"nor for names":    {[]RunningItem{film}, 10, 22, nil},
		"five at most": {slices.Repeat([]RunningItem{mute}, 9), 80, 22,
			slices.Repeat([]string{"   45s  frame-17"}, 5)},
		"a low terminal":          {slices.Repeat([]RunningItem{mute}, 9), 80, 2, slices.Repeat([]string{"   45s  frame-17"}, 2)},
		"one of a line":           {[]RunningItem{mute}, 80, -1, nil},
		"a long name":             {[]RunningItem{long}, 40, 22, []string{"  1h00m  in/a very...t nobody knows.mp4"}},
		"what drives terminals":   {[]RunningItem{evil}, 80, 22, []string{`    2s  a\x1b[2Jb\n\xff`}},
		"characters that are two": {[]RunningItem{wide}, 24, 22, []string{"    2s  映画...映画.mp4"}},
	} {
		if got := itemLines(tt.items, tt.width, tt.height); !slices.Equal(got, tt.want) {
			t.Errorf("%s\n got %q\nwant %q", name, got, tt.want)
		}
	}
}

func TestItemLinesNeverWrap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		width, height := rapid.IntRange(0, 100).Draw(t, "width"), rapid.IntRange(-2, 30).Draw(t, "height")
		var items []RunningItem
		for range rapid.IntRange(0, 8).Draw(t, "items") {
			items = append(items, RunningItem{
				ID: "id", Text: rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-z/ä映]*`)).Draw(t, "text"),
				For:   time.Duration(rapid.Int64Min(0).Draw(t, "for")),
				Known: rapid.Bool().Draw(t, "known"), Percent: rapid.Float64Range(0, 100).Draw(t, "percent"),
			})
		}
		lines := itemLines(items, width, height)
		if len(lines) > max(0, height) {
			t.Fatalf("%d lines at height %d", len(lines), height)
		}
		for _, line := range lines {
			if columns(line) > width-1 || strings.ContainsAny(line, "\n\r\x1b") {
				t.Fatalf("at width %d: %q", width, line)
			}
		}
	})
}

// told is what a worker says of its items.
func told(worker string, items ...RunningItem) Event {
	return Event{Type: ItemsRunning, Worker: worker, Running: items}
}

func TestRunningItemsStandBelowTheProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var height atomic.Int64
		height.Store(24)
		var b buffer
		c := New(Options{Stdout: &b, Stderr: &b, StdoutTerminal: true, Terminal: true, Height: func() int { return int(height.Load()) }})
		c.Update(Snapshot{Total: 3, Running: 2, Slots: 2, Open: true})
		c.Event(told("w1", RunningItem{ID: "a", For: 10 * time.Second, Percent: 50, Known: true}))
		c.Event(told("w2", RunningItem{ID: "b", For: 20 * time.Second}))
		time.Sleep(drawEvery)
		const line = "done 0 of 3+  running 2  --/s  -- left"
		expect(t, &b, line+"\r\n   20s                    b\r\n   10s   50%  #####-----  a\r\x1b[2A")
		time.Sleep(time.Second) // ages grow without being told
		expect(t, &b, erase+line+"\r\n   21s                    b\r\n   11s   50%  #####-----  a\r\x1b[2A")

		put(c, "c", "out\n", "", true)
		expect(t, &b, erase+"out\n"+line+"\r\n   21s                    b\r\n   11s   50%  #####-----  a\r\x1b[2A")

		c.Event(Event{Type: ItemSettled, Worker: "w2", ID: "b", Verb: queue.Release})
		height.Store(3)
		time.Sleep(drawEvery)
		expect(t, &b, erase+line+"\r\n   11s   50%  #####-----  a\r\x1b[1A")
		height.Store(2)
		time.Sleep(drawEvery)
		expect(t, &b, erase+line+"\r")
		height.Store(24)
		time.Sleep(staleAfter) // nobody goes on telling
		b.take()
		time.Sleep(time.Second)
		c.Close()
		expect(t, &b, erase)
	})
}

// Off a terminal nothing of them is shown.
func TestRunningItemsAreForTerminals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out, err buffer
		c := New(Options{Stdout: &out, Stderr: &err})
		c.Update(Snapshot{Total: 3, Running: 1, Slots: 1})
		time.Sleep(time.Second / 2) // no word and no report at the same moment
		for range 12 {
			c.Event(told("w1", RunningItem{ID: "a", For: 10 * time.Second, Percent: 50, Known: true, Said: 10 * time.Second}))
			time.Sleep(time.Second)
		}
		synctest.Wait()
		if got := err.take(); got != "sluice: done 0/3, running 1, --/s, 50s left\n" || out.take() != "" {
			t.Errorf("stderr %q", got)
		}
		c.Close()
	})
}

func TestWatchedRemembersTheLastDurations(t *testing.T) {
	var w watched
	now := time.Now()
	for i := range 3 * maxTook {
		w.event(Event{Type: ItemSettled, ID: fmt.Sprint(i), Verb: queue.Ack, Took: time.Duration(i)}, now)
	}
	if len(w.took) != maxTook || slices.Min(w.took) != 2*maxTook || w.ended != 3*maxTook {
		t.Errorf("%d durations from %d of %d", len(w.took), slices.Min(w.took), w.ended)
	}
}
