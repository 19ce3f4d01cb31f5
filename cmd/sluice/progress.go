package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"sluice.dev/internal/console"
	"sluice.dev/internal/itemlog"
	"sluice.dev/internal/payload"
	"sluice.dev/internal/progress"
	"sluice.dev/worker/command"
)

// watchFlags say what a run looks for in the output of its items, and what it
// keeps of it. They travel to worker processes as JSON.
type watchFlags struct {
	Progress string // a pattern; "": the usual ways
	LogLimit int64  // bytes of an attempt; 0 keeps none
	limited  bool   // it was said how much
}

func (f *watchFlags) register(fs *pflag.FlagSet) {
	f.LogLimit = itemlog.DefaultLimit
	fs.Var(patternValue{&f.Progress}, "progress", "regular expression that finds in an item's output how far it is: a number of per cent, or two groups, a part and the whole (default: 37%, ffmpeg's status and -progress, openjd_progress: 37)")
	fs.Var(sizeValue{&f.LogLimit, &f.limited}, "log-limit", "with --state: how much of an attempt's output to keep for 'sluice logs', its start and its end; 0 keeps none")
}

// check refuses flags that would do nothing.
func (f *watchFlags) check(state string) error {
	if f.limited && state == "" {
		return usagef("--log-limit: without --state nothing is kept: say --state DIR")
	}
	return nil
}

// patternValue is a regular expression.
type patternValue struct{ p *string }

func (v patternValue) String() string {
	if v.p == nil {
		return ""
	}
	return *v.p
}
func (patternValue) Type() string { return "REGEX" }
func (v patternValue) Set(s string) error {
	if s == "" {
		return errors.New(`a regular expression is allowed, such as 'frame ([0-9]+) of ([0-9]+)'`)
	}
	if _, err := progress.Compile(s); err != nil {
		return fmt.Errorf("%w; a regular expression is allowed, such as 'frame ([0-9]+) of ([0-9]+)'", err)
	}
	*v.p = s
	return nil
}

// sizeValue is a number of bytes that are kept.
type sizeValue struct {
	p    *int64
	said *bool
}

func (v sizeValue) String() string {
	if v.p == nil {
		return ""
	}
	return size(*v.p)
}
func (sizeValue) Type() string { return "SIZE" }
func (v sizeValue) Set(s string) error {
	number, unit := s, int64(1)
	for suffix, factor := range map[string]int64{"KiB": 1 << 10, "MiB": 1 << 20} {
		if cut, ok := strings.CutSuffix(s, suffix); ok {
			number, unit = cut, factor
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n != 0 && (n < 1 || n > itemlog.MaxLimit/unit || n*unit < itemlog.MinLimit) {
		return fmt.Errorf("0 or a size from %s to %s is allowed, such as 64KiB or 4MiB", size(itemlog.MinLimit), size(itemlog.MaxLimit))
	}
	*v.p, *v.said = n*unit, true
	return nil
}

// size is a number of bytes in the greatest unit that leaves it whole.
func size(n int64) string {
	switch {
	case n > 0 && n%(1<<20) == 0:
		return fmt.Sprintf("%dMiB", n>>20)
	case n > 0 && n%(1<<10) == 0:
		return fmt.Sprintf("%dKiB", n>>10)
	}
	return strconv.FormatInt(n, 10)
}

// How often a worker tells of its running items, and of which: the others will
// have ended before anybody has read of them.
const (
	tellEvery = 500 * time.Millisecond
	tellAfter = time.Second
	tellMost  = 16
)

// tell tells of the items that have run for a while until ctx ends.
func tell(ctx context.Context, h *command.Handler, frames *console.FrameWriter, id string) {
	again := time.NewTicker(tellEvery)
	defer again.Stop()
	for told := false; ; {
		select {
		case <-ctx.Done():
			return
		case <-again.C:
		}
		list := h.Running(tellAfter, tellMost)
		if len(list) == 0 && !told {
			continue
		}
		told = len(list) > 0
		e := console.Event{Type: console.ItemsRunning, Worker: id}
		for _, r := range list {
			item := console.RunningItem{ID: r.Lease.Item.ID, For: r.For, Percent: r.Percent, Known: r.Known, Said: r.Said}
			if p, err := payload.Decode(r.Lease.Item.Payload); err == nil {
				item.Text = shown(p.Arg)
			}
			e.Running = append(e.Running, item)
		}
		if frames.Event(e) != nil {
			return // nobody is there to read it
		}
	}
}

// shown is as much of an item's text as fits on a terminal: its start and its
// end, of which the middle goes once more.
func shown(text string) string {
	const most = 512
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most/2], "") + "..." + strings.ToValidUTF8(text[len(text)-most/2:], "")
}
