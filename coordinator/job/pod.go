package job

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/rand"
)

// ignoredFailures is of the annotations of a pod that replaces another the one
// for which the API has no name.
const ignoredFailures = "batch.kubernetes.io/job-index-ignored-failure-count"

// indexVariable holds the completion index of an Indexed Job's pod.
const indexVariable = "JOB_COMPLETION_INDEX"

// newPod is a pod of a Job, named as the Job controller names it: with five
// characters that no other pod in names has.
func newPod(j *batchv1.Job, index int, now time.Time, names map[string]bool) *corev1.Pod {
	t := j.Spec.Template.DeepCopy()
	p := &corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: t.ObjectMeta,
		Spec:       t.Spec,
		Status:     corev1.PodStatus{Phase: corev1.PodPending},
	}
	p.GenerateName = j.Name + "-"
	p.Namespace = j.Namespace
	p.CreationTimestamp = metav1.NewTime(now)
	p.UID = newUID()
	p.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(j, batchv1.SchemeGroupVersion.WithKind("Job"))}
	p.Labels = with(p.Labels, batchv1.JobNameLabel, j.Name)
	p.Labels = with(p.Labels, batchv1.ControllerUidLabel, string(j.UID))
	if index >= 0 {
		i := strconv.Itoa(index)
		p.GenerateName += i + "-"
		p.Spec.Hostname = j.Name + "-" + i
		p.Labels = with(p.Labels, batchv1.JobCompletionIndexAnnotation, i)
		p.Annotations = with(p.Annotations, batchv1.JobCompletionIndexAnnotation, i)
		for _, list := range [][]corev1.Container{p.Spec.InitContainers, p.Spec.Containers} {
			for k := range list {
				addIndexVariable(&list[k])
			}
		}
	}
	for p.Name == "" || names[p.Name] {
		p.Name = p.GenerateName + rand.String(5)
	}
	return p
}

// noteFailures writes an index's past into the pod that tries it again.
func noteFailures(p *corev1.Pod, past attempt) {
	p.Annotations = with(p.Annotations, batchv1.JobIndexFailureCountAnnotation, fmt.Sprint(past.counted))
	if ignored := past.n - past.counted; ignored > 0 {
		p.Annotations = with(p.Annotations, ignoredFailures, fmt.Sprint(ignored))
	}
}

func addIndexVariable(c *corev1.Container) {
	if slices.ContainsFunc(c.Env, func(v corev1.EnvVar) bool { return v.Name == indexVariable }) {
		return // the manifest's own
	}
	path := "metadata.annotations['" + batchv1.JobCompletionIndexAnnotation + "']"
	c.Env = append(c.Env, corev1.EnvVar{Name: indexVariable, ValueFrom: &corev1.EnvVarSource{
		FieldRef: &corev1.ObjectFieldSelector{FieldPath: path},
	}})
}

// with is m with one entry more; m itself may be another's.
func with(m map[string]string, key, value string) map[string]string {
	m = maps.Clone(m)
	if m == nil {
		m = make(map[string]string)
	}
	m[key] = value
	return m
}

func newUID() types.UID { return types.UID(uuid.NewString()) }
