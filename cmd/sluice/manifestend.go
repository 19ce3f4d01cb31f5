package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/coordinator/job"
)

// schedule runs the batches of a WorkQueue, and of those that follow it, at the
// times of its schedule until ctx ends. What became of those that its history
// keeps is noted.
func (s *queueSet) schedule(ctx context.Context, q *workQueue) {
	var mu sync.Mutex
	kept := make(map[string][]*batch) // by the name of the first of a row
	loop := job.NewCronLoop(q.cron, job.CronRun{
		Run: func(ctx context.Context, j *batchv1.Job) *batchv1.Job {
			s.pods.say("%s: begins", j.Name)
			complete := s.chain(ctx, q, strings.TrimPrefix(j.Name, q.name), func(b *batch) {
				if b.result != nil || b.err != nil {
					s.pods.say("%s: %s", b.name, b.state())
				}
				mu.Lock()
				defer mu.Unlock()
				kept[j.Name] = append(kept[j.Name], b)
			})
			return finished(j, complete)
		},
		Changed: func(jobs []*batchv1.Job, events []job.Event) {
			for _, e := range events {
				if why := missed[e.Reason]; why != "" {
					s.pods.say("%s: %s", q.name, why)
				}
			}
			there := make(map[string]bool)
			for _, j := range jobs {
				there[j.Name] = true
			}
			mu.Lock()
			defer mu.Unlock()
			for name := range kept {
				if !there[name] {
					delete(kept, name)
				}
			}
		},
	})
	defer q.scheduleHold.add(&held{suspend: loop.Suspend})() // its batches are held by the WorkQueue's own
	loop.Run(ctx)
	for _, row := range kept {
		for _, b := range row {
			s.note(b)
		}
	}
}

// missed is what the events of a CronJob mean for batches.
var missed = map[string]string{
	"JobAlreadyActive":   "no batch: the last one is at work, and concurrencyPolicy is Forbid",
	"TooManyMissedTimes": "more than 100 start times were missed: a startingDeadlineSeconds, or a look at the clock, may be in place",
}

// finished is the Job as which the schedule sees a batch.
func finished(j *batchv1.Job, complete bool) *batchv1.Job {
	now, kind := metav1.NewTime(time.Now()), batchv1.JobFailed
	if complete {
		kind, j.Status.CompletionTime = batchv1.JobComplete, &now
	}
	j.Status.Conditions = append(j.Status.Conditions, batchv1.JobCondition{Type: kind, Status: corev1.ConditionTrue, LastTransitionTime: now})
	return j
}

// state is the batch in a word or some more.
func (b *batch) state() string {
	switch {
	case b.after != "":
		return fmt.Sprintf("Not run: %s is not Complete", b.after)
	case b.err != nil:
		return fmt.Sprintf("Failed: %v", b.err)
	case b.complete():
		return "Complete"
	case b.result.err != nil:
		return fmt.Sprintf("Failed: %v", b.result.err)
	case b.result.summary.Left > 0 && b.queue.hold.suspended():
		return "Suspended"
	case b.result.summary.Left > 0:
		return "Unfinished"
	}
	return "Failed"
}

// summaries writes what became of each batch.
func (s *queueSet) summaries(w io.Writer) error {
	var errs []error
	for _, b := range s.byFile() {
		_, err := fmt.Fprintf(w, "\n%s: %s\n", b.name, b.state())
		if b.result != nil {
			err = errors.Join(err, b.result.summary.Print(w))
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// exit is the exit code of all, of which that of an interrupt goes first, and
// then the one that tells the most. What the summaries have told is not told
// again.
func (s *queueSet) exit(err error, failed bool) error {
	if s.interrupted {
		return &exitError{exitInterrupted, err}
	}
	code := 0
	if failed || err != nil {
		code = exitDead
	}
	for _, b := range s.batches {
		one := b.err
		if b.result != nil && one == nil {
			one = b.result.exit(nil)
		}
		if e, ok := errors.AsType[*exitError](one); ok {
			code = max(code, e.code)
		} else if one != nil || b.after != "" && !s.halted {
			code = max(code, exitDead)
		}
	}
	if code == 0 {
		return nil
	}
	return &exitError{code, err}
}
