package kube_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/coordinator/job"
)

// TestACronJobKeepsItsHistory has Jobs of a CronJob made by hand, as by "kubectl
// create job --from", then waits for the one that its schedule makes.
func TestACronJobKeepsItsHistory(t *testing.T) {
	t.Parallel()
	namespace, batch := kube.Namespace(t), kube.Client().BatchV1()
	var cron batchv1.CronJob
	decode(t, manifest(t, "cronjob", ""), &cron)
	made, err := batch.CronJobs(namespace).Create(t.Context(), &cron, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, exit := range []string{"0", "1", "0", "1", "0", "0", "1", "0"} { // five that succeed and three that do not
		j := &batchv1.Job{
			ObjectMeta: metav1.ObjectMeta{
				GenerateName:    "by-hand-" + exit + "-",
				OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(made, batchv1.SchemeGroupVersion.WithKind("CronJob"))},
			},
			Spec: *made.Spec.JobTemplate.Spec.DeepCopy(),
		}
		j.Spec.Template.Spec.Containers[0].Args = []string{"exit " + exit}
		if _, err := batch.Jobs(namespace).Create(t.Context(), j, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	kept := func(ctx context.Context) (by map[batchv1.JobConditionType]int, scheduled int, err error) {
		list, err := batch.Jobs(namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return nil, 0, err
		}
		by = map[batchv1.JobConditionType]int{}
		for _, j := range list.Items {
			end := job.Finished(&j)
			if end == nil {
				return nil, 0, fmt.Errorf("Job %s runs", j.Name)
			}
			by[end.Type]++
			if strings.HasPrefix(j.Name, cron.Name+"-") {
				scheduled++
			}
		}
		return by, scheduled, nil
	}
	want := map[batchv1.JobConditionType]int{batchv1.JobComplete: 3, batchv1.JobFailed: 1}
	await := func(most time.Duration, scheduledWanted int) {
		t.Helper()
		kube.Until(t, most, func(ctx context.Context) error {
			by, scheduled, err := kept(ctx)
			if err == nil && (by[batchv1.JobComplete] != 3 || by[batchv1.JobFailed] != 1 || scheduled < scheduledWanted) {
				err = fmt.Errorf("kept are %v, %d of them by its schedule; want %v and %d", by, scheduled, want, scheduledWanted)
			}
			return err
		})
	}
	await(soon, 0)
	await(2*soon, 1) // its schedule has it run each minute

	events, err := kube.Audit()
	if err != nil {
		t.Fatal(err)
	}
	var by []string
	for _, e := range events {
		if r := e.ObjectRef; e.Verb == "delete" && r != nil && r.Namespace == namespace && r.Resource == "jobs" {
			by = append(by, e.User.Username)
		}
	}
	slices.Sort(by)
	if by = slices.Compact(by); !slices.Equal(by, []string{"system:serviceaccount:kube-system:cronjob-controller"}) {
		t.Errorf("Jobs were deleted by %q", by)
	}
}
