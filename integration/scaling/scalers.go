package main

import (
	"time"

	"sluice.dev/coordinator"
)

// sluice scales by the product's own plan.
type sluice struct {
	options coordinator.Options
	idle    time.Duration // how long a worker waits for more before it asks to leave
}

func (s sluice) poll() time.Duration { return 0 }
func (s sluice) one() bool           { return false }
func (s sluice) stay() time.Duration { return s.idle }
func (s sluice) least() int          { return s.options.Min }

func (s sluice) scale(c *cluster) int {
	n := c.pods()
	return coordinator.Plan(c.depth(), coordinator.Count{Workers: n, Slots: n}, s.options).Launch
}

// keda scales as a KEDA ScaledJob does, by the formulas of its documentation
// ("Scaling Jobs", scalingStrategy) and of its pkg/scaling/executor.
type keda struct {
	strategy strategy
	max      int           // maxReplicaCount
	single   bool          // a pod does one item; else it goes on until it finds none
	every    time.Duration // pollingInterval
	target   int           // items that justify a Job: the trigger's target value; 0: 1
}

type strategy string

const (
	// byDefault counts on a queue length that has the items at work in it.
	byDefault strategy = "default"
	// accurate counts on one that has not.
	accurate strategy = "accurate"
	// eager fills what is free up to the maximum.
	eager strategy = "eager"
)

func (k keda) poll() time.Duration { return k.every }
func (k keda) one() bool           { return k.single }
func (k keda) stay() time.Duration { return 0 }
func (k keda) least() int          { return 0 }

func (k keda) scale(c *cluster) int {
	d := c.depth()
	length := int(d.Ready)
	if k.strategy == byDefault {
		length += int(d.Leased)
	}
	target := max(k.target, 1)
	length = (length + target - 1) / target
	running := c.pods() // Jobs that have not ended, pending ones too
	wanted := min(length, k.max)
	more := wanted - running
	switch k.strategy {
	case accurate:
		if more = wanted - c.starting; wanted+running > k.max {
			more = k.max - running
		}
	case eager:
		more = min(k.max-running-c.starting, wanted)
	}
	return max(0, min(more, wanted))
}
