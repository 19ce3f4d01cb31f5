package job

import (
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestWriteJobs(t *testing.T) {
	now := time.Now()
	ago := func(d time.Duration) metav1.Time { return metav1.NewTime(now.Add(-d)) }
	row := func(name string, spec func(*batchv1.JobSpec), status batchv1.JobStatus, kinds ...batchv1.JobConditionType) *batchv1.Job {
		j := manifest(spec)
		j.Name, j.CreationTimestamp, j.Status = name, ago(90*time.Second), status
		for _, kind := range kinds {
			setCondition(j, kind, corev1.ConditionTrue, "", "", now)
		}
		return j
	}
	wave := func(s *batchv1.JobSpec) { s.Completions = new(int32(8)) }
	queue := func(s *batchv1.JobSpec) { s.Parallelism = new(int32(3)) }
	deleted := row("gone", wave, batchv1.JobStatus{})
	deleted.DeletionTimestamp = new(ago(0))
	var b strings.Builder
	err := WriteJobs(&b, []*batchv1.Job{
		row("pi", wave, batchv1.JobStatus{Succeeded: 2, StartTime: new(ago(75 * time.Second))}),
		row("done", wave, batchv1.JobStatus{Succeeded: 8, StartTime: new(ago(75 * time.Second)), CompletionTime: new(ago(time.Minute))},
			batchv1.JobSuccessCriteriaMet, batchv1.JobComplete),
		row("failed", queue, batchv1.JobStatus{StartTime: new(ago(5 * time.Minute))}, batchv1.JobFailureTarget, batchv1.JobFailed),
		row("failing", queue, batchv1.JobStatus{}, batchv1.JobFailureTarget),
		row("held", nil, batchv1.JobStatus{}, batchv1.JobSuspended),
		deleted,
	}, now)
	want := strings.TrimLeft(`
NAME      STATUS          COMPLETIONS   DURATION   AGE
pi        Running         2/8           75s        90s
done      Complete        8/8           15s        90s
failed    Failed          0/1 of 3      5m         90s
failing   FailureTarget   0/1 of 3                 90s
held      Suspended       0/1                      90s
gone      Terminating     0/8                      90s
`, "\n")
	if got := b.String(); got != want || err != nil {
		t.Errorf("%v\n%s\nwant\n%s", err, got, want)
	}
}

func TestWritePods(t *testing.T) {
	now := time.Now()
	row := func(name string, s corev1.PodStatus) *corev1.Pod {
		return &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.NewTime(now.Add(-time.Hour))},
			Spec:       corev1.PodSpec{InitContainers: make([]corev1.Container, 2), Containers: make([]corev1.Container, 1)}, Status: s,
		}
	}
	crashed := corev1.PodStatus{Phase: corev1.PodRunning, ContainerStatuses: []corev1.ContainerStatus{{
		RestartCount:         3,
		State:                corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}},
		LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{FinishedAt: metav1.NewTime(now.Add(-7 * time.Second))}},
	}}}
	running := corev1.PodStatus{Phase: corev1.PodRunning, ContainerStatuses: []corev1.ContainerStatus{{
		Ready: true, State: corev1.ContainerState{Running: new(corev1.ContainerStateRunning)},
	}}}
	initial := corev1.PodStatus{Phase: corev1.PodPending, InitContainerStatuses: []corev1.ContainerStatus{
		{State: corev1.ContainerState{Terminated: new(corev1.ContainerStateTerminated)}},
		{State: corev1.ContainerState{Running: new(corev1.ContainerStateRunning)}},
	}}
	overdue := exit(137)
	overdue.Reason = "DeadlineExceeded"
	overdue.ContainerStatuses = nil
	ending := row("pi-5", running)
	ending.DeletionTimestamp = new(metav1.NewTime(now))
	var b strings.Builder
	err := WritePods(&b, []*corev1.Pod{
		row("pi-1", running), row("pi-2", exit(0)), row("pi-3", exit(2)), row("pi-4", crashed), ending,
		row("pi-6", initial), row("pi-7", overdue), row("pi-8", corev1.PodStatus{Phase: corev1.PodPending}),
	}, now)
	want := strings.TrimLeft(`
NAME   READY   STATUS             RESTARTS     AGE
pi-1   1/1     Running            0            60m
pi-2   0/1     Completed          0            60m
pi-3   0/1     Error              0            60m
pi-4   0/1     CrashLoopBackOff   3 (7s ago)   60m
pi-5   1/1     Terminating        0            60m
pi-6   0/1     Init:1/2           0            60m
pi-7   0/1     DeadlineExceeded   0            60m
pi-8   0/1     Pending            0            60m
`, "\n")
	if got := b.String(); got != want || err != nil {
		t.Errorf("%v\n%s\nwant\n%s", err, got, want)
	}
}
