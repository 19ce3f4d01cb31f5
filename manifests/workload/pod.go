package workload

import (
	"fmt"
	"math"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
)

// checkTemplate checks the pods that something makes.
func (d *Document) checkTemplate(t *corev1.PodTemplateSpec, path string) {
	d.checkLabels(&t.ObjectMeta, path+".metadata")
	s, spec := &t.Spec, path+".spec"
	d.checkPod(s, spec)
	if v := s.ActiveDeadlineSeconds; v != nil && (*v < 1 || *v > math.MaxInt32) {
		d.refuse(spec+".activeDeadlineSeconds", "%d is out of range: 1 to %d is allowed", *v, math.MaxInt32)
	}
	for i := range s.Volumes {
		d.checkOne(given(s.Volumes[i].VolumeSource), fmt.Sprintf("%s.volumes[%d]", spec, i))
	}
	for i := range s.Tolerations {
		d.checkToleration(&s.Tolerations[i], fmt.Sprintf("%s.tolerations[%d]", spec, i))
	}
}

func (d *Document) checkToleration(t *corev1.Toleration, path string) {
	operator := path + ".operator"
	switch t.Operator {
	case "", corev1.TolerationOpEqual:
		if len(validation.IsValidLabelValue(t.Value)) > 0 {
			d.refuse(path+".value", "%s is not the value of a taint: %s", clip(t.Value), labelValue)
		}
	case corev1.TolerationOpExists:
		if t.Value != "" {
			d.refuse(path+".value", "only with operator Equal: Exists is true of every value")
		}
	case corev1.TolerationOpLt, corev1.TolerationOpGt: // a cluster may take them
	default:
		d.refuse(operator, "unknown value %s: Exists or Equal is allowed", clip(string(t.Operator)))
	}
	if t.Key == "" && t.Operator != corev1.TolerationOpExists && !d.broken(path) {
		d.refuse(operator, "without a key, which is every taint, Exists is allowed")
	}
	if t.Key != "" && len(validation.IsQualifiedName(t.Key)) > 0 {
		d.refuse(path+".key", "%s is not the key of a taint: %s", clip(t.Key), labelKey)
	}
	if t.TolerationSeconds != nil && t.Effect != corev1.TaintEffectNoExecute && !d.broken(path+".effect") {
		d.refuse(path+".tolerationSeconds", "only with effect NoExecute")
	}
}

// What Kubernetes allows of a label.
const (
	labelKey   = "up to 63 of letters, digits, '-', '_' and '.' are allowed, a letter or digit first and last, after a domain and '/' or nothing"
	labelValue = "up to 63 of letters, digits, '-', '_' and '.' are allowed, a letter or digit first and last"
)

// checkLabels checks the labels and annotations of an object or a template.
func (d *Document) checkLabels(m *metav1.ObjectMeta, path string) {
	for key, value := range m.Labels {
		at := index(path+".labels", key)
		if len(validation.IsQualifiedName(key)) > 0 {
			d.refuse(at, "%s is not a key: %s", clip(key), labelKey)
		} else if len(validation.IsValidLabelValue(value)) > 0 {
			d.refuse(at, "%s is not the value of a label: %s", clip(value), labelValue)
		}
	}
	for key := range m.Annotations {
		if len(validation.IsQualifiedName(strings.ToLower(key))) > 0 {
			d.refuse(index(path+".annotations", key), "%s is not a key: %s", clip(key), labelKey)
		}
	}
}
