package main

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"sluice.dev/coordinator/job"
	"sluice.dev/internal/proc"
)

// manifestRun is one "sluice run -f": Jobs and CronJobs, all at once.
type manifestRun struct {
	manifestWork
	id  string // what the marks of its processes begin with
	out *podOutput
}

// outcome is what became of a Job.
type outcome struct {
	job  *batchv1.Job
	pods []*corev1.Pod
}

func newManifestRun(work manifestWork, out *podOutput) *manifestRun {
	return &manifestRun{manifestWork: work, id: "run-" + uuid.NewString(), out: out}
}

func (m *manifestRun) main(ctx context.Context) error {
	signals, ignore := heedSignals()
	defer ignore()
	unguard, err := startGuard(m.id)
	if err != nil {
		return err
	}
	defer unguard()
	defer m.sweep()

	ctx, end := context.WithCancel(ctx)
	defer end()
	killed, kill := context.WithCancel(context.Background())
	defer kill()
	unwatch := m.watch.start(ctx, m.out.say)
	var outcomes []outcome
	done := make(chan struct{})
	go func() {
		defer close(done)
		outcomes = m.run(ctx, killed)
	}()
	interrupted := m.await(done, signals, end, kill)
	unwatch()
	m.out.tables(outcomes)
	switch err := m.out.failure(); {
	case interrupted:
		return &exitError{code: exitInterrupted}
	case err != nil:
		return &exitError{exitDead, err}
	case failedJobs(outcomes):
		return &exitError{code: exitDead}
	}
	return nil
}

func failedJobs(outcomes []outcome) bool {
	return slices.ContainsFunc(outcomes, func(o outcome) bool { return job.Condition(o.job, batchv1.JobFailed) != nil })
}

// await waits for the end of all pods. The first signal ends them within their
// grace, the next kills them.
func (m *manifestRun) await(done <-chan struct{}, signals <-chan os.Signal, end, kill func()) (interrupted bool) {
	broken := m.out.broken
	for {
		select {
		case <-done:
			return interrupted
		case <-broken:
			broken = nil
			end()
		case s := <-signals:
			if interrupted {
				kill()
				continue
			}
			interrupted = true
			m.out.say("%s: pods have their terminationGracePeriodSeconds to end; once more kills them", s)
			end()
		}
	}
}

// run runs everything until it has ended. The end of ctx ends the pods, that of
// killed at once.
func (m *manifestRun) run(ctx, killed context.Context) []outcome {
	var all sync.WaitGroup
	jobs, crons := make([]outcome, len(m.jobs)), make([][]outcome, len(m.crons))
	for i, c := range m.jobs {
		all.Go(func() { jobs[i] = m.job(ctx, killed, c.Controller, c.hold) })
	}
	for i, c := range m.crons {
		all.Go(func() { crons[i] = m.cron(ctx, killed, c) })
	}
	all.Wait()
	return slices.Concat(jobs, slices.Concat(crons...))
}

// job runs a Job. hold is nil for one that a CronJob has made.
func (m *manifestRun) job(ctx, killed context.Context, c *job.Controller, hold *hold) outcome {
	r := &job.Runner{Mark: m.id + "/" + string(c.Job().UID), Output: m.out.pod}
	defer context.AfterFunc(killed, r.Kill)()
	loop := job.NewLoop(c, &toldPods{Runner: r, out: m.out, ending: make(map[string]bool)})
	var pods atomic.Int32
	loop.Changed = func(j *batchv1.Job, _ []*corev1.Pod) { pods.Store(j.Status.Active + *j.Status.Terminating) }
	defer hold.end()
	defer hold.add(&held{suspend: loop.Suspend, running: func() bool { return pods.Load() > 0 }})()
	j := loop.Run(ctx)
	r.Wait()
	if failed := job.Condition(j, batchv1.JobFailed); failed != nil {
		m.out.say("Job %s: %s: %s", j.Name, failed.Reason, failed.Message)
	}
	return outcome{j, c.Pods()}
}

// cron runs a CronJob until ctx ends. Of its Jobs it returns those that its
// history keeps.
func (m *manifestRun) cron(ctx, killed context.Context, c plannedCron) []outcome {
	var mu sync.Mutex
	var running atomic.Int32
	kept := make(map[string]outcome) // by the Job's name
	name := c.CronJob().Name
	loop := job.NewCronLoop(c.Cron, job.CronRun{
		Run: func(ctx context.Context, j *batchv1.Job) *batchv1.Job {
			running.Add(1)
			defer running.Add(-1)
			one, err := job.New(j, time.Now())
			if err != nil {
				panic("sluice: " + err.Error()) // its template was checked with the CronJob
			}
			o := m.job(ctx, killed, one, nil)
			mu.Lock()
			defer mu.Unlock()
			kept[j.Name] = o
			return o.job
		},
		Changed: func(jobs []*batchv1.Job, events []job.Event) {
			for _, e := range events {
				m.out.say("CronJob %s: %s: %s", name, e.Reason, e.Message)
			}
			mu.Lock()
			defer mu.Unlock()
			maps.DeleteFunc(kept, func(name string, _ outcome) bool {
				return !slices.ContainsFunc(jobs, func(j *batchv1.Job) bool { return j.Name == name })
			})
		},
	})
	defer c.hold.add(&held{suspend: loop.Suspend, running: func() bool { return running.Load() > 0 }})()
	loop.Run(ctx)
	return slices.SortedFunc(maps.Values(kept), func(a, b outcome) int {
		return cmp.Or(a.job.CreationTimestamp.Compare(b.job.CreationTimestamp.Time), cmp.Compare(a.job.Name, b.job.Name))
	})
}

// sweep kills what containers started and nobody waits for.
func (m *manifestRun) sweep() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if _, err := proc.Sweep(ctx, m.id, false); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		m.out.say("processes of pods may remain: %v", err)
	}
}
