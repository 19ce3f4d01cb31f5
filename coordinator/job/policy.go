package job

import (
	"fmt"
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
)

// matchFailure finds what the first rule of a podFailurePolicy that matches
// asks for; Count when none does. why is for FailJob.
func matchFailure(policy *batchv1.PodFailurePolicy, pod *corev1.Pod) (action batchv1.PodFailurePolicyAction, why string) {
	if policy == nil {
		return batchv1.PodFailurePolicyActionCount, ""
	}
	for i, rule := range policy.Rules {
		if rule.OnExitCodes != nil {
			if name, code, ok := matchExitCode(*rule.OnExitCodes, pod.Status); ok {
				return rule.Action, fmt.Sprintf("Container %s for pod %s/%s failed with exit code %d matching %s rule at index %d",
					name, pod.Namespace, pod.Name, code, rule.Action, i)
			}
			continue
		}
		if condition, ok := matchCondition(rule.OnPodConditions, pod.Status); ok {
			return rule.Action, fmt.Sprintf("Pod %s/%s has condition %s matching %s rule at index %d",
				pod.Namespace, pod.Name, condition, rule.Action, i)
		}
	}
	return batchv1.PodFailurePolicyActionCount, ""
}

func matchExitCode(want batchv1.PodFailurePolicyOnExitCodesRequirement, s corev1.PodStatus) (name string, code int32, ok bool) {
	for _, c := range slices.Concat(s.ContainerStatuses, s.InitContainerStatuses) {
		end := c.State.Terminated
		if end == nil || end.ExitCode == 0 || want.ContainerName != nil && *want.ContainerName != c.Name {
			continue
		}
		listed := slices.Contains(want.Values, end.ExitCode)
		if listed == (want.Operator == batchv1.PodFailurePolicyOnExitCodesOpIn) {
			return c.Name, end.ExitCode, true
		}
	}
	return "", 0, false
}

func matchCondition(want []batchv1.PodFailurePolicyOnPodConditionsPattern, s corev1.PodStatus) (corev1.PodConditionType, bool) {
	for _, c := range s.Conditions {
		for _, w := range want {
			if c.Type == w.Type && c.Status == w.Status {
				return c.Type, true
			}
		}
	}
	return "", false
}

// matchSuccess tells whether a rule of a successPolicy is met, and which.
func matchSuccess(policy *batchv1.SuccessPolicy, completions int, completed indexes) (why string, ok bool) {
	if policy == nil || len(completed) == 0 {
		return "", false
	}
	for i, rule := range policy.Rules {
		have, want := completed.len(), completions
		if rule.SucceededIndexes != nil {
			listed, err := parseIndexes(*rule.SucceededIndexes, completions)
			if err != nil {
				continue // New has refused it
			}
			have, want = completed.common(listed), listed.len()
		}
		if rule.SucceededCount != nil {
			want = int(*rule.SucceededCount)
		}
		if have >= want {
			return fmt.Sprintf("Matched rules at index %d", i), true
		}
	}
	return "", false
}
