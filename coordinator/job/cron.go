package job

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// tooManyMissed start times are more than this: reported, since a clock or a
// schedule may be wrong.
const tooManyMissed = 100

// Cron decides for one CronJob. Like Controller it is pure and not safe for
// concurrent use, and a decision counts as carried out.
type Cron struct {
	cj       *batchv1.CronJob
	schedule cron.Schedule
	zone     *time.Location
}

// CronActions are what a Sync has decided.
type CronActions struct {
	Start  *batchv1.Job // or nil; there is one for a start time, the latest
	Delete []string     // Jobs to end and forget
	Events []Event
	Next   time.Time // when to call Sync again though nothing happens; zero: never
}

// Event says why something was or was not done, in Kubernetes' words.
type Event struct{ Reason, Message string }

// NewCron checks a CronJob, its template too, and begins it: start times before
// now are none of its own, and no status is. The caller's stays as it is. An
// error names all that is wrong, in one line.
func NewCron(cj *batchv1.CronJob, now time.Time) (*Cron, error) {
	c := &Cron{cj: cj.DeepCopy(), zone: time.Local}
	c.setDefaults(now)
	// Eleven characters are for what a Job's name has more.
	errs := validateName(c.cj.Name, validation.DNS1035LabelMaxLength-11)
	at, s := field.NewPath("spec"), &c.cj.Spec
	if s.TimeZone != nil {
		zone, err := time.LoadLocation(*s.TimeZone)
		if err != nil || *s.TimeZone == "" || strings.EqualFold(*s.TimeZone, "local") {
			errs = append(errs, field.Invalid(at.Child("timeZone"), *s.TimeZone, "must be a time zone's name, such as Europe/Berlin"))
		} else {
			c.zone = zone
		}
	}
	if err := c.parse(); err != nil {
		errs = append(errs, field.Invalid(at.Child("schedule"), s.Schedule, err.Error()))
	}
	errs = append(errs, oneOf(at.Child("concurrencyPolicy"), s.ConcurrencyPolicy,
		batchv1.AllowConcurrent, batchv1.ForbidConcurrent, batchv1.ReplaceConcurrent)...)
	if v := s.StartingDeadlineSeconds; v != nil {
		errs = append(errs, seconds(at.Child("startingDeadlineSeconds"), *v)...)
	}
	errs = append(errs, atLeastZero(at.Child("successfulJobsHistoryLimit"), int64(*s.SuccessfulJobsHistoryLimit))...)
	errs = append(errs, atLeastZero(at.Child("failedJobsHistoryLimit"), int64(*s.FailedJobsHistoryLimit))...)
	j := &batchv1.Job{Spec: *s.JobTemplate.Spec.DeepCopy()}
	setDefaults(j, now)
	errs = append(errs, validateSpec(&j.Spec, at.Child("jobTemplate", "spec"))...)
	if err := errs.ToAggregate(); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *Cron) setDefaults(now time.Time) {
	if c.cj.Namespace == "" {
		c.cj.Namespace = metav1.NamespaceDefault
	}
	if c.cj.UID == "" {
		c.cj.UID = newUID()
	}
	c.cj.CreationTimestamp, c.cj.DeletionTimestamp, c.cj.Status = metav1.NewTime(now), nil, batchv1.CronJobStatus{}
	s := &c.cj.Spec
	if s.ConcurrencyPolicy == "" {
		s.ConcurrencyPolicy = batchv1.AllowConcurrent
	}
	setDefault(&s.Suspend, false)
	setDefault(&s.SuccessfulJobsHistoryLimit, 3)
	setDefault(&s.FailedJobsHistoryLimit, 1)
}

func (c *Cron) parse() error {
	text := c.cj.Spec.Schedule
	if strings.Contains(text, "TZ") {
		return fmt.Errorf("must hold no TZ: state spec.timeZone")
	}
	schedule, err := cron.ParseStandard(text)
	if err != nil {
		return fmt.Errorf("must be five fields, such as 0 3 * * 1-5, or @hourly: %w", err)
	}
	c.schedule = schedule
	if c.after(c.cj.CreationTimestamp.Time).IsZero() {
		return fmt.Errorf("must name a day that there is")
	}
	return nil
}

// after is the first start time after t. It is zero when there is none.
func (c *Cron) after(t time.Time) time.Time { return c.schedule.Next(t.In(c.zone)) }

// CronJob is the CronJob with its status as of the last Sync.
func (c *Cron) CronJob() *batchv1.CronJob { return c.cj.DeepCopy() }

// Suspend holds back further Jobs; those that run go on.
func (c *Cron) Suspend(on bool) { c.cj.Spec.Suspend = &on }

