package workload

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
)

// What an API server allows of a Job's policies.
const (
	maxIndexed  = 100_000 // pods at once, and indexes that may fail; beyond as many completions
	maxMany     = 10_000  // it is less, where each index has a backoff limit
	maxRules    = 20
	maxPatterns = 20
	maxCodes    = 255
	maxSpans    = 64 << 10 // bytes of succeededIndexes
)

// checkManager checks the name of who runs a Job in place of a cluster.
func (d *Document) checkManager(name, path string) {
	if len(name) > 63 || len(validation.IsDomainPrefixedPath(nil, name)) > 0 {
		d.refuse(path, "%s is no manager: a domain and a name such as example.com/runner are allowed, up to 63 characters", clip(name))
	}
}

// checkIndexes checks the numbers of an Indexed Job.
func (d *Document) checkIndexes(s *batchv1.JobSpec, path string) {
	if s.MaxFailedIndexes != nil && s.BackoffLimitPerIndex == nil {
		d.refuse(path+".backoffLimitPerIndex", "required: maxFailedIndexes is set")
	}
	most, failed, why := int32(maxIndexed), int32(maxIndexed), "with completionMode Indexed"
	if n := s.Completions; n != nil {
		failed = min(failed, *n)
		if *n > maxIndexed && s.BackoffLimitPerIndex != nil {
			most, failed = maxMany, maxMany
			why = fmt.Sprintf("with backoffLimitPerIndex and more than %d completions", maxIndexed)
			if s.MaxFailedIndexes == nil {
				d.refuse(path+".maxFailedIndexes", "required %s", why)
			}
		}
	}
	if n := s.Parallelism; n != nil && *n > most {
		d.refuse(path+".parallelism", "%d is out of range: up to %d is allowed %s", *n, most, why)
	}
	if n := s.MaxFailedIndexes; n != nil && *n > failed {
		d.refuse(path+".maxFailedIndexes", "%d is out of range: up to %d is allowed, and no more than the completions", *n, failed)
	}
}

// checkSuccess checks the successPolicy of an Indexed Job. What depends on
// completions is not told without them.
func (d *Document) checkSuccess(s *batchv1.JobSpec, path string) {
	rules := path + ".successPolicy.rules"
	switch n := len(s.SuccessPolicy.Rules); {
	case n == 0:
		d.refuse(rules, "required: a rule at least")
	case n > maxRules:
		d.refuse(rules, "%d rules: up to %d are allowed", n, maxRules)
	}
	for i, r := range s.SuccessPolicy.Rules {
		at := fmt.Sprintf("%s[%d]", rules, i)
		if r.SucceededCount == nil && r.SucceededIndexes == nil && !d.broken(at) {
			d.refuse(at, "empty: succeededCount, succeededIndexes or both are needed")
		}
		if s.Completions == nil {
			continue
		}
		most, of := int(*s.Completions), "the completions"
		if text := r.SucceededIndexes; text != nil {
			n, why := countIndexes(*text, most)
			if why != "" {
				d.refuse(at+".succeededIndexes", "%s", why)
				continue // how many they are is not known
			}
			most, of = n, "the number of succeededIndexes"
		}
		if c := r.SucceededCount; c != nil && int(*c) > most {
			d.refuse(at+".succeededCount", "%d is out of range: up to %d is allowed, %s", *c, most, of)
		}
	}
}

// countIndexes counts what is listed, such as 0,2-5, or says what is wrong.
func countIndexes(text string, completions int) (n int, why string) {
	switch {
	case text == "":
		return 0, ""
	case len(text) > maxSpans:
		return 0, fmt.Sprintf("too long: up to %d characters are allowed", maxSpans)
	}
	last := -1
	for part := range strings.SplitSeq(text, ",") {
		low, high, isSpan := strings.Cut(part, "-")
		from, err := strconv.Atoi(low)
		to := from
		if isSpan && err == nil {
			to, err = strconv.Atoi(high)
		}
		switch {
		case err != nil:
			return 0, clip(part) + " is not an index: indexes and spans such as 0,2-5 are allowed"
		case from <= last || isSpan && to <= from:
			return 0, clip(part) + " does not grow: indexes and spans such as 0,2-5 are allowed, each larger than the one before"
		case to >= completions:
			return 0, fmt.Sprintf("%s is beyond the completions: indexes below %d are allowed", clip(part), completions)
		}
		n, last = n+to-from+1, to
	}
	return n, ""
}

