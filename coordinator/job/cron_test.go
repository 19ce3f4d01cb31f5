package job

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func cronManifest(edit func(*batchv1.CronJobSpec)) *batchv1.CronJob {
	cj := &batchv1.CronJob{ObjectMeta: metav1.ObjectMeta{Name: "tick"}}
	cj.Spec.Schedule = "*/10 * * * *"
	cj.Spec.JobTemplate.Spec = manifest(nil, "true").Spec
	if edit != nil {
		edit(&cj.Spec)
	}
	return cj
}

func newCron(t *testing.T, edit func(*batchv1.CronJobSpec), now time.Time) *Cron {
	t.Helper()
	c, err := NewCron(cronManifest(edit), now)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// noon is when the CronJobs of these tests are made.
var noon = time.Date(2026, 3, 10, 12, 0, 30, 0, time.UTC)

// past is a Job in a CronJob's history.
func past(name string, kind batchv1.JobConditionType, minute int) *batchv1.Job {
	j := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.NewTime(noon.Add(time.Duration(minute) * time.Minute))}}
	if kind != "" {
		setCondition(j, kind, corev1.ConditionTrue, "", "", noon)
	}
	return j
}

func reasons(a CronActions) string {
	var list []string
	for _, e := range a.Events {
		list = append(list, e.Reason)
	}
	return strings.Join(list, " ")
}

func TestCronStartsTheLatestTimeThatHasCome(t *testing.T) {
	running := []*batchv1.Job{past("tick-1", "", -9)}
	at := func(hour, minute int) string {
		return fmt.Sprintf("tick-%d", time.Date(2026, 3, 10, hour, minute, 0, 0, time.UTC).Unix()/60)
	}
	for _, c := range []struct {
		says   string
		spec   func(*batchv1.CronJobSpec)
		jobs   []*batchv1.Job
		after  time.Duration
		start  string
		delete string
		events string
	}{
		{"nothing before the first time", nil, nil, 9 * time.Minute, "", "", ""},
		{"its name has the minutes since 1970", nil, nil, 9*time.Minute + 30*time.Second, at(12, 10), "", "SuccessfulCreate"},
		{"of several times the latest", nil, nil, 25 * time.Minute, at(12, 20), "", "SuccessfulCreate"},
		{"more than 100 that were missed are reported", nil, nil, 17 * time.Hour, fmt.Sprintf("tick-%d", noon.Add(17*time.Hour).Unix()/60), "", "TooManyMissedTimes SuccessfulCreate"},
		{"of a very long time too", func(s *batchv1.CronJobSpec) { s.Schedule = "* * * * *" }, nil, 200 * 24 * time.Hour,
			fmt.Sprintf("tick-%d", noon.Add(200*24*time.Hour).Unix()/60), "", "TooManyMissedTimes SuccessfulCreate"},
		{"startingDeadlineSeconds leaves out what is older", func(s *batchv1.CronJobSpec) { s.StartingDeadlineSeconds = new(int64(60)) },
			nil, 15 * time.Minute, "", "", ""},
		{"startingDeadlineSeconds lets what is younger start", func(s *batchv1.CronJobSpec) { s.StartingDeadlineSeconds = new(int64(60)) },
			nil, 10*time.Minute + 20*time.Second, at(12, 10), "", "SuccessfulCreate"},
		{"startingDeadlineSeconds keeps what was missed few", func(s *batchv1.CronJobSpec) { s.StartingDeadlineSeconds = new(int64(3600)) },
			nil, 17 * time.Hour, fmt.Sprintf("tick-%d", noon.Add(17*time.Hour).Unix()/60), "", "SuccessfulCreate"},
		{"suspend starts nothing", func(s *batchv1.CronJobSpec) { s.Suspend = new(true) }, nil, time.Hour, "", "", ""},
		{"Allow lets Jobs overlap", nil, running, 10 * time.Minute, at(12, 10), "", "SuccessfulCreate"},
		{"Forbid waits for the one that runs", func(s *batchv1.CronJobSpec) { s.ConcurrencyPolicy = batchv1.ForbidConcurrent },
			running, 10 * time.Minute, "", "", "JobAlreadyActive"},
		{"Replace ends the one that runs", func(s *batchv1.CronJobSpec) { s.ConcurrencyPolicy = batchv1.ReplaceConcurrent },
			running, 10 * time.Minute, at(12, 10), "tick-1", "SuccessfulCreate"},
		{"timeZone is where the schedule is", func(s *batchv1.CronJobSpec) { s.Schedule, s.TimeZone = "0 21 * * *", new("Asia/Tokyo") },
			nil, 24 * time.Hour, fmt.Sprintf("tick-%d", noon.Add(24*time.Hour).Unix()/60), "", "SuccessfulCreate"},
	} {
		cron := newCron(t, func(s *batchv1.CronJobSpec) {
			s.TimeZone = new("UTC")
			if c.spec != nil {
				c.spec(s)
			}
		}, noon)
		a := cron.Sync(noon.Add(c.after), c.jobs)
		start := ""
		if a.Start != nil {
			start = a.Start.Name
		}
		if start != c.start || strings.Join(a.Delete, " ") != c.delete || reasons(a) != c.events {
			t.Errorf("%s: start %q, delete %v, events %q; want %q, %q, %q", c.says, start, a.Delete, reasons(a), c.start, c.delete, c.events)
		}
		if again := cron.Sync(noon.Add(c.after), c.jobs); again.Start != nil {
			t.Errorf("%s: %s is started again", c.says, again.Start.Name)
		}
	}
}