// Sync decides what to do now, given the CronJob's Jobs that exist.
func (c *Cron) Sync(now time.Time, jobs []*batchv1.Job) CronActions {
	var a CronActions
	active := c.track(jobs)
	a.Delete = c.outdated(jobs)
	s := &c.cj.Spec
	if *s.Suspend {
		return a
	}
	at, missed := c.due(now)
	a.Next = c.after(now)
	switch {
	case at.IsZero():
	case s.ConcurrencyPolicy == batchv1.ForbidConcurrent && len(active) > 0:
		a.note("JobAlreadyActive", "Not starting job because prior execution is running and concurrency policy is Forbid")
	case slices.ContainsFunc(jobs, func(j *batchv1.Job) bool { return j.Name == c.jobName(at) }):
		c.cj.Status.LastScheduleTime = new(metav1.NewTime(at)) // a schedule of seconds has one Job a minute
	default:
		if missed > tooManyMissed {
			a.note("TooManyMissedTimes", "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew")
		}
		if s.ConcurrencyPolicy == batchv1.ReplaceConcurrent {
			a.Delete = append(a.Delete, active...)
			c.cj.Status.Active = nil
		}
		a.Start = c.newJob(at, now)
		a.note("SuccessfulCreate", "Created job %s", a.Start.Name)
		c.cj.Status.LastScheduleTime = new(metav1.NewTime(at))
		c.refer(a.Start)
	}
	return a
}

func (a *CronActions) note(reason, format string, args ...any) {
	a.Events = append(a.Events, Event{reason, fmt.Sprintf(format, args...)})
}

// due is the latest start time that has come since the last one that was used
// and is within startingDeadlineSeconds, zero if there is none. missed is how
// many there were; of more than are too many it only says that.
func (c *Cron) due(now time.Time) (at time.Time, missed int) {
	from := c.cj.CreationTimestamp.Time
	if last := c.cj.Status.LastScheduleTime; last != nil {
		from = last.Time
	}
	if v := c.cj.Spec.StartingDeadlineSeconds; v != nil {
		if earliest := now.Add(-time.Duration(*v) * time.Second); earliest.After(from) {
			from = earliest
		}
	}
	// From too many on it goes half the way to now at a step, where it can, so
	// that years of minutes cost little.
	for t := c.after(from); !t.IsZero() && !t.After(now); t = c.after(t) {
		at = t
		missed++
		if missed <= tooManyMissed {
			continue
		}
		if half := t.Add(now.Sub(t) / 2); half.After(t) {
			if later := c.after(half); !later.IsZero() && !later.After(now) {
				t, at = later, later
			}
		}
	}
	return at, missed
}

// track brings the status up to date, and returns the names of the Jobs that
// have not finished.
func (c *Cron) track(jobs []*batchv1.Job) (active []string) {
	s := &c.cj.Status
	s.Active = nil
	for _, j := range jobs {
		if Finished(j) == nil {
			active = append(active, j.Name)
			c.refer(j)
			continue
		}
		if end := j.Status.CompletionTime; end != nil && (s.LastSuccessfulTime == nil || s.LastSuccessfulTime.Before(end)) {
			s.LastSuccessfulTime = end.DeepCopy()
		}
	}
	return active
}

// refer puts a Job among those that the status calls active.
func (c *Cron) refer(j *batchv1.Job) {
	c.cj.Status.Active = append(c.cj.Status.Active, corev1.ObjectReference{
		APIVersion: batchv1.SchemeGroupVersion.String(), Kind: "Job",
		Namespace: j.Namespace, Name: j.Name, UID: j.UID,
	})
}

// outdated are the names of the Jobs that the history limits leave out, oldest
// first.
func (c *Cron) outdated(jobs []*batchv1.Job) (names []string) {
	jobs = slices.SortedStableFunc(slices.Values(jobs), func(a, b *batchv1.Job) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
	})
	kept := map[batchv1.JobConditionType]int32{
		batchv1.JobComplete: *c.cj.Spec.SuccessfulJobsHistoryLimit,
		batchv1.JobFailed:   *c.cj.Spec.FailedJobsHistoryLimit,
	}
	for _, j := range slices.Backward(jobs) {
		end := Finished(j)
		if end == nil {
			continue
		}
		if kept[end.Type] == 0 {
			names = append(names, j.Name)
			continue
		}
		kept[end.Type]--
	}
	slices.Reverse(names)
	return names
}

// jobName has the minute of the start time.
func (c *Cron) jobName(at time.Time) string {
	return fmt.Sprintf("%s-%d", c.cj.Name, at.Unix()/60)
}

// newJob is the Job for a start time. Its name is the same for whoever makes it.
func (c *Cron) newJob(at, now time.Time) *batchv1.Job {
	t := c.cj.Spec.JobTemplate.DeepCopy()
	j := &batchv1.Job{
		TypeMeta: metav1.TypeMeta{APIVersion: batchv1.SchemeGroupVersion.String(), Kind: "Job"},
		ObjectMeta: metav1.ObjectMeta{
			Name:              c.jobName(at),
			Namespace:         c.cj.Namespace,
			UID:               newUID(),
			Labels:            maps.Clone(t.Labels),
			Annotations:       with(t.Annotations, batchv1.CronJobScheduledTimestampAnnotation, at.In(c.zone).Format(time.RFC3339)),
			CreationTimestamp: metav1.NewTime(now),
			OwnerReferences:   []metav1.OwnerReference{*metav1.NewControllerRef(c.cj, batchv1.SchemeGroupVersion.WithKind("CronJob"))},
		},
		Spec: t.Spec,
	}
	return j
}
