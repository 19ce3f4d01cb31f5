package workload

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
)

// Inline puts the values of the files' ConfigMaps in the place of what refers to
// them in the environment of containers, for whoever runs the files without a
// cluster. What refers to a ConfigMap or a key that is not there is an error,
// unless it is optional: then it is dropped.
func (f *File) Inline() Errors {
	in := inliner{maps: make(map[string]map[string]string)}
	for _, d := range f.Documents {
		if m, ok := d.Object.(*corev1.ConfigMap); ok {
			in.maps[m.Name] = m.Data
		}
	}
	for _, d := range f.Documents {
		switch o := d.Object.(type) {
		case *WorkQueue:
			in.pod(d, &o.Spec.JobTemplate.Spec.Template.Spec, "spec.jobTemplate.spec.template.spec")
		case *batchv1.Job:
			in.pod(d, &o.Spec.Template.Spec, "spec.template.spec")
		case *batchv1.CronJob:
			in.pod(d, &o.Spec.JobTemplate.Spec.Template.Spec, "spec.jobTemplate.spec.template.spec")
		}
	}
	return in.errs
}

type inliner struct {
	maps map[string]map[string]string // data by name: a file's namespaces are all here
	errs Errors
}

func (in *inliner) refuse(d *Document, path, format string, args ...any) {
	in.errs = append(in.errs, &Error{Position: d.At(path), Path: path, Message: fmt.Sprintf(format, args...)})
}

func (in *inliner) pod(d *Document, s *corev1.PodSpec, path string) {
	for _, list := range []struct {
		name       string
		containers []corev1.Container
	}{{"initContainers", s.InitContainers}, {"containers", s.Containers}} {
		for i := range list.containers {
			in.container(d, &list.containers[i], fmt.Sprintf("%s.%s[%d]", path, list.name, i))
		}
	}
}

// container keeps the order in which Kubernetes has variables: those of envFrom
// first, of which env takes the place.
func (in *inliner) container(d *Document, c *corev1.Container, path string) {
	var (
		left []corev1.EnvFromSource
		env  []corev1.EnvVar
	)
	for i, from := range c.EnvFrom {
		if from.ConfigMapRef == nil {
			left = append(left, from)
			continue
		}
		data, ok := in.maps[from.ConfigMapRef.Name]
		if !ok && !isTrue(from.ConfigMapRef.Optional) {
			in.refuse(d, fmt.Sprintf("%s.envFrom[%d].configMapRef.name", path, i), "%s", in.unknown(from.ConfigMapRef.Name))
		}
		for _, key := range slices.Sorted(maps.Keys(data)) {
			env = append(env, corev1.EnvVar{Name: from.Prefix + key, Value: literal(data[key])})
		}
	}
	for i, v := range c.Env {
		if v.ValueFrom == nil || v.ValueFrom.ConfigMapKeyRef == nil {
			env = append(env, v)
			continue
		}
		ref := v.ValueFrom.ConfigMapKeyRef
		at := fmt.Sprintf("%s.env[%d].valueFrom.configMapKeyRef", path, i)
		data, ok := in.maps[ref.Name]
		value, has := data[ref.Key]
		switch {
		case has:
			env = append(env, corev1.EnvVar{Name: v.Name, Value: literal(value)})
		case isTrue(ref.Optional):
		case !ok:
			in.refuse(d, at+".name", "%s", in.unknown(ref.Name))
		default:
			in.refuse(d, at+".key", "ConfigMap %s has no key %s: %s is allowed", ref.Name, clip(ref.Key),
				cmp.Or(anyOf(slices.Sorted(maps.Keys(data))), "none"))
		}
	}
	c.EnvFrom, c.Env = left, env
}

func (in *inliner) unknown(name string) string {
	if len(in.maps) == 0 {
		return fmt.Sprintf("ConfigMap %s is in none of these files, which are all that there is without a cluster", clip(name))
	}
	return fmt.Sprintf("ConfigMap %s is in none of these files: %s is allowed", clip(name), anyOf(slices.Sorted(maps.Keys(in.maps))))
}

// literal is a value that is taken as it is: a ConfigMap's are not expanded.
func literal(s string) string { return strings.ReplaceAll(s, "$", "$$") }

func isTrue(b *bool) bool { return b != nil && *b }
