package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/coordinator/job"
)

// dryRun writes what the files would run, and runs none of it: after a comment
// for each object the command of each of its items, or of its pods' containers.
func (s *queueSet) dryRun(ctx context.Context, stdout, stderr io.Writer) error {
	s.work.notice(newPodOutput(stdout, stderr, false).say)
	if err := s.check(ctx); err != nil {
		return err
	}
	p := dryPrinter{w: stdout}
	for _, j := range s.work.jobs {
		p.job("Job "+j.Job().Name, j.Job(), j.hold)
	}
	for _, c := range s.work.crons {
		cj := c.CronJob()
		j := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: cj.Name}, Spec: cj.Spec.JobTemplate.Spec}
		p.job(fmt.Sprintf("CronJob %s, at %q, a Job each time", cj.Name, cj.Spec.Schedule), j, c.hold)
	}
	for _, q := range s.work.queues {
		if err := s.dryQueue(ctx, q, &p); err != nil {
			return err
		}
	}
	return p.err
}

// dryQueue writes the commands of a WorkQueue's items.
func (s *queueSet) dryQueue(ctx context.Context, q *workQueue, p *dryPrinter) error {
	title := "WorkQueue " + q.name
	if q.cron != nil {
		title += fmt.Sprintf(", at %q, a batch each time", q.cron.CronJob().Spec.Schedule)
	}
	if q.after != "" {
		title += ", after " + q.after
	}
	title += fmt.Sprintf(": at most %d at once", q.scale.Max)
	r, err := s.newRun(q, q.name)
	if err != nil {
		return usage(err)
	}
	if q.after != "" && q.source.OfFiles() {
		p.title(title+"; its items are known when "+q.after+" is Complete: the command of each", q.hold, q.scheduleHold)
		p.command(q.flags.Argv)
		return p.err
	}
	p.title(title, q.hold, q.scheduleHold)
	if p.err != nil {
		return p.err
	}
	return r.dryRun(ctx, r.command, p.w)
}

// dryPrinter remembers the first error of what it writes to.
type dryPrinter struct {
	w   io.Writer
	err error
}

func (p *dryPrinter) title(text string, holds ...*hold) {
	for _, h := range holds {
		if h.suspended() && strings.HasSuffix(h.name, scheduleOf) {
			text += "; its schedule is suspended"
		} else if h.suspended() {
			text += "; suspended"
		}
	}
	p.line("# " + text)
}

func (p *dryPrinter) command(argv []string) {
	words := make([]string, len(argv))
	for i, word := range argv {
		words[i] = shellWord(word)
	}
	p.line(strings.Join(words, " "))
}

func (p *dryPrinter) line(text string) {
	if p.err == nil {
		_, p.err = fmt.Fprintln(p.w, text)
	}
}

// job writes the commands of a Job's first pod, in the order in which its
// containers start.
func (p *dryPrinter) job(title string, j *batchv1.Job, h *hold) {
	j.Spec.Suspend = nil // which would start no pod
	now := time.Now()
	c, err := job.New(j, now)
	if err != nil {
		panic("sluice: " + err.Error()) // it was checked before
	}
	pods := "1 pod"
	switch s := c.Job().Spec; {
	case s.Completions == nil && *s.Parallelism > 1:
		pods = fmt.Sprintf("%d pods at once, until one succeeds", *s.Parallelism)
	case s.Completions != nil && *s.Completions != 1:
		pods = fmt.Sprintf("%d pods, at most %d at once", *s.Completions, *s.Parallelism)
	}
	p.title(title+": "+pods, h)
	start := c.Sync(now).Start
	for _, pod := range start[:min(len(start), 1)] {
		for _, container := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
			argv, _, err := job.Command(pod, &container)
			if err != nil {
				p.line("# " + err.Error())
				continue
			}
			p.command(argv)
		}
	}
}