func TestCronNamesTheScheduledTime(t *testing.T) {
	c := newCron(t, func(s *batchv1.CronJobSpec) { s.TimeZone = new("Asia/Tokyo") }, noon)
	a := c.Sync(noon.Add(10*time.Minute), nil)
	if got := a.Start.Annotations[batchv1.CronJobScheduledTimestampAnnotation]; got != "2026-03-10T21:10:00+09:00" {
		t.Errorf("scheduled timestamp %q", got)
	}
	if want := noon.Add(19*time.Minute + 30*time.Second); !a.Next.Equal(want) {
		t.Errorf("next at %s, want %s", a.Next, want)
	}
	if o := a.Start.OwnerReferences; len(o) != 1 || o[0].Kind != "CronJob" || o[0].Name != "tick" {
		t.Errorf("owners %+v", o)
	}
}

func TestCronMakesAJobAMinuteAtTheMost(t *testing.T) {
	c := newCron(t, func(s *batchv1.CronJobSpec) { s.Schedule = "@every 10s" }, noon)
	first := c.Sync(noon.Add(10*time.Second), nil).Start
	if first == nil {
		t.Fatal("no Job at the first time")
	}
	jobs := []*batchv1.Job{first}
	if a := c.Sync(noon.Add(20*time.Second), jobs); a.Start != nil || len(a.Events) != 0 || !a.Next.Equal(noon.Add(30*time.Second)) {
		t.Errorf("in the same minute: %+v", a)
	}
	if a := c.Sync(noon.Add(30*time.Second), jobs); a.Start == nil || a.Start.Name == first.Name {
		t.Errorf("in the next minute: %+v", a)
	}
}

func TestCronKeepsAHistory(t *testing.T) {
	jobs := []*batchv1.Job{
		past("c5", batchv1.JobComplete, 5), past("f1", batchv1.JobFailed, 1), past("c2", batchv1.JobComplete, 2),
		past("c4", batchv1.JobComplete, 4), past("c3", batchv1.JobComplete, 3), past("f6", batchv1.JobFailed, 6), past("runs", "", 0),
	}
	for _, c := range []struct {
		spec func(*batchv1.CronJobSpec)
		want string
	}{
		{nil, "f1 c2"},
		{func(s *batchv1.CronJobSpec) {
			s.SuccessfulJobsHistoryLimit, s.FailedJobsHistoryLimit = new(int32(0)), new(int32(5))
		}, "c2 c3 c4 c5"},
	} {
		if got := strings.Join(newCron(t, c.spec, noon).Sync(noon, jobs).Delete, " "); got != c.want {
			t.Errorf("deleted %q, want %q", got, c.want)
		}
	}
}

