package kube

import (
	"encoding/json"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
)

func TestAWaveIsAJobThatReplacesItsWorkers(t *testing.T) {
	w := film(t, "")
	w.Spec.JobTemplate.Labels = map[string]string{"team": "a", labelQueue: "not this"}
	w.Spec.JobTemplate.Spec.Template.Labels = map[string]string{"app": "render"}
	j := shapeOf(t, w).wave(w, 7, 3)
	s := j.Spec
	if j.Name != "film-7" || j.Namespace != "renders" || waveOf(j) != 7 {
		t.Errorf("it is %s/%s, wave %d", j.Namespace, j.Name, waveOf(j))
	}
	if *s.Completions != 3 || *s.Parallelism != 3 || *s.BackoffLimit != 1<<31-1 || *s.PodReplacementPolicy != batchv1.Failed || s.ActiveDeadlineSeconds != nil {
		t.Errorf("spec %+v", s)
	}
	rules := s.PodFailurePolicy.Rules
	if len(rules) != 2 || rules[0].OnPodConditions[0].Type != corev1.DisruptionTarget ||
		*rules[1].OnExitCodes.ContainerName != "render" || rules[1].OnExitCodes.Values[0] != 75 {
		t.Errorf("podFailurePolicy %+v", rules)
	}
	if j.Labels["team"] != "a" || j.Labels[labelQueue] != "film" || s.Template.Labels["app"] != "render" || s.Template.Labels[labelQueue] != "film" {
		t.Errorf("labels %v, of pods %v", j.Labels, s.Template.Labels)
	}
	if o := j.OwnerReferences[0]; o.UID != w.UID || o.Kind != "WorkQueue" || !*o.Controller {
		t.Errorf("owner %+v", o)
	}
	if *s.TTLSecondsAfterFinished != keptFor {
		t.Errorf("ttlSecondsAfterFinished = %d", *s.TTLSecondsAfterFinished)
	}
	w.Spec.JobTemplate.Spec.TTLSecondsAfterFinished = new(int32(5))
	if j := shapeOf(t, w).wave(w, 8, 1); *j.Spec.TTLSecondsAfterFinished != 5 {
		t.Error("the template's ttlSecondsAfterFinished is lost")
	}
}

// A coordinator that is started again, or another one, must not take its own
// Jobs for those of an older template.
func TestTheSameTemplateHasTheSameDigest(t *testing.T) {
	w := film(t, "")
	w.Spec.JobTemplate.Spec.Template.Labels = map[string]string{"a": "1", "b": "2", "c": "3"}
	text, err := json.Marshal(w)
	if err != nil {
		t.Fatal(err)
	}
	again := w.DeepCopy()
	if err := json.Unmarshal(text, again); err != nil {
		t.Fatal(err)
	}
	if a, b := shapeOf(t, w).digest, shapeOf(t, again).digest; a != b {
		t.Errorf("digests %s and %s", a, b)
	}
	again.Spec.JobTemplate.Spec.Template.Spec.Containers[0].Image = "blender:5"
	if a, b := shapeOf(t, w).digest, shapeOf(t, again).digest; a == b {
		t.Error("another image has the same digest")
	}
}
