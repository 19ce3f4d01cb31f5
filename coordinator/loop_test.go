package coordinator

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"sluice.dev/queue"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakes stands for a queue and a launcher of one-slot workers.
type fakes struct {
	mu       sync.Mutex
	depth    queue.Depth
	err      error
	live     int
	launched []int
}

func (f *fakes) set(d queue.Depth, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.depth, f.err = d, err
}

func (f *fakes) Depth(context.Context) (queue.Depth, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.depth, f.err
}

func (f *fakes) Active(context.Context) (Count, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return Count{Workers: f.live, Slots: f.live}, nil
}
func (f *fakes) Launch(_ context.Context, n int) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.live += n
	f.launched = append(f.launched, n)
	return n, nil
}

// start runs a loop in a bubble of fake time until the test ends.
func start(t *testing.T, f *fakes) (l *Loop, wait func() error) {
	l = NewLoop(Loop{Queue: f, Launcher: f, Options: Options{Max: 3}, Resync: time.Minute})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	return l, func() error { cancel(); return <-done }
}

func expect(t *testing.T, f *fakes, want ...int) {
	t.Helper()
	synctest.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	if fmt.Sprint(f.launched) != fmt.Sprint(want) {
		t.Errorf("launched %v, want %v", f.launched, want)
	}
}

func TestLoopReactsToAnEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakes{depth: queue.Depth{NextDue: -1}}
		l, stop := start(t, f)
		expect(t, f)
		f.set(queue.Depth{Ready: 2, NextDue: -1}, nil)
		l.Kick()
		expect(t, f, 2)
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestLoopLooksWhenSomethingComesDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakes{depth: queue.Depth{Delayed: 1, NextDue: 5 * time.Second}}
		_, stop := start(t, f)
		expect(t, f)
		f.set(queue.Depth{Ready: 1, NextDue: -1}, nil)
		time.Sleep(5*time.Second + time.Millisecond) // fake time
		expect(t, f, 1)
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestLoopMendsWhatItMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakes{depth: queue.Depth{NextDue: -1}}
		_, stop := start(t, f)
		expect(t, f)
		f.set(queue.Depth{Ready: 1, NextDue: -1}, nil)
		time.Sleep(time.Minute) // fake time
		expect(t, f, 1)
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// A depth that cannot be read is an error, never a zero and never a launch.
func TestLoopLaunchesNothingOnAnUnknownDepth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakes{depth: queue.Depth{Ready: 9, NextDue: -1}, err: fmt.Errorf("reading: %w", queue.ErrUnavailable)}
		_, stop := start(t, f)
		expect(t, f)
		f.set(queue.Depth{Ready: 9, NextDue: -1}, nil)
		time.Sleep(retry) // fake time
		expect(t, f, 3)
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestLoopEndsOnAnErrorThatStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakes{err: errors.New("wrong password")}
		_, stop := start(t, f)
		synctest.Wait()
		if err := stop(); err == nil {
			t.Error("Run = nil, want the store's error")
		}
	})
}