func TestCronKeepsItsStatus(t *testing.T) {
	c := newCron(t, nil, noon)
	c.Suspend(true)
	if a := c.Sync(noon.Add(10*time.Minute), nil); a.Start != nil || !a.Next.IsZero() {
		t.Errorf("suspended: %+v", a)
	}
	c.Suspend(false)
	ended := past("tick-1", batchv1.JobComplete, 0)
	ended.Status.CompletionTime = new(metav1.NewTime(noon.Add(time.Minute)))
	a := c.Sync(noon.Add(10*time.Minute), []*batchv1.Job{ended, past("tick-2", "", 1)})
	s := c.CronJob().Status
	if len(s.Active) != 2 || s.Active[0].Name != "tick-2" || s.Active[1].Name != a.Start.Name {
		t.Errorf("active %+v, want tick-2 and %s", s.Active, a.Start.Name)
	}
	if want := noon.Add(9*time.Minute + 30*time.Second); !s.LastScheduleTime.Time.Equal(want) {
		t.Errorf("last scheduled %s, want %s", s.LastScheduleTime, want)
	}
	if !s.LastSuccessfulTime.Equal(ended.Status.CompletionTime) {
		t.Errorf("last successful %s, want %s", s.LastSuccessfulTime, ended.Status.CompletionTime)
	}
}

func TestNewCronRefuses(t *testing.T) {
	for _, c := range []struct {
		spec func(*batchv1.CronJobSpec)
		want string
	}{
		{func(s *batchv1.CronJobSpec) { s.Schedule = "every day" }, `spec.schedule: Invalid value: "every day": must be five fields`},
		{func(s *batchv1.CronJobSpec) { s.Schedule = "TZ=UTC * * * * *" }, "state spec.timeZone"},
		{func(s *batchv1.CronJobSpec) { s.Schedule = "0 0 31 2 *" }, "must name a day that there is"},
		{func(s *batchv1.CronJobSpec) { s.TimeZone = new("Mars/Base") }, `spec.timeZone: Invalid value: "Mars/Base"`},
		{func(s *batchv1.CronJobSpec) { s.TimeZone = new("Local") }, `spec.timeZone: Invalid value: "Local"`},
		{func(s *batchv1.CronJobSpec) { s.ConcurrencyPolicy = "Queue" }, `spec.concurrencyPolicy: Unsupported value: "Queue": supported values: "Allow", "Forbid", "Replace"`},
		{func(s *batchv1.CronJobSpec) { s.StartingDeadlineSeconds = new(int64(-1)) }, "spec.startingDeadlineSeconds: Invalid value: -1"},
		{func(s *batchv1.CronJobSpec) { s.SuccessfulJobsHistoryLimit = new(int32(-1)) }, "spec.successfulJobsHistoryLimit: Invalid value: -1"},
		{func(s *batchv1.CronJobSpec) { s.FailedJobsHistoryLimit = new(int32(-1)) }, "spec.failedJobsHistoryLimit: Invalid value: -1"},
		{func(s *batchv1.CronJobSpec) { s.JobTemplate.Spec.Template.Spec.RestartPolicy = "" }, "spec.jobTemplate.spec.template.spec.restartPolicy"},
	} {
		if _, err := NewCron(cronManifest(c.spec), noon); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("NewCron = %v, want %s", err, c.want)
		}
	}
	long := cronManifest(nil)
	long.Name = strings.Repeat("a", 53)
	if _, err := NewCron(long, noon); err == nil || !strings.Contains(err.Error(), "must be no more than 52 characters") {
		t.Errorf("a name of 53 characters: %v", err)
	}
}

// cronWorld runs the Jobs of a CronJob in fake time.
type cronWorld struct {
	lasts time.Duration

	mu    sync.Mutex
	log   []string
	names string // of the Jobs that there are
}

