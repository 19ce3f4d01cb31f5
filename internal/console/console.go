package console

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"
)

const (
	drawEvery   = 100 * time.Millisecond
	reportEvery = 10 * time.Second
	maxPending  = 1 << 20
)

// Options says what a Console writes to. The zero value writes nothing.
type Options struct {
	Stdout io.Writer // of items; nil discards
	Stderr io.Writer // of items, progress and messages; nil discards

	StdoutTerminal bool // Stdout is a terminal, the same as that of Stderr
	Terminal       bool // Stderr is a terminal: a progress line that is drawn again in place

	// Width and Height are of the terminal, in columns and lines, asked at each
	// draw; nil, or a result below 1, is 80 and 24.
	Width, Height func() int

	Tag   bool // each line of an item's output begins with its argument and a tab
	Lines bool // a group is some lines of an item that still runs: each is ended with a newline
}

// Standard is the options for the standard streams of this process.
func Standard() Options {
	out, err := int(os.Stdout.Fd()), int(os.Stderr.Fd())
	capable := os.Getenv("TERM") != "dumb"
	return Options{
		Stdout:         os.Stdout,
		Stderr:         os.Stderr,
		StdoutTerminal: capable && term.IsTerminal(out),
		Terminal:       capable && term.IsTerminal(err),
		Width: func() int {
			width, _, _ := term.GetSize(err)
			return width
		},
		Height: func() int {
			_, height, _ := term.GetSize(err)
			return height
		},
	}
}

// Console writes what items put out, one item at a time, with the progress of
// the run below it. It is the Sink of every ReadFrames and the Writer of the
// launcher's own messages.
//
// Output passes through byte for byte, with these exceptions: a last line
// without a newline gets one on a terminal, before a message, with Tag or
// Lines, and where its worker was lost.
//
// On a terminal the progress is one line, and below it up to five lines of the
// items that have run the longest, as far as workers tell of them and the
// terminal has room. It is drawn when it has changed, at most ten times a
// second. Elsewhere it is a plain line on Stderr every ten
// seconds, the first after ten, when counts have changed.
//
// All methods may be called at any time from any goroutine. Item and its Group
// block while another item's group is open or the output does not take more;
// Update, Write and Event do not.
type Console struct {
	width, height func() int
	tag           bool
	lines         bool

	turn   sync.Mutex // held for an item's group; taken before screen
	screen screen     // its lock is taken before state
	live   bool       // progress is drawn in place; guarded by screen
	due    bool       // a report is due; guarded by screen

	state    sync.Mutex // never held while writing
	progress Snapshot
	reported Snapshot
	meter    meter
	watched  watched
	pending  []byte // messages wait here, so that who has one need not wait for the screen
	dropped  int64  // messages that pending had no room for
	closed   bool

	tick    *time.Ticker
	wake    chan struct{} // something is pending
	stop    chan struct{}
	stopped chan struct{}
	close   sync.Once
}

// New is a console. It has a goroutine, which Close ends.
func New(o Options) *Console {
	every := reportEvery
	if o.Terminal {
		every = drawEvery
	}
	c := &Console{
		width:  o.Width,
		height: o.Height,
		live:   o.Terminal,
		tag:    o.Tag,
		lines:  o.Lines,
		screen: screen{
			stdout: stream{w: o.Stdout, terminal: o.StdoutTerminal, broken: make(chan struct{})},
			stderr: stream{w: o.Stderr, terminal: o.Terminal},
		},
		tick:    time.NewTicker(every),
		wake:    make(chan struct{}, 1),
		stop:    make(chan struct{}),
		stopped: make(chan struct{}),
	}
	go c.loop()
	return c
}

// Update says how far the run is. The rate is reckoned from its calls: one
// every second or so makes it smooth.
func (c *Console) Update(s Snapshot) {
	c.state.Lock()
	defer c.state.Unlock()
	c.progress = s
	c.meter.add(time.Now(), s.finished())
}

// Write puts whole lines on Stderr, after the group that is open, if any. A
// newline that is missing at the end is added. It is for a logger: it never
// fails, and while the output takes nothing it drops what is above 1 MiB and
// says so later. It may block only after Close.
func (c *Console) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if closed := c.enqueue(p); closed {
		c.settle()
		return len(p), nil
	}
	select {
	case c.wake <- struct{}{}:
	default:
	}
	return len(p), nil
}