// checkFailure checks a podFailurePolicy.
func (d *Document) checkFailure(s *batchv1.JobSpec, path string) {
	rules := path + ".podFailurePolicy.rules"
	if n := len(s.PodFailurePolicy.Rules); n > maxRules {
		d.refuse(rules, "%d rules: up to %d are allowed", n, maxRules)
	}
	if p := s.PodReplacementPolicy; p != nil && *p != batchv1.Failed {
		d.refuse(path+".podReplacementPolicy", "%s is not for a Job with podFailurePolicy: Failed is allowed", *p)
	}
	for i := range s.PodFailurePolicy.Rules {
		r, at := &s.PodFailurePolicy.Rules[i], fmt.Sprintf("%s[%d]", rules, i)
		switch {
		case r.Action == "":
			d.refuse(at+".action", "required: FailJob, FailIndex, Ignore or Count is allowed")
		case r.Action == batchv1.PodFailurePolicyActionFailIndex && s.BackoffLimitPerIndex == nil && !d.broken(path+".backoffLimitPerIndex"):
			d.refuse(at+".action", "FailIndex is only with backoffLimitPerIndex: FailJob, Ignore or Count is allowed without")
		}
		if r.OnExitCodes != nil {
			d.checkExitCodes(r.OnExitCodes, &s.Template.Spec, at+".onExitCodes")
		}
		d.checkConditions(r.OnPodConditions, at+".onPodConditions")
		switch {
		case r.OnExitCodes != nil && len(r.OnPodConditions) > 0:
			d.refuse(at+".onPodConditions", "onExitCodes is set already: one of the two is allowed in a rule")
		case r.OnExitCodes == nil && len(r.OnPodConditions) == 0 && !d.broken(at+".onExitCodes") && !d.broken(at+".onPodConditions"):
			d.refuse(at, "onExitCodes or onPodConditions is needed")
		}
	}
}

func (d *Document) checkExitCodes(r *batchv1.PodFailurePolicyOnExitCodesRequirement, s *corev1.PodSpec, path string) {
	if r.Operator == "" {
		d.refuse(path+".operator", "required: In or NotIn is allowed")
	}
	if name := r.ContainerName; name != nil {
		var names []string
		for _, c := range slices.Concat(s.InitContainers, s.Containers) {
			names = append(names, c.Name)
		}
		known := len(names) > 0 && !slices.Contains(names, "") // else what was meant is not known
		if known && !slices.Contains(names, *name) {
			d.refuse(path+".containerName", "the pod has no container %s: %s is allowed", clip(*name), anyOf(names))
		}
	}
	values := path + ".values"
	switch n := len(r.Values); {
	case n == 0:
		d.refuse(values, "required: an exit code at least")
	case n > maxCodes:
		d.refuse(values, "%d exit codes: up to %d are allowed", n, maxCodes)
	}
	if d.broken(values) {
		return
	}
	for i, v := range r.Values {
		at := fmt.Sprintf("%s[%d]", values, i)
		switch {
		case v == 0 && r.Operator == batchv1.PodFailurePolicyOnExitCodesOpIn:
			d.refuse(at, "0 is no failure: other exit codes are allowed with In")
		case slices.Contains(r.Values[:i], v):
			d.refuse(at, "duplicate: %d is listed already", v)
		case i > 0 && v < r.Values[i-1]:
			d.refuse(at, "%d stands after %d: the exit codes grow", v, r.Values[i-1])
		}
	}
}

func (d *Document) checkConditions(list []batchv1.PodFailurePolicyOnPodConditionsPattern, path string) {
	if len(list) > maxPatterns {
		d.refuse(path, "%d conditions: up to %d are allowed", len(list), maxPatterns)
	}
	for i, c := range list {
		at := fmt.Sprintf("%s[%d]", path, i)
		d.require(c.Type == "", at+".type")
		if why := validation.IsQualifiedName(string(c.Type)); len(why) > 0 {
			d.refuse(at+".type", "%s is not a condition: one such as DisruptionTarget is allowed", clip(string(c.Type)))
		}
		switch c.Status {
		case "", corev1.ConditionTrue, corev1.ConditionFalse, corev1.ConditionUnknown: // "" is True
		default:
			d.refuse(at+".status", "unknown value %s: True, False or Unknown is allowed", clip(string(c.Status)))
		}
	}
}
