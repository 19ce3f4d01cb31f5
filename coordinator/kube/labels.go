package kube

import (
	"fmt"
	"strconv"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"sluice.dev/manifests/workload"
)

// Labels and annotations of the Jobs, and of their pods.
const (
	labelQueue    = "sluice.dev/workqueue" // the WorkQueue's name
	labelWave     = "sluice.dev/wave"      // the Job's number
	labelTemplate = "sluice.dev/template"  // digest of what the Job was made of
	labelSchedule = "sluice.dev/schedule"  // the WorkQueue's name, on Jobs that make its batches
	noteSlots     = "sluice.dev/slots"     // items that a worker has at once
	noteWorker    = "sluice.dev/container" // the container that is the worker
)

// jobName is the name of the Job that is a WorkQueue's wave: 52 letters, '-' and
// up to ten digits at the most, which is what a Job's name may have.
func jobName(w *workload.WorkQueue, wave int64) string { return fmt.Sprintf("%s-%d", w.Name, wave) }

// waveOf is the number of a Job, 0 if it has none.
func waveOf(j *batchv1.Job) int64 {
	n, _ := strconv.ParseInt(j.Labels[labelWave], 10, 64)
	return n
}

// workerID is the id that a pod's worker is given.
func workerID(p *corev1.Pod) string { return p.Name + "." + string(p.UID) }

// workerOf is the id by which the store knows the worker in a wave's pod: "sluice
// work" adds the number of the queue.
func workerOf(p *corev1.Pod) string { return workerID(p) + "-1" }

// slotsOf is how many items a worker of the Job has at once.
func slotsOf(j *batchv1.Job) int {
	n, err := strconv.Atoi(j.Annotations[noteSlots])
	if err != nil || n < 1 {
		return 1
	}
	return n
}
