package kube

import (
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"sluice.dev/manifests/workload"
	"sluice.dev/queue"
)

const nightly = `
  source: {list: [a, '$(SLUICE_JOB_NAME) $$']}
  schedule: {schedule: '0 3 * * *', timeZone: Europe/Berlin}`

func (w *world) cron() (*batchv1.CronJob, error) {
	c := &batchv1.CronJob{}
	return c, w.Get(w.t.Context(), client.ObjectKey{Namespace: "renders", Name: "film"}, c)
}

func TestAScheduleIsACronJob(t *testing.T) {
	w := newWorld(t, film(t, nightly))
	wantCondition(t, w.look("film"), Scheduled, metav1.ConditionTrue, "Scheduled")
	if len(w.q.opened) > 0 {
		t.Errorf("a batch was made at once: %+v", w.q.opened)
	}
	made, err := w.cron()
	if err != nil {
		t.Fatal(err)
	}
	if s := made.Spec; s.Schedule != "0 3 * * *" || *s.TimeZone != "Europe/Berlin" || s.ConcurrencyPolicy != batchv1.AllowConcurrent ||
		*s.SuccessfulJobsHistoryLimit != 3 || *s.FailedJobsHistoryLimit != 1 || s.StartingDeadlineSeconds != nil {
		t.Errorf("spec %+v", s)
	}
	w.look("film")
	if now, _ := w.cron(); now.ResourceVersion != made.ResourceVersion {
		t.Error("it was written again though nothing is new")
	}
	made.Spec.Suspend = new(true) // by somebody
	if err := w.Update(t.Context(), made); err != nil {
		t.Fatal(err)
	}
	q := w.look("film")
	if now, _ := w.cron(); *now.Spec.Suspend {
		t.Error("what somebody else changed was not put right")
	}
	q.Spec.Schedule.TimeZone, q.Spec.Schedule.Suspend = nil, new(true)
	if err := w.Update(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	wantCondition(t, w.look("film"), Scheduled, metav1.ConditionTrue, "Suspended")
	if now, _ := w.cron(); now.Spec.TimeZone != nil || !*now.Spec.Suspend {
		t.Errorf("spec %+v", now.Spec)
	}
	q = w.look("film")
	q.Spec.Schedule, q.Spec.Source = nil, nil
	if err := w.Update(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	if q := w.look("film"); conditionOf(q, Scheduled).Type != "" {
		t.Errorf("condition %+v", conditionOf(q, Scheduled))
	}
	if _, err := w.cron(); !apierrors.IsNotFound(err) {
		t.Errorf("the CronJob is there still: %v", err)
	}
}

func TestACronJobOfAnotherIsLeftAlone(t *testing.T) {
	other := &batchv1.CronJob{ObjectMeta: metav1.ObjectMeta{Namespace: "renders", Name: "film"}, Spec: batchv1.CronJobSpec{Schedule: "@daily"}}
	w := newWorld(t, film(t, nightly), other)
	wantCondition(t, w.look("film"), Scheduled, metav1.ConditionFalse, "NameTaken")
	if c, err := w.cron(); err != nil || c.Spec.Schedule != "@daily" {
		t.Errorf("it is %+v, %v", c.Spec, err)
	}
}

// What a pod is told is what the WorkQueue says, whatever Kubernetes replaces in
// a variable.
func TestAFiringKnowsItsWorkQueue(t *testing.T) {
	q := film(t, nightly+"\n  queue: films")
	c, err := cronJob(q, "sluice")
	if err != nil {
		t.Fatal(err)
	}
	pod := c.Spec.JobTemplate.Spec.Template.Spec
	env := map[string]string{}
	for _, e := range pod.Containers[0].Env {
		env[e.Name] = e.Value
	}
	if strings.Contains(env[firingQueue], "$") {
		t.Errorf("a pod's variable would have this replaced: %s", env[firingQueue])
	}
	env[firingJob], env[firingUID] = "film-29334560", "0123abcd-4567"
	f, err := ReadFiring(func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	w := f.WorkQueue
	if f.Batch != "film-29334560-0123abcd" || w.QueueName() != "films" || w.Spec.Source.List[1] != "$(SLUICE_JOB_NAME) $$" || w.Name != "film" {
		t.Errorf("firing %+v of %+v", f, w)
	}
	var before []string
	for _, b := range f.Before([]queue.BatchInfo{{Name: "film-29334500-89abcdef"}, {Name: f.Batch}, {Name: "film-89abcdef"}, {Name: "film-monday"}, {Name: "other-29334500-89abcdef"}}) {
		before = append(before, b.Name)
	}
	if strings.Join(before, " ") != "film-29334500-89abcdef" {
		t.Errorf("the batches before are %v", before)
	}
	delete(env, firingJob)
	if _, err := ReadFiring(func(name string) string { return env[name] }); err == nil {
		t.Error("a firing without a Job's name was read")
	}
}

// Files are read where workers see them.
func TestAFiringOfFilesIsInTheWorkersContainer(t *testing.T) {
	const schedule = "\n  source: {files: [in/list]}\n  schedule: {schedule: '@daily'}"
	q := film(t, schedule)
	c := &q.Spec.JobTemplate.Spec.Template.Spec.Containers[0]
	c.WorkingDir, c.VolumeMounts = "/films", []corev1.VolumeMount{{Name: "films", MountPath: "/films"}}
	pod, err := firingPod(q, "sluice")
	if err != nil {
		t.Fatal(err)
	}
	got := pod.Containers[0]
	if got.Image != "blender" || got.WorkingDir != "/films" || got.VolumeMounts[0].Name != "films" || strings.Join(got.Command, " ") != tool+" "+FireVerb || len(got.Args) > 0 {
		t.Errorf("container %+v", got)
	}
	c.Command, c.Args = []string{"/bin/sluice", "work", "film"}, nil
	if pod, err = firingPod(q, "sluice"); err != nil {
		t.Fatal(err)
	}
	if got = pod.Containers[0]; got.Command[0] != "/bin/sluice" || strings.Join(got.Args, " ") != FireVerb {
		t.Errorf("container %+v", got)
	}
}

func TestWhatCannotBeScheduled(t *testing.T) {
	for want, change := range map[string]func(*workload.WorkQueueSpec){
		"spec.schedule.timeZone: unknown zone":              func(s *workload.WorkQueueSpec) { s.Schedule.TimeZone = new("Mars/Olympus") },
		`spec.schedule.schedule: "0 0 31 2 *" is never due`: func(s *workload.WorkQueueSpec) { s.Schedule.Schedule = "0 0 31 2 *" },
		"spec.source: 12": func(s *workload.WorkQueueSpec) { s.Source.List[0] = strings.Repeat("x", maxFiring) },
		"spec.schedule: it is about the items of spec.source": func(s *workload.WorkQueueSpec) { s.Source = nil },
		"spec.itemPolicy.existing: fail would refuse": func(s *workload.WorkQueueSpec) {
			s.ItemPolicy.Output, s.JobTemplate.Spec.Template.Spec.Containers[0].Args = "/films/{}.png", []string{"{out}"}
		},
	} {
		q := film(t, nightly)
		if faults := faultsOf(q); len(faults) > 0 {
			t.Fatalf("a good schedule has faults: %q", faults)
		}
		change(&q.Spec)
		if got := strings.Join(faultsOf(q), "; "); !strings.HasPrefix(got, want) {
			t.Errorf("faults %q, want %q", got, want)
		}
	}
}
