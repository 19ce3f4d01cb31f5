package coordinator_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// never is a schedule that is due on no day on which this test runs.
const never = "0 0 29 2 *"

// fire makes a Job of a CronJob's template, as "kubectl create job --from" does.
func (p *place) fire(cron, name string) {
	p.Helper()
	var c *batchv1.CronJob
	until(p.T, soon, func(ctx context.Context) (err error) {
		c, err = kube.Client().BatchV1().CronJobs(p.namespace).Get(ctx, cron, metav1.GetOptions{})
		return err
	})
	j := &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Annotations: map[string]string{"cronjob.kubernetes.io/instantiate": "manual"}, Labels: maps.Clone(c.Spec.JobTemplate.Labels),
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(c, batchv1.SchemeGroupVersion.WithKind("CronJob"))},
		},
		Spec: c.Spec.JobTemplate.Spec,
	}
	if _, err := kube.Client().BatchV1().Jobs(p.namespace).Create(p.Context(), j, metav1.CreateOptions{}); err != nil {
		p.Fatal(err)
	}
}

// became waits until a Job has ended so.
func (p *place) became(name string, want batchv1.JobConditionType) {
	p.Helper()
	until(p.T, soon, func(ctx context.Context) error {
		j, err := kube.Client().BatchV1().Jobs(p.namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, c := range j.Status.Conditions {
			if c.Type == want && c.Status == "True" {
				return nil
			}
		}
		return fmt.Errorf("Job %s is not %s: %+v", name, want, j.Status)
	})
}

// runs checks that a Job has not ended.
func (p *place) runs(name string) {
	p.Helper()
	j, err := kube.Client().BatchV1().Jobs(p.namespace).Get(p.Context(), name, metav1.GetOptions{})
	if err != nil {
		p.Fatal(err)
	}
	if j.Status.CompletionTime != nil || j.Status.Active != 1 {
		p.Errorf("Job %s does not run while its batch does: %+v", name, j.Status)
	}
}

// Every firing has the same items, and they are done each time: one by hand, one
// by the clock.
func TestEveryFiringIsABatchOfItsOwn(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.coordinate()
	p.queue("film", `  source: {list: [a, b, '$(SLUICE_JOB_NAME)']}
  schedule: {schedule: '* * * * *', timeZone: Etc/UTC, concurrencyPolicy: Forbid, startingDeadlineSeconds: 30}`, "true")
	p.condition("film", "Scheduled", "True", "Scheduled", soon)
	p.fire("film", "by-hand")
	p.became("by-hand", batchv1.JobComplete)
	p.ended(6, soon)
	times := make(map[string]int)
	for _, l := range p.lines("end") {
		times[l[0]]++
	}
	for _, item := range []string{"a", "b", "$(SLUICE_JOB_NAME)"} {
		if times[item] < 2 {
			t.Errorf("item %s was done %d times, want 2: %v", item, times[item], times)
		}
	}
	c, err := kube.Client().BatchV1().CronJobs(p.namespace).Get(t.Context(), "film", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if s := c.Spec; *s.TimeZone != "Etc/UTC" || s.ConcurrencyPolicy != batchv1.ForbidConcurrent || *s.StartingDeadlineSeconds != 30 ||
		*s.SuccessfulJobsHistoryLimit != 3 || *s.FailedJobsHistoryLimit != 1 || *s.Suspend {
		t.Errorf("CronJob's spec %+v", s)
	}
	p.patch("film", `{"spec":{"schedule":{"suspend":true}}}`)
	p.condition("film", "Scheduled", "True", "Suspended", soon)
	p.patch("film", `{"spec":{"schedule":{"timeZone":"Mars/Olympus"}}}`)
	p.condition("film", "Accepted", "False", "Invalid", soon)
	p.patch("film", `{"spec":{"schedule":null,"source":null}}`)
	until(t, soon, func(ctx context.Context) error {
		_, err := kube.Client().BatchV1().CronJobs(p.namespace).Get(ctx, "film", metav1.GetOptions{})
		if !apierrors.IsNotFound(err) {
			return errors.Join(errors.New("CronJob film is there"), err)
		}
		return nil
	})
}

// A Job runs as long as its batch, and the next one with Replace ends that batch.
func TestAJobIsItsBatch(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.coordinate()
	p.queue("film", "  source: {list: [a]}\n  itemPolicy: {backoffLimit: 0}\n  schedule: {schedule: "+never+", concurrencyPolicy: Replace}",
		`case $(grep -c begin `+p.book+`) in 1) sleep 600;; 2) false;; esac`)
	p.fire("film", "film-10000001") // named as by the clock
	until(t, soon, func(context.Context) error {
		if len(p.lines("begin")) == 0 {
			return fmt.Errorf("nothing has begun")
		}
		return nil
	})
	p.runs("film-10000001")
	p.fire("film", "film-10000002")
	p.became("film-10000001", batchv1.JobFailed) // cancelled
	p.became("film-10000002", batchv1.JobFailed) // its item is dead
	p.fire("film", "film-10000003")
	p.became("film-10000003", batchv1.JobComplete)
	if got := len(p.lines("end")); got != 1 {
		t.Errorf("%d items ended well, want 1", got)
	}
}

// Files are read in the worker's container, each time anew, and what they become
// is written again.
func TestAScheduleOfFiles(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.coordinate()
	dir := t.TempDir()
	list := filepath.Join(dir, "list")
	p.queue("film", "  source: {files: ["+list+"]}\n  itemPolicy: {output: '"+dir+"/{}.out', existing: replace}\n  schedule: {schedule: "+never+"}",
		`echo $0 > {out}`)
	for i, lines := range []string{"a\nb\n", "b\nc\n"} {
		if err := os.WriteFile(list, []byte(lines), 0o666); err != nil {
			t.Fatal(err)
		}
		name := fmt.Sprintf("film-1000000%d", i)
		p.fire("film", name)
		p.became(name, batchv1.JobComplete)
	}
	if got := len(p.lines("end")); got != 4 {
		t.Errorf("%d items ended, want 4", got)
	}
	for _, item := range []string{"a", "b", "c"} {
		if text, err := os.ReadFile(filepath.Join(dir, item+".out")); string(text) != item+"\n" {
			t.Errorf("output of %s is %q, %v", item, text, err)
		}
	}
}
