package kube

import (
	"fmt"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
)

// patience is how long a pod may find no node, and a Job make no pod, before
// that holds back further launches.
const patience = time.Minute

// obstacle is why workers that were launched cannot start.
type obstacle struct {
	reason  string // a condition's: one word
	message string
}

// cannotStart are the reasons for which a container waits though it has all that
// it waits for.
var cannotStart = map[string]string{
	"ErrImagePull": "ImageError", "ImagePullBackOff": "ImageError", "InvalidImageName": "ImageError",
	"ErrImageNeverPull": "ImageError", "ImageInspectError": "ImageError", "RegistryUnavailable": "ImageError",
	"CreateContainerConfigError": "ContainerError", "CreateContainerError": "ContainerError", "RunContainerError": "ContainerError",
}

// obstacleOf is what keeps workers of the present template from starting, or
// nil. One that runs is proof that they can, except for those that find no room.
func (c census) obstacleOf(digest string, now time.Time) (worst *obstacle) {
	ran := false
	c.each(func(w wave, m member) { ran = ran || m.stage == running && w.job.Labels[labelTemplate] == digest })
	for _, w := range c.waves {
		if w.job.Labels[labelTemplate] != digest {
			continue
		}
		for _, m := range w.members {
			if o := podObstacle(m.pod, now); o != nil && (o.reason == "Unschedulable" || !ran) {
				worst = o
			}
		}
		if made := w.job.CreationTimestamp.Time; len(w.members) == 0 && w.want() > 0 && !made.IsZero() && now.Sub(made) > patience {
			worst = noPods(w.job)
		}
	}
	return worst
}

func podObstacle(p *corev1.Pod, now time.Time) *obstacle {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse && c.Reason == corev1.PodReasonUnschedulable &&
			p.DeletionTimestamp.IsZero() && now.Sub(p.CreationTimestamp.Time) > patience {
			return &obstacle{"Unschedulable", fmt.Sprintf("pod %s has found no node for %s: %s", p.Name, now.Sub(p.CreationTimestamp.Time).Round(time.Second), c.Message)}
		}
	}
	for _, list := range [][]corev1.ContainerStatus{p.Status.InitContainerStatuses, p.Status.ContainerStatuses} {
		for _, s := range list {
			if waiting := s.State.Waiting; waiting != nil && cannotStart[waiting.Reason] != "" {
				return &obstacle{cannotStart[waiting.Reason], fmt.Sprintf("pod %s, container %s, image %s: %s: %s", p.Name, s.Name, s.Image, waiting.Reason, waiting.Message)}
			}
		}
	}
	t := terminated(p)
	if t == nil {
		return nil
	}
	if t.ExitCode == 2 || t.Reason == "StartError" || t.Reason == "ContainerCannotRun" {
		return &obstacle{"CannotStart", fmt.Sprintf("the worker of pod %s ended with exit code %d, since its command cannot start: see its log %s", p.Name, t.ExitCode, lastWords(t))}
	}
	return nil
}

func noPods(j *batchv1.Job) *obstacle {
	return &obstacle{"NoPods", fmt.Sprintf("Job %s has made none of its pods for %s: 'kubectl describe job %s' tells why, such as a quota", j.Name, patience, j.Name)}
}
