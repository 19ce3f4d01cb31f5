package queuetest

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"

	"sluice.dev/queue"
)

// Mutant is a driver that breaks one rule.
type Mutant struct {
	Name string // what it does wrong
	Wrap func(queue.Driver) queue.Driver
}

// MustFail runs the suite against a mutant of a backend that conforms and
// fails t if no sentence finds it out. It stops at the first that does.
func MustFail(t testing.TB, h Harness, m Mutant) {
	t.Helper()
	for _, c := range suite {
		for _, s := range c.sentences {
			if finding := try(t, h, m, s); finding != "" {
				t.Logf("found by %q: %s", c.name+"/"+s.name, finding)
				return
			}
			if t.Failed() {
				return // the backend itself, in Open
			}
		}
	}
	t.Errorf("no sentence finds out that a driver %s", m.Name)
}

// try runs a sentence against a mutant and returns how it failed, or "".
func try(t testing.TB, h Harness, m Mutant, s sentence) string {
	p := &probe{TB: t}
	open := h.Open
	h.Open = func(_ testing.TB, name string) queue.Driver {
		return m.Wrap(open(stage{TB: t, probe: p}, name))
	}
	ended := make(chan struct{})
	go func() { // of its own, since Fatalf ends it
		defer close(ended)
		defer p.cleanup()
		s.run(newSubject(p, h))
	}()
	<-ended
	return p.finding
}

// probe is a testing.TB that keeps the first failure to itself.
type probe struct {
	testing.TB

	mu       sync.Mutex
	finding  string
	cleanups []func()
}

func (p *probe) found(finding string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.finding == "" {
		p.finding = finding
	}
}

func (p *probe) Failed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.finding != ""
}

func (p *probe) Fail()                             { p.found("failed") }
func (p *probe) Error(args ...any)                 { p.found(fmt.Sprint(args...)) }
func (p *probe) Errorf(format string, args ...any) { p.found(fmt.Sprintf(format, args...)) }

func (p *probe) FailNow()                          { p.Fail(); runtime.Goexit() }
func (p *probe) Fatal(args ...any)                 { p.Error(args...); runtime.Goexit() }
func (p *probe) Fatalf(format string, args ...any) { p.Errorf(format, args...); runtime.Goexit() }

func (p *probe) Cleanup(f func()) { p.cleanups = append(p.cleanups, f) }

// cleanup runs what Cleanup was given, the last first.
func (p *probe) cleanup() {
	for _, f := range slices.Backward(p.cleanups) {
		f()
	}
}

// stage is what a backend opens its clients on: it closes them when the
// sentence ends, but what fails there is no finding.
type stage struct {
	testing.TB
	probe *probe
}

func (s stage) Cleanup(f func()) { s.probe.Cleanup(f) }
