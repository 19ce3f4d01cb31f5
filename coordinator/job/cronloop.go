package job

import (
	"context"
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"
)

// CronRun is what a CronLoop needs of the world.
type CronRun struct {
	// Run runs a Job until it has finished, or until ctx ends and its pods with
	// it, and returns it. Job by Job it is called in a goroutine of its own.
	Run func(ctx context.Context, j *batchv1.Job) *batchv1.Job
	// Changed, if set, is told of the Jobs that there are, and of what has
	// happened, after every decision.
	Changed func(jobs []*batchv1.Job, events []Event)
}

// cronJob is a Job that a CronJob has made.
type cronJob struct {
	*batchv1.Job
	cancel context.CancelFunc
}

// CronLoop carries out what a Cron decides.
type CronLoop struct {
	c     *Cron
	do    CronRun
	inbox inbox
}

// NewCronLoop takes over the Cron.
func NewCronLoop(c *Cron, do CronRun) *CronLoop {
	return &CronLoop{c: c, do: do, inbox: newInbox()}
}

// Suspend holds back further Jobs, or lets them come again: at once where one
// was missed, unless startingDeadlineSeconds has passed. Those that run go on.
// It may be called at any time, from any goroutine.
func (l *CronLoop) Suspend(on bool) { l.inbox.post(func() { l.c.Suspend(on) }) }

// Run runs the CronJob until ctx ends, and then ends its Jobs and waits for
// them.
func (l *CronLoop) Run(ctx context.Context) {
	var (
		jobs    []cronJob
		ended   = make(chan *batchv1.Job)
		running int
		timer   = time.NewTimer(0)
	)
	defer timer.Stop()
	for ctx.Err() == nil {
		l.inbox.open()
		now := time.Now()
		var next time.Time
		jobs, next = unexpired(jobs, now)
		a := l.c.Sync(now, views(jobs))
		jobs = without(jobs, a.Delete)
		if a.Start != nil {
			one, stop := context.WithCancel(ctx)
			jobs = append(jobs, cronJob{a.Start, stop})
			running++
			go func() {
				defer stop()
				ended <- l.do.Run(one, a.Start.DeepCopy())
			}()
		}
		if l.do.Changed != nil {
			l.do.Changed(views(jobs), a.Events)
		}
		if next.IsZero() || !a.Next.IsZero() && a.Next.Before(next) {
			next = a.Next
		}
		timer.Stop()
		if !next.IsZero() {
			timer.Reset(time.Until(next))
		}
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-l.inbox.kick:
		case j := <-ended:
			running--
			for i := range jobs {
				if jobs[i].Name == j.Name {
					jobs[i].Job = j
				}
			}
		}
	}
	for range running {
		<-ended
	}
}

// without ends and forgets the Jobs of these names.
func without(jobs []cronJob, names []string) []cronJob {
	return slices.DeleteFunc(jobs, func(j cronJob) bool {
		gone := slices.Contains(names, j.Name)
		if gone {
			j.cancel()
		}
		return gone
	})
}

func views(jobs []cronJob) []*batchv1.Job {
	list := make([]*batchv1.Job, len(jobs))
	for i, j := range jobs {
		list[i] = j.DeepCopy()
	}
	return list
}

// unexpired are the Jobs whose ttlSecondsAfterFinished has not passed, and when
// the next one's does.
func unexpired(jobs []cronJob, now time.Time) (left []cronJob, next time.Time) {
	for _, j := range jobs {
		at, ok := Expires(j.Job)
		if ok && !now.Before(at) {
			continue
		}
		if ok && (next.IsZero() || at.Before(next)) {
			next = at
		}
		left = append(left, j)
	}
	return left, next
}