func (c *Console) enqueue(p []byte) (closed bool) {
	c.state.Lock()
	defer c.state.Unlock()
	if len(c.pending)+len(p) > maxPending {
		c.dropped++
		return c.closed
	}
	c.pending = append(c.pending, p...)
	if p[len(p)-1] != '\n' {
		c.pending = append(c.pending, '\n')
	}
	return c.closed
}

// Event puts what a person should know of an event on Stderr: that a worker is
// suspect, and lines of its log. Those of running and settled items go into the
// progress and the time left.
func (c *Console) Event(e Event) {
	c.state.Lock()
	c.watched.event(e, time.Now())
	c.state.Unlock()
	_, _ = io.WriteString(c, e.line())
}

// Broken is closed once nobody takes the items' stdout any more, as when it is
// a pipe into a program that has ended.
func (c *Console) Broken() <-chan struct{} { return c.screen.stdout.broken }

// Close takes the progress line off the terminal, writes the messages that
// wait, and returns the first error of the output. It does not wait for a
// group that is open; output that comes later is still written, without
// progress.
func (c *Console) Close() error {
	c.close.Do(func() {
		close(c.stop)
		<-c.stopped
	})
	c.state.Lock()
	c.closed = true
	c.state.Unlock()

	c.screen.Lock()
	defer c.screen.Unlock()
	c.live, c.due = false, false
	c.screen.clear()
	c.flush()
	return c.screen.failure()
}

// loop brings the screen up to date when time or a message says so.
func (c *Console) loop() {
	defer close(c.stopped)
	defer c.tick.Stop()
	for {
		select {
		case <-c.stop:
			return
		case <-c.wake:
		case <-c.tick.C:
			c.screen.Lock()
			c.screen.drawn, c.due = false, !c.live
			c.screen.Unlock()
		}
		c.settle()
	}
}

// settle brings messages and progress up to date, unless a group is open: the
// end of the group does it then.
func (c *Console) settle() {
	c.screen.Lock()
	defer c.screen.Unlock()
	if !c.screen.busy {
		c.flush()
		c.draw()
	}
}

// flush writes the messages that wait, and the report that is due. The screen
// is locked.
func (c *Console) flush() {
	c.state.Lock()
	p := c.pending
	if c.dropped > 0 {
		p = fmt.Appendf(p, "sluice: %s dropped while the output was blocked\n", count(c.dropped, "message"))
	}
	if c.due && c.progress != c.reported {
		now := time.Now()
		p = append(p, c.progress.report(c.pace(now, c.watched.running(now)))...)
		c.reported = c.progress
		c.tick.Reset(reportEvery) // from the line, which may have waited for a group
	}
	c.pending, c.dropped, c.due = nil, 0, false
	c.state.Unlock()

	if len(p) > 0 {
		c.screen.message(p)
	}
}

// pace is how fast the run goes, and what that means for its end. state is
// locked.
func (c *Console) pace(now time.Time, running []RunningItem) pace {
	s := c.progress
	fresh := max(0, s.Running-int64(len(running)))
	o := outlook{
		took: c.watched.took, running: running, fresh: int(min(fresh, maxFresh)),
		waiting: max(0, s.Total-s.finished()-int64(len(running))-fresh),
		slots:   int(min(s.Slots, maxFresh)), paceOf: c.meter.grown(),
	}
	if f := s.finished(); f > 0 {
		o.again = float64(c.watched.ended) / float64(f)
	}
	o.pace, _ = c.meter.perSecond(now)
	return s.pace(o)
}

// draw puts the progress on a terminal. The screen is locked.
func (c *Console) draw() {
	if !c.live || c.screen.drawn {
		return
	}
	now := time.Now()
	var lines []string
	c.state.Lock()
	if c.progress != (Snapshot{}) {
		width := ask(c.width, 80)
		running := c.watched.running(now)
		if line := c.progress.line(width, c.pace(now, running)); line != "" {
			lines = append([]string{line}, itemLines(running, width, ask(c.height, 24)-2)...)
		}
	}
	c.state.Unlock()
	c.screen.draw(lines)
}

// ask is a size of the terminal.
func ask(size func() int, usual int) int {
	if size != nil {
		if n := size(); n > 0 {
			return n
		}
	}
	return usual
}