func (w *cronWorld) run(ctx context.Context, j *batchv1.Job) *batchv1.Job {
	began := time.Now()
	c, err := New(j, began)
	if err != nil {
		panic(err)
	}
	done := NewLoop(c, newFakePods(func(int, *corev1.Pod) run { return run{lasts: w.lasts, drain: time.Second} })).Run(ctx)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.log = append(w.log, fmt.Sprintf("%s for %s, finished %v", began.UTC().Format("15:04"), time.Since(began), Finished(done) != nil))
	return done
}

func (w *cronWorld) changed(jobs []*batchv1.Job, _ []Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.names = fmt.Sprint(len(jobs))
}

func TestCronLoop(t *testing.T) {
	for _, c := range []struct {
		says  string
		spec  func(*batchv1.CronJobSpec)
		lasts time.Duration
		log   string
		jobs  string // that there are before the end
	}{
		{"each at its time, with the last three kept", nil, time.Minute,
			"00:10 for 1m0s, finished true; 00:20 for 1m0s, finished true; 00:30 for 1m0s, finished true; 00:40 for 1m0s, finished true", "3"},
		{"Replace ends the Job before", func(s *batchv1.CronJobSpec) { s.ConcurrencyPolicy = batchv1.ReplaceConcurrent }, time.Hour,
			"00:10 for 10m1s, finished false; 00:20 for 10m1s, finished false; 00:30 for 10m1s, finished false; 00:40 for 5m1s, finished false", "1"},
		{"Forbid starts what was missed once the Job before has finished", func(s *batchv1.CronJobSpec) { s.ConcurrencyPolicy = batchv1.ForbidConcurrent }, 15 * time.Minute,
			"00:10 for 15m0s, finished true; 00:25 for 15m0s, finished true; 00:40 for 5m1s, finished false", "3"},
		{"ttlSecondsAfterFinished forgets a Job", func(s *batchv1.CronJobSpec) { s.JobTemplate.Spec.TTLSecondsAfterFinished = new(int32(60)) }, time.Minute,
			"00:10 for 1m0s, finished true; 00:20 for 1m0s, finished true; 00:30 for 1m0s, finished true; 00:40 for 1m0s, finished true", "0"},
	} {
		t.Run(c.says, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // its clock begins at midnight
				w := &cronWorld{lasts: c.lasts}
				ctx, cancel := contextOf(t, 45*time.Minute)
				defer cancel()
				cron := newCron(t, func(s *batchv1.CronJobSpec) {
					s.TimeZone = new("UTC")
					if c.spec != nil {
						c.spec(s)
					}
				}, time.Now())
				NewCronLoop(cron, CronRun{Run: w.run, Changed: w.changed}).Run(ctx)
				if got := strings.Join(w.log, "; "); got != c.log {
					t.Errorf("%s\nwant %s", got, c.log)
				}
				if w.names != c.jobs {
					t.Errorf("%s Jobs at the end, want %s", w.names, c.jobs)
				}
			})
		})
	}
}

func TestASuspendedCronLoopCatchesUpWithinItsDeadline(t *testing.T) {
	for deadline, want := range map[int64]string{
		0:    "00:10; 00:35; 00:40", // none: what was missed comes at once
		3600: "00:10; 00:35; 00:40",
		60:   "00:10; 00:40",
	} {
		synctest.Test(t, func(t *testing.T) { // its clock begins at midnight
			w := &cronWorld{lasts: time.Minute}
			ctx, cancel := contextOf(t, 45*time.Minute)
			defer cancel()
			loop := NewCronLoop(newCron(t, func(s *batchv1.CronJobSpec) {
				s.TimeZone = new("UTC")
				if deadline > 0 {
					s.StartingDeadlineSeconds = &deadline
				}
			}, time.Now()), CronRun{Run: w.run})
			time.AfterFunc(15*time.Minute, func() { loop.Suspend(true) })
			time.AfterFunc(35*time.Minute, func() { loop.Suspend(false) })
			loop.Run(ctx)
			var began []string
			for _, line := range w.log {
				at, _, _ := strings.Cut(line, " ")
				began = append(began, at)
			}
			if got := strings.Join(began, "; "); got != want {
				t.Errorf("deadline %d: Jobs began at %s, want %s", deadline, got, want)
			}
		})
	}
}
