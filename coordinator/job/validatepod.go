package job

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func allContainers(s *corev1.PodSpec) []corev1.Container {
	return slices.Concat(s.InitContainers, s.Containers)
}

// validatePod checks that a pod's commands can be run here as they would be in
// a cluster.
func validatePod(s *corev1.PodSpec, at *field.Path) (errs field.ErrorList) {
	errs = oneOf(at.Child("restartPolicy"), s.RestartPolicy, corev1.RestartPolicyNever, corev1.RestartPolicyOnFailure)
	errs = append(errs, seconds(at.Child("terminationGracePeriodSeconds"), *s.TerminationGracePeriodSeconds)...)
	if v := s.ActiveDeadlineSeconds; v != nil {
		errs = append(errs, seconds(at.Child("activeDeadlineSeconds"), *v)...)
	}
	if len(s.Containers) == 0 {
		errs = append(errs, field.Required(at.Child("containers"), "at least one"))
	}
	names := make(map[string]bool)
	check := func(list []corev1.Container, at *field.Path) {
		for i := range list {
			c, here := &list[i], at.Index(i)
			for _, why := range validation.IsDNS1123Label(c.Name) {
				errs = append(errs, field.Invalid(here.Child("name"), c.Name, why))
			}
			if names[c.Name] {
				errs = append(errs, field.Duplicate(here.Child("name"), c.Name))
			}
			names[c.Name] = true
			errs = append(errs, validateContainer(c, here)...)
		}
	}
	check(s.InitContainers, at.Child("initContainers"))
	check(s.Containers, at.Child("containers"))
	return errs
}

func validateContainer(c *corev1.Container, at *field.Path) (errs field.ErrorList) {
	if len(c.Command) == 0 {
		errs = append(errs, field.Required(at.Child("command"), "no image is run here, and so none of an image's own entry points"))
	}
	if p := c.RestartPolicy; p != nil {
		errs = append(errs, field.Forbidden(at.Child("restartPolicy"), "a container restarts as its pod's restartPolicy says"))
	}
	for i, from := range c.EnvFrom {
		optional := from.ConfigMapRef != nil && isTrue(from.ConfigMapRef.Optional) || from.SecretRef != nil && isTrue(from.SecretRef.Optional)
		if !optional {
			errs = append(errs, field.Forbidden(at.Child("envFrom").Index(i), "there are no ConfigMaps and Secrets here: list the variables under env"))
		}
	}
	for i, v := range c.Env {
		here := at.Child("env").Index(i)
		if v.Name == "" || strings.ContainsAny(v.Name, "=\x00") {
			errs = append(errs, field.Invalid(here.Child("name"), v.Name, "must not be empty and not hold = or NUL"))
		}
		if v.ValueFrom == nil {
			continue
		}
		if ref := v.ValueFrom.FieldRef; ref != nil {
			if _, err := fieldValue(&corev1.Pod{}, ref.FieldPath); err != nil {
				errs = append(errs, field.Invalid(here.Child("valueFrom", "fieldRef", "fieldPath"), ref.FieldPath, err.Error()))
			}
		} else if !optionalSource(v.ValueFrom) {
			errs = append(errs, field.Forbidden(here.Child("valueFrom"), fmt.Sprintf("of variable %s: only fieldRef can be read here, not a ConfigMap, a Secret, a file or resources", v.Name)))
		}
	}
	return errs
}

// optionalSource tells whether a variable may be left out when its source is
// not there.
func optionalSource(s *corev1.EnvVarSource) bool {
	return s.ConfigMapKeyRef != nil && isTrue(s.ConfigMapKeyRef.Optional) ||
		s.SecretKeyRef != nil && isTrue(s.SecretKeyRef.Optional)
}

func isTrue(b *bool) bool { return b != nil && *b }

func atLeastZero(at *field.Path, v int64) field.ErrorList {
	if v < 0 {
		return field.ErrorList{field.Invalid(at, v, "must be 0 or more")}
	}
	return nil
}

func atMost(at *field.Path, v, most int32) field.ErrorList {
	if v > most {
		return field.ErrorList{field.Invalid(at, v, fmt.Sprintf("must be %d or less", most))}
	}
	return nil
}

// seconds checks a number of seconds that must be a time.Duration too.
func seconds(at *field.Path, v int64) field.ErrorList {
	if most := int64(math.MaxInt64 / time.Second); v < 0 || v > most {
		return field.ErrorList{field.Invalid(at, v, fmt.Sprintf("must be 0 to %d", most))}
	}
	return nil
}

func oneOf[T ~string](at *field.Path, v T, allowed ...T) field.ErrorList {
	if slices.Contains(allowed, v) {
		return nil
	}
	return field.ErrorList{field.NotSupported(at, v, allowed)}
}
