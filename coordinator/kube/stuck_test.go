package kube

import (
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
)

func TestWhatHoldsLaunchesBack(t *testing.T) {
	w := film(t, "")
	j := jobOf(t, w, 1, 2)
	digest := j.Labels[labelTemplate]
	waiting := func(reason string) *corev1.Pod {
		p := podOf(j, "a", starting)
		containerIs(p, corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: "no such thing"}})
		return p
	}
	unschedulable := podOf(j, "a", pending)
	unschedulable.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable, Message: "0/2 nodes"}}
	runs := podOf(j, "b", running)
	for _, tt := range []struct {
		name   string
		pods   []*corev1.Pod
		after  time.Duration
		digest string
		reason string // "": nothing
	}{
		{"no node for a while", []*corev1.Pod{unschedulable}, 59 * time.Second, digest, ""},
		{"no node for a minute", []*corev1.Pod{unschedulable}, 61 * time.Second, digest, "Unschedulable"},
		{"no node though others run", []*corev1.Pod{unschedulable, runs}, 61 * time.Second, digest, "Unschedulable"},
		{"no image", []*corev1.Pod{waiting("ImagePullBackOff")}, 0, digest, "ImageError"},
		{"no image on one node", []*corev1.Pod{waiting("ErrImagePull"), runs}, 0, digest, ""},
		{"no ConfigMap", []*corev1.Pod{waiting("CreateContainerConfigError")}, 0, digest, "ContainerError"},
		{"it only begins", []*corev1.Pod{waiting("ContainerCreating")}, 0, digest, ""},
		{"its command cannot start", []*corev1.Pod{exit(podOf(j, "a", running), 2, "Error")}, 0, digest, "CannotStart"},
		{"its program is not there", []*corev1.Pod{exit(podOf(j, "a", running), 128, "StartError")}, 0, digest, "CannotStart"},
		{"another exit code", []*corev1.Pod{exit(podOf(j, "a", running), 3, "Error")}, 0, digest, ""},
		{"drained", []*corev1.Pod{exit(podOf(j, "a", running), drained, "Error")}, 0, digest, ""},
		{"an older template", []*corev1.Pod{waiting("ImagePullBackOff")}, 0, "other", ""},
		{"no pods for a while", nil, 59 * time.Second, digest, ""},
		{"no pods for a minute", nil, 61 * time.Second, digest, "NoPods"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var pods []corev1.Pod
			for _, p := range tt.pods {
				pods = append(pods, *p)
			}
			got := newCensus([]batchv1.Job{*j}, pods, nil).obstacleOf(tt.digest, began.Add(tt.after))
			switch {
			case tt.reason == "" && got != nil:
				t.Errorf("held back by %+v, want by nothing", *got)
			case tt.reason != "" && (got == nil || got.reason != tt.reason):
				t.Errorf("held back by %+v, want %s", got, tt.reason)
			case got != nil && !strings.Contains(got.message, j.Name):
				t.Errorf("%q names no object", got.message)
			}
		})
	}
}
