package workload

import (
	"fmt"
	"regexp"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// check looks at what the types alone cannot say, within each document and
// between them.
func (f *File) check() {
	type key struct{ kind, namespace, name string }
	seen := make(map[key]*Document)
	for _, d := range f.Documents {
		d.check()
		if d.Name == "" {
			continue
		}
		k := key{d.Kind, d.Namespace, d.Name}
		if first := seen[k]; first != nil {
			d.refuse("metadata.name", "duplicate: %s has a %s %q already", Position{File: first.File, Line: first.Line}, d.Kind, d.Name)
			continue
		}
		seen[k] = d
	}
	f.checkAfter()
}

func (d *Document) check() {
	switch o := d.Object.(type) {
	case *WorkQueue:
		d.checkMeta(&o.ObjectMeta)
		d.checkWorkQueue(&o.Spec)
	case *batchv1.Job:
		d.checkMeta(&o.ObjectMeta)
		d.checkJob(&o.Spec, "spec")
	case *batchv1.CronJob:
		d.checkMeta(&o.ObjectMeta)
		d.checkCron(o.Spec.Schedule, o.Spec.TimeZone, "spec")
		d.checkLabels(&o.Spec.JobTemplate.ObjectMeta, "spec.jobTemplate.metadata")
		d.checkJob(&o.Spec.JobTemplate.Spec, "spec.jobTemplate.spec")
	case *appsv1.DaemonSet:
		d.checkMeta(&o.ObjectMeta)
		d.checkService(o.Spec.Selector, &o.Spec.Template)
	case *appsv1.Deployment:
		d.checkMeta(&o.ObjectMeta)
		d.checkService(o.Spec.Selector, &o.Spec.Template)
	case *corev1.ConfigMap:
		d.checkMeta(&o.ObjectMeta)
		for key := range o.BinaryData {
			if _, both := o.Data[key]; both {
				d.refuse(index("binaryData", key), "duplicate: it is in data already")
			}
		}
	}
}

// RFC 1123, as Kubernetes has it: a label, and labels with dots between.
var (
	label     = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)
	subdomain = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`)
)

func (d *Document) checkMeta(m *metav1.ObjectMeta) {
	d.Name, d.Namespace = m.Name, m.Namespace
	longest := kinds[d.Kind].maxName
	if d.Kind == "WorkQueue" {
		d.checkName(m.Name, "metadata.name", label, longest)
	} else {
		d.checkName(m.Name, "metadata.name", subdomain, longest)
	}
	if m.Namespace != "" {
		d.checkName(m.Namespace, "metadata.namespace", label, 63)
	}
	d.checkLabels(m, "metadata")
}

// checkName refuses a name that is missing, or not of the form.
func (d *Document) checkName(name, path string, form *regexp.Regexp, longest int) {
	dots := ""
	if form == subdomain {
		dots = ", '.'"
	}
	switch {
	case name == "":
		d.refuse(path, "required")
	case len(name) > longest || !form.MatchString(name):
		d.refuse(path, "%s is not a name: up to %d of a-z, 0-9%s and '-' are allowed, a letter or digit first and last", clip(name), longest, dots)
	}
}

// checkService checks what keeps pods running until it is deleted.
func (d *Document) checkService(s *metav1.LabelSelector, t *corev1.PodTemplateSpec) {
	const path = "spec.selector"
	selector, err := metav1.LabelSelectorAsSelector(s)
	switch {
	case s == nil:
		d.refuse(path, "required: the labels of spec.template.metadata by which its pods are found")
	case d.broken(path):
	case err != nil:
		d.refuse(path, "%v", err)
	case selector.Empty():
		d.refuse(path, "empty: it would select every pod")
	case !selector.Matches(labels.Set(t.Labels)) && !d.broken("spec.template.metadata"):
		d.refuse(path, "%s does not match the labels of spec.template: %s", selector, show(t.Labels))
	}
	if p := t.Spec.RestartPolicy; p != "" && p != corev1.RestartPolicyAlways {
		d.refuse("spec.template.spec.restartPolicy", "%s is not for a %s: Always is allowed", p, d.Kind)
	}
	d.checkTemplate(t, "spec.template")
}

func show(set map[string]string) string {
	if len(set) == 0 {
		return "it has none"
	}
	return strings.ReplaceAll(labels.Set(set).String(), ",", ", ")
}

// checkJob checks a batch/v1 Job's spec.
func (d *Document) checkJob(s *batchv1.JobSpec, path string) {
	pod := path + ".template.spec"
	switch s.Template.Spec.RestartPolicy {
	case corev1.RestartPolicyNever, corev1.RestartPolicyOnFailure:
	case corev1.RestartPolicyAlways:
		d.refuse(pod+".restartPolicy", "Always is not for a Job, which ends: Never or OnFailure is allowed")
	default:
		d.refuse(pod+".restartPolicy", "required: Never or OnFailure is allowed")
	}
	indexed := s.CompletionMode != nil && *s.CompletionMode == batchv1.IndexedCompletion
	if indexed && s.Completions == nil {
		d.refuse(path+".completions", "required: completionMode is Indexed")
	}
	for name, set := range map[string]bool{
		"backoffLimitPerIndex": s.BackoffLimitPerIndex != nil,
		"maxFailedIndexes":     s.MaxFailedIndexes != nil,
		"successPolicy":        s.SuccessPolicy != nil,
	} {
		if set && !indexed && !d.broken(path+".completionMode") {
			d.refuse(path+"."+name, "only with completionMode Indexed")
		}
	}
	if indexed {
		d.checkIndexes(s, path)
		if s.SuccessPolicy != nil {
			d.checkSuccess(s, path)
		}
	}
	if s.PodFailurePolicy != nil && s.Template.Spec.RestartPolicy == corev1.RestartPolicyOnFailure {
		d.refuse(path+".podFailurePolicy", "only with restartPolicy Never")
	}
	if s.Selector != nil && (s.ManualSelector == nil || !*s.ManualSelector) {
		d.refuse(path+".selector", "a Job makes its own: leave it out")
	}
	if s.ManagedBy != nil {
		d.checkManager(*s.ManagedBy, path+".managedBy")
	}
	d.checkTemplate(&s.Template, path+".template")
	if s.PodFailurePolicy != nil {
		d.checkFailure(s, path)
	}
}

// checkPod checks what every pod needs.
func (d *Document) checkPod(s *corev1.PodSpec, path string) {
	volumes := make(map[string]bool)
	for i, v := range s.Volumes {
		at := fmt.Sprintf("%s.volumes[%d].name", path, i)
		d.checkName(v.Name, at, label, 63)
		if v.Name != "" && volumes[v.Name] {
			d.refuse(at, "duplicate: another volume is %q already", v.Name)
		}
		volumes[v.Name] = true
	}
	if len(s.Containers) == 0 {
		d.refuse(path+".containers", "required: a pod has a container at least")
	}
	names := make(map[string]bool)
	for _, list := range []struct {
		name       string
		containers []corev1.Container
	}{{"initContainers", s.InitContainers}, {"containers", s.Containers}} {
		for i := range list.containers {
			c, at := &list.containers[i], fmt.Sprintf("%s.%s[%d]", path, list.name, i)
			d.checkContainer(c, at, volumes)
			if c.Name != "" && names[c.Name] {
				d.refuse(at+".name", "duplicate: another container is %q already", c.Name)
			}
			names[c.Name] = true
		}
	}
}

func (d *Document) checkContainer(c *corev1.Container, path string, volumes map[string]bool) {
	d.checkName(c.Name, path+".name", label, 63)
	d.require(c.Image == "", path+".image")
	d.checkFields(c, path)
	for i, m := range c.VolumeMounts {
		if m.Name != "" && !volumes[m.Name] {
			d.refuse(fmt.Sprintf("%s.volumeMounts[%d].name", path, i), "the pod has no volume %q", m.Name)
		}
	}
}
