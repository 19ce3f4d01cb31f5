package job

import (
	"fmt"
	"math"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// maxIndexes is how many indexes, and pods at once, an Indexed Job may have.
const maxIndexes = 100_000

// validateJob checks a Job that has its defaults. Its error names every field
// that is wrong, in one line.
func validateJob(j *batchv1.Job) error {
	errs := validateName(j.Name, validation.DNS1123SubdomainMaxLength)
	errs = append(errs, validateSpec(&j.Spec, field.NewPath("spec"))...)
	return errs.ToAggregate()
}

func validateName(name string, longest int) (errs field.ErrorList) {
	path := field.NewPath("metadata", "name")
	if name == "" {
		return append(errs, field.Required(path, "pods are named after it"))
	}
	for _, why := range validation.IsDNS1123Subdomain(name) {
		errs = append(errs, field.Invalid(path, name, why))
	}
	if len(name) > longest {
		errs = append(errs, field.Invalid(path, name, fmt.Sprintf("must be no more than %d characters", longest)))
	}
	return errs
}

func validateSpec(s *batchv1.JobSpec, at *field.Path) (errs field.ErrorList) {
	for _, c := range []struct {
		name  string
		value *int32
	}{
		{"parallelism", s.Parallelism},
		{"completions", s.Completions},
		{"backoffLimit", s.BackoffLimit},
		{"backoffLimitPerIndex", s.BackoffLimitPerIndex},
		{"maxFailedIndexes", s.MaxFailedIndexes},
		{"ttlSecondsAfterFinished", s.TTLSecondsAfterFinished},
	} {
		if c.value != nil {
			errs = append(errs, atLeastZero(at.Child(c.name), int64(*c.value))...)
		}
	}
	if s.ActiveDeadlineSeconds != nil {
		errs = append(errs, seconds(at.Child("activeDeadlineSeconds"), *s.ActiveDeadlineSeconds)...)
	}
	if s.ManagedBy != nil && *s.ManagedBy != batchv1.JobControllerName {
		errs = append(errs, field.NotSupported(at.Child("managedBy"), *s.ManagedBy, []string{batchv1.JobControllerName}))
	}
	errs = append(errs, validateReplacement(s, at)...)
	switch *s.CompletionMode {
	case batchv1.IndexedCompletion:
		errs = append(errs, validateIndexed(s, at)...)
	case batchv1.NonIndexedCompletion:
		errs = append(errs, validateNonIndexed(s, at)...)
	default:
		errs = append(errs, field.NotSupported(at.Child("completionMode"), *s.CompletionMode,
			[]batchv1.CompletionMode{batchv1.NonIndexedCompletion, batchv1.IndexedCompletion}))
	}
	errs = append(errs, validateFailurePolicy(s, at.Child("podFailurePolicy"))...)
	return append(errs, validatePod(&s.Template.Spec, at.Child("template", "spec"))...)
}

func validateReplacement(s *batchv1.JobSpec, at *field.Path) field.ErrorList {
	allowed := []batchv1.PodReplacementPolicy{batchv1.Failed}
	if s.PodFailurePolicy == nil {
		allowed = append(allowed, batchv1.TerminatingOrFailed)
	}
	return oneOf(at.Child("podReplacementPolicy"), *s.PodReplacementPolicy, allowed...)
}

func validateNonIndexed(s *batchv1.JobSpec, at *field.Path) (errs field.ErrorList) {
	const why = "requires completionMode Indexed"
	if v := s.BackoffLimitPerIndex; v != nil {
		errs = append(errs, field.Invalid(at.Child("backoffLimitPerIndex"), *v, why))
	}
	if v := s.MaxFailedIndexes; v != nil {
		errs = append(errs, field.Invalid(at.Child("maxFailedIndexes"), *v, why))
	}
	if s.SuccessPolicy != nil {
		errs = append(errs, field.Forbidden(at.Child("successPolicy"), why))
	}
	return errs
}

func validateIndexed(s *batchv1.JobSpec, at *field.Path) (errs field.ErrorList) {
	if s.Completions == nil {
		return append(errs, field.Required(at.Child("completions"), "with completionMode Indexed"))
	}
	n := *s.Completions
	errs = append(errs, atMost(at.Child("completions"), n, maxIndexes)...)
	errs = append(errs, atMost(at.Child("parallelism"), *s.Parallelism, maxIndexes)...)
	if v := s.MaxFailedIndexes; v != nil {
		errs = append(errs, atMost(at.Child("maxFailedIndexes"), *v, n)...)
		if s.BackoffLimitPerIndex == nil {
			errs = append(errs, field.Required(at.Child("backoffLimitPerIndex"), "with maxFailedIndexes"))
		}
	}
	if s.SuccessPolicy == nil {
		return errs
	}
	rules := at.Child("successPolicy", "rules")
	if len(s.SuccessPolicy.Rules) == 0 {
		errs = append(errs, field.Required(rules, "at least one"))
	}
	for i, rule := range s.SuccessPolicy.Rules {
		errs = append(errs, validateSuccessRule(rule, n, rules.Index(i))...)
	}
	return errs
}

func validateSuccessRule(rule batchv1.SuccessPolicyRule, n int32, at *field.Path) (errs field.ErrorList) {
	if rule.SucceededCount == nil && rule.SucceededIndexes == nil {
		return append(errs, field.Required(at, "succeededCount, succeededIndexes or both"))
	}
	most := n
	if text := rule.SucceededIndexes; text != nil {
		listed, err := parseIndexes(*text, int(n))
		if err != nil {
			errs = append(errs, field.Invalid(at.Child("succeededIndexes"), *text, err.Error()))
		}
		most = int32(listed.len())
	}
	if v := rule.SucceededCount; v != nil {
		errs = append(errs, atLeastZero(at.Child("succeededCount"), int64(*v))...)
		errs = append(errs, atMost(at.Child("succeededCount"), *v, most)...)
	}
	return errs
}

func validateFailurePolicy(s *batchv1.JobSpec, at *field.Path) (errs field.ErrorList) {
	if s.PodFailurePolicy == nil {
		return nil
	}
	if policy := s.Template.Spec.RestartPolicy; policy == corev1.RestartPolicyOnFailure {
		errs = append(errs, field.Forbidden(at, "requires restartPolicy Never"))
	}
	actions := []batchv1.PodFailurePolicyAction{
		batchv1.PodFailurePolicyActionCount, batchv1.PodFailurePolicyActionFailJob, batchv1.PodFailurePolicyActionIgnore,
	}
	if s.BackoffLimitPerIndex != nil {
		actions = append(actions, batchv1.PodFailurePolicyActionFailIndex)
	}
	for i, rule := range s.PodFailurePolicy.Rules {
		here := at.Child("rules").Index(i)
		errs = append(errs, oneOf(here.Child("action"), rule.Action, actions...)...)
		if (rule.OnExitCodes == nil) == (len(rule.OnPodConditions) == 0) {
			errs = append(errs, field.Required(here, "either onExitCodes or onPodConditions"))
		}
		if codes := rule.OnExitCodes; codes != nil {
			errs = append(errs, validateExitCodes(codes, &s.Template.Spec, here.Child("onExitCodes"))...)
		}
		for k, c := range rule.OnPodConditions {
			errs = append(errs, oneOf(here.Child("onPodConditions").Index(k).Child("status"), c.Status,
				corev1.ConditionTrue, corev1.ConditionFalse, corev1.ConditionUnknown)...)
		}
	}
	return errs
}

func validateExitCodes(r *batchv1.PodFailurePolicyOnExitCodesRequirement, s *corev1.PodSpec, at *field.Path) (errs field.ErrorList) {
	errs = oneOf(at.Child("operator"), r.Operator, batchv1.PodFailurePolicyOnExitCodesOpIn, batchv1.PodFailurePolicyOnExitCodesOpNotIn)
	if r.ContainerName != nil {
		var names []string
		for _, c := range allContainers(s) {
			names = append(names, c.Name)
		}
		errs = append(errs, oneOf(at.Child("containerName"), *r.ContainerName, names...)...)
	}
	if len(r.Values) == 0 {
		errs = append(errs, field.Required(at.Child("values"), "at least one exit code"))
	}
	last := int64(math.MinInt64)
	for i, v := range r.Values {
		if v == 0 && r.Operator == batchv1.PodFailurePolicyOnExitCodesOpIn {
			errs = append(errs, field.Invalid(at.Child("values").Index(i), v, "0 is no failure: it cannot be In the values"))
		}
		if int64(v) <= last {
			errs = append(errs, field.Invalid(at.Child("values"), r.Values, "must grow, each once"))
		}
		last = int64(v)
	}
	return errs
}
