package kube

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"strconv"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/manifests/workload"
)

// drained is the exit code of a worker that was told to stop and left work
// undone: another takes its place.
const drained = 75

// keptFor is how long a Job that has ended can be looked at.
const keptFor = 300

// shape is what all waves of a WorkQueue's present template have in common.
type shape struct {
	template  corev1.PodTemplateSpec
	container string // that is the worker
	slots     int
	digest    string
}

// newShape is the shape of a WorkQueue's workers; image has the sluice program.
func newShape(w *workload.WorkQueue, image string) (shape, error) {
	t, container, slots, err := worker(w, image)
	if err != nil {
		return shape{}, err
	}
	text, err := json.Marshal(t)
	if err != nil {
		return shape{}, fmt.Errorf("spec.jobTemplate: %w", err)
	}
	return shape{template: t, container: container, slots: slots, digest: digestOf(text)}, nil
}

func digestOf(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

// wave is the Job of n workers with this number. A worker that fails, or loses
// its node, is replaced as long as the Job lives: items are what is given up,
// never workers.
func (s shape) wave(w *workload.WorkQueue, number int64, n int) *batchv1.Job {
	mark := map[string]string{labelQueue: w.Name, labelWave: strconv.FormatInt(number, 10), labelTemplate: s.digest}
	notes := map[string]string{noteSlots: strconv.Itoa(s.slots), noteWorker: s.container}
	count := new(int32(min(n, math.MaxInt32)))
	j := &batchv1.Job{
		TypeMeta: metav1.TypeMeta{APIVersion: "batch/v1", Kind: "Job"},
		ObjectMeta: metav1.ObjectMeta{
			Name: jobName(w, number), Namespace: w.Namespace,
			Labels:      with(w.Spec.JobTemplate.Labels, mark),
			Annotations: with(w.Spec.JobTemplate.Annotations, notes),
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: workload.APIVersion, Kind: "WorkQueue", Name: w.Name, UID: w.UID, Controller: new(true),
			}},
		},
		Spec: batchv1.JobSpec{
			Completions: count, Parallelism: count,
			BackoffLimit:         new(int32(math.MaxInt32)),
			PodReplacementPolicy: new(batchv1.Failed),
			PodFailurePolicy: &batchv1.PodFailurePolicy{Rules: []batchv1.PodFailurePolicyRule{
				{Action: batchv1.PodFailurePolicyActionIgnore, OnPodConditions: []batchv1.PodFailurePolicyOnPodConditionsPattern{
					{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue}}},
				{Action: batchv1.PodFailurePolicyActionIgnore, OnExitCodes: &batchv1.PodFailurePolicyOnExitCodesRequirement{
					ContainerName: &s.container, Operator: batchv1.PodFailurePolicyOnExitCodesOpIn, Values: []int32{drained}}},
			}},
			TTLSecondsAfterFinished: w.Spec.JobTemplate.Spec.TTLSecondsAfterFinished,
			Template:                *s.template.DeepCopy(),
		},
	}
	if j.Spec.TTLSecondsAfterFinished == nil {
		j.Spec.TTLSecondsAfterFinished = new(int32(keptFor))
	}
	j.Spec.Template.Labels = with(j.Spec.Template.Labels, mark)
	j.Spec.Template.Annotations = with(j.Spec.Template.Annotations, notes)
	return j
}

// with is a map with what another adds.
func with(m, more map[string]string) map[string]string {
	all := maps.Clone(m)
	if all == nil {
		all = make(map[string]string, len(more))
	}
	maps.Copy(all, more)
	return all
}
