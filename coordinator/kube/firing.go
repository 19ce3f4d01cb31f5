package kube

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"sluice.dev/manifests/workload"
	"sluice.dev/queue"
)

// FireVerb is the verb of the sluice program that the pods of a schedule's Jobs
// run.
const FireVerb = "__fire"

// What such a pod is told in its environment.
const (
	firingQueue = "SLUICE_WORKQUEUE" // the WorkQueue, as JSON
	firingJob   = "SLUICE_JOB_NAME"
	firingUID   = "SLUICE_JOB_UID"
)

// maxFiring is how long a WorkQueue may be as one of a process's variables, of
// which Linux takes 128 KiB.
const maxFiring = 120 << 10

// Firing is one batch of a schedule, made and followed by a Job of its own.
type Firing struct {
	WorkQueue *workload.WorkQueue // the parts of it that its items are made of
	Batch     string              // of which there never was another
}

// ReadFiring reads what a schedule's pod was told.
func ReadFiring(getenv func(string) string) (Firing, error) {
	name, uid := getenv(firingJob), getenv(firingUID)
	w := &workload.WorkQueue{}
	if err := json.Unmarshal([]byte(getenv(firingQueue)), w); err != nil {
		return Firing{}, fmt.Errorf("$%s: %w", firingQueue, err)
	}
	if w.Spec.Source == nil || w.Spec.Schedule == nil || len(w.Spec.JobTemplate.Spec.Template.Spec.Containers) == 0 {
		return Firing{}, fmt.Errorf("$%s: it has no source, no schedule or no container", firingQueue)
	}
	if name == "" || uid == "" {
		return Firing{}, fmt.Errorf("$%s and $%s are needed: the name and uid of the Job", firingJob, firingUID)
	}
	return Firing{WorkQueue: w, Batch: name + "-" + uid[:min(8, len(uid))]}, nil
}

// Replaces tells whether it ends the batches before it.
func (f Firing) Replaces() bool {
	return f.WorkQueue.Spec.Schedule.ConcurrencyPolicy == batchv1.ReplaceConcurrent
}

// Before are the batches that the schedule made before this one. What a person
// made with another Job of the CronJob's template is not among them.
func (f Firing) Before(all []queue.BatchInfo) (before []queue.BatchInfo) {
	ours := regexp.MustCompile("^" + regexp.QuoteMeta(f.WorkQueue.Name) + "-[0-9]+-[0-9a-f]{8}$")
	for _, b := range all {
		if b.Name != f.Batch && ours.MatchString(b.Name) {
			before = append(before, b)
		}
	}
	return before
}

// firingPod makes and follows a batch. A source of files is read where workers
// see them: in their container, with their volumes.
func firingPod(w *workload.WorkQueue, image string) (corev1.PodSpec, error) {
	text, err := firingText(w)
	if err != nil {
		return corev1.PodSpec{}, err
	}
	template := &w.Spec.JobTemplate.Spec.Template.Spec
	small := installer(image)
	c := corev1.Container{Name: "batch", Image: image, Args: []string{FireVerb}, SecurityContext: small.SecurityContext}
	pod := corev1.PodSpec{
		Tolerations: template.Tolerations, ImagePullSecrets: template.ImagePullSecrets,
		AutomountServiceAccountToken: new(false),
	}
	if w.Spec.Source.OfFiles() {
		t, _, _, err := worker(w, image)
		if err != nil {
			return corev1.PodSpec{}, err
		}
		pod = t.Spec
		c = pod.Containers[0]
		c.LivenessProbe, c.ReadinessProbe, c.StartupProbe, c.Lifecycle = nil, nil, nil, nil
		c.Command, c.Args = firingCommand(&template.Containers[0])
	}
	pod.RestartPolicy = corev1.RestartPolicyNever
	c.Resources = corev1.ResourceRequirements{Requests: small.Resources.Requests, // it is no worker
		Limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("512Mi")}}
	label := func(name, label string) corev1.EnvVar {
		return corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{
			FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: "metadata.labels['" + label + "']"}}}
	}
	c.Env = append([]corev1.EnvVar{
		storeVar(w), {Name: firingQueue, Value: text},
		label(firingJob, "batch.kubernetes.io/job-name"), label(firingUID, "batch.kubernetes.io/controller-uid"),
	}, slices.DeleteFunc(c.Env, func(e corev1.EnvVar) bool { return e.Name == storeEnv })...)
	pod.Containers = []corev1.Container{c}
	return pod, nil
}

// firingCommand is the command line in a worker's container: its own sluice, or
// the one that workers are lent.
func firingCommand(c *corev1.Container) (command, args []string) {
	if _, ok := works(c); !ok {
		return []string{tool, FireVerb}, nil
	}
	return c.Command[:min(1, len(c.Command))], []string{FireVerb}
}

// firingText is the WorkQueue with what items are made of, and nothing else.
func firingText(w *workload.WorkQueue) (string, error) {
	s := &w.Spec
	if len(s.JobTemplate.Spec.Template.Spec.Containers) == 0 {
		return "", errors.New("spec.jobTemplate.spec.template.spec.containers: required: a pod has a container at least")
	}
	c := s.JobTemplate.Spec.Template.Spec.Containers[0]
	part := workload.WorkQueue{Spec: workload.WorkQueueSpec{
		Source: s.Source, Queue: s.Queue, DeadlineSeconds: s.DeadlineSeconds,
		ItemPolicy: workload.ItemPolicy{Output: s.ItemPolicy.Output}, Schedule: s.Schedule,
	}}
	part.Name = w.Name
	part.Spec.JobTemplate.Spec.Template.Spec.Containers = []corev1.Container{{Name: c.Name, Command: c.Command, Args: c.Args, WorkingDir: c.WorkingDir}}
	text, err := json.Marshal(part)
	if err != nil {
		return "", fmt.Errorf("spec.source: %w", err)
	}
	if len(text) > maxFiring {
		return "", fmt.Errorf("spec.source: %d bytes with the command are too many for a schedule: %d are allowed; longer lists stand in files", len(text), maxFiring)
	}
	// A pod's variables have $(NAME) replaced, and that would be an item's text.
	return strings.ReplaceAll(string(text), "$", `\u0024`), nil
}
