package job

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"
)

// WriteJobs writes what kubectl get jobs shows.
func WriteJobs(w io.Writer, jobs []*batchv1.Job, now time.Time) error {
	t := newTable(w, "NAME", "STATUS", "COMPLETIONS", "DURATION", "AGE")
	for _, j := range jobs {
		t.row(j.Name, jobStatus(j), completionsOf(j), durationOf(j, now), age(j.CreationTimestamp, now))
	}
	return t.Flush()
}

// WritePods writes what kubectl get pods shows.
func WritePods(w io.Writer, pods []*corev1.Pod, now time.Time) error {
	t := newTable(w, "NAME", "READY", "STATUS", "RESTARTS", "AGE")
	for _, p := range pods {
		ready := 0
		for _, s := range p.Status.ContainerStatuses {
			if s.Ready {
				ready++
			}
		}
		t.row(p.Name, fmt.Sprintf("%d/%d", ready, len(p.Spec.Containers)), podStatus(p), restartsText(p, now), age(p.CreationTimestamp, now))
	}
	return t.Flush()
}

// jobStatus is the first of its conditions that counts.
func jobStatus(j *batchv1.Job) string {
	for _, kind := range []batchv1.JobConditionType{batchv1.JobComplete, batchv1.JobFailed} {
		if Condition(j, kind) != nil {
			return string(kind)
		}
	}
	if j.DeletionTimestamp != nil {
		return "Terminating"
	}
	for _, kind := range []batchv1.JobConditionType{batchv1.JobSuspended, batchv1.JobFailureTarget, batchv1.JobSuccessCriteriaMet} {
		if Condition(j, kind) != nil {
			return string(kind)
		}
	}
	return "Running"
}

func completionsOf(j *batchv1.Job) string {
	switch parallelism := j.Spec.Parallelism; {
	case j.Spec.Completions != nil:
		return fmt.Sprintf("%d/%d", j.Status.Succeeded, *j.Spec.Completions)
	case parallelism != nil && *parallelism > 1:
		return fmt.Sprintf("%d/1 of %d", j.Status.Succeeded, *parallelism)
	}
	return fmt.Sprintf("%d/1", j.Status.Succeeded)
}

// durationOf goes on for a Job that has failed, as kubectl shows it.
func durationOf(j *batchv1.Job, now time.Time) string {
	start, end := j.Status.StartTime, j.Status.CompletionTime
	switch {
	case start == nil:
		return ""
	case end == nil:
		return duration.HumanDuration(now.Sub(start.Time))
	}
	return duration.HumanDuration(end.Sub(start.Time))
}

// podStatus is a word for how a pod is: that of a container that waits or has
// ended, the first one's before the others'.
func podStatus(p *corev1.Pod) string {
	if p.DeletionTimestamp != nil && !ended(p.Status.Phase) {
		return "Terminating"
	}
	for i, s := range p.Status.InitContainerStatuses {
		switch w, t := s.State.Waiting, s.State.Terminated; {
		case t != nil && t.ExitCode == 0:
			continue
		case t != nil:
			return "Init:" + t.Reason
		case w != nil && w.Reason != "PodInitializing":
			return "Init:" + w.Reason
		}
		return fmt.Sprintf("Init:%d/%d", i, len(p.Spec.InitContainers))
	}
	word, failure := string(p.Status.Phase), ""
	if p.Status.Reason != "" {
		word = p.Status.Reason
	}
	running := false
	for _, s := range slices.Backward(p.Status.ContainerStatuses) {
		switch {
		case s.State.Waiting != nil:
			word = s.State.Waiting.Reason
		case s.State.Terminated != nil:
			word = s.State.Terminated.Reason
			if s.State.Terminated.ExitCode != 0 {
				failure = word
			}
		case s.Ready:
			running = true
		}
	}
	switch {
	case word == "Completed" && running && podReady(p):
		return "Running"
	case word == "Completed" && failure != "":
		return failure
	case word == "Completed" && running:
		return "NotReady"
	}
	return word
}

// restartsText has the time since the last restart too.
func restartsText(p *corev1.Pod, now time.Time) string {
	n := restartsOf(p)
	var last metav1.Time
	for _, list := range [][]corev1.ContainerStatus{p.Status.InitContainerStatuses, p.Status.ContainerStatuses} {
		for _, s := range list {
			if t := s.LastTerminationState.Terminated; t != nil && last.Before(&t.FinishedAt) {
				last = t.FinishedAt
			}
		}
	}
	if n == 0 || last.IsZero() {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%d (%s ago)", n, duration.HumanDuration(now.Sub(last.Time)))
}

func age(created metav1.Time, now time.Time) string {
	if created.IsZero() {
		return "<unknown>"
	}
	return duration.HumanDuration(now.Sub(created.Time))
}

// table has kubectl's columns: as wide as they must be, three spaces apart.
type table struct{ *tabwriter.Writer }

func newTable(w io.Writer, headings ...any) table {
	t := table{tabwriter.NewWriter(w, 6, 4, 3, ' ', 0)}
	t.row(headings...)
	return t
}

func (t table) row(cells ...any) {
	for i, cell := range cells {
		if i > 0 {
			fmt.Fprint(t, "\t")
		}
		fmt.Fprint(t, cell)
	}
	fmt.Fprintln(t)
}
