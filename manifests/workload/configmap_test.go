package workload_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"sluice.dev/manifests/workload"
)

const settings = `
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {size: "320", price: "$(size)"}
---
apiVersion: batch/v1
kind: Job
metadata: {name: job}
spec:
  template:
    spec:
      restartPolicy: Never
      containers:
      - name: main
        image: busybox
`

func TestInlinePutsValuesInThePlaceOfReferences(t *testing.T) {
	file, errs := workload.Load(strings.NewReader(settings+`
        envFrom:
        - {prefix: P_, configMapRef: {name: settings}}
        - {configMapRef: {name: none, optional: true}}
        - {secretRef: {name: secret}}
        env:
        - {name: before, value: "1"}
        - {name: size, valueFrom: {configMapKeyRef: {name: settings, key: size}}}
        - {name: dropped, valueFrom: {configMapKeyRef: {name: settings, key: none, optional: true}}}
        - {name: pod, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
`), "-")
	if errs = append(errs, file.Inline()...); len(errs) > 0 {
		t.Fatal(errs[0])
	}
	c := file.Documents[1].Object.(*batchv1.Job).Spec.Template.Spec.Containers[0]
	want := []corev1.EnvVar{
		{Name: "P_price", Value: "$$(size)"}, // as it is, not expanded
		{Name: "P_size", Value: "320"},
		{Name: "before", Value: "1"},
		{Name: "size", Value: "320"},
		{Name: "pod", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.name"}}},
	}
	if d := cmp.Diff(want, c.Env); d != "" {
		t.Error(d)
	}
	if len(c.EnvFrom) != 1 || c.EnvFrom[0].SecretRef == nil {
		t.Errorf("what is no ConfigMap's should stay: %v", c.EnvFrom)
	}
}

func TestInlineNamesWhatIsNotThere(t *testing.T) {
	file, errs := workload.Load(strings.NewReader(settings+`
        envFrom: [{configMapRef: {name: setings}}]
        env:
        - {name: a, valueFrom: {configMapKeyRef: {name: other, key: size}}}
        - {name: b, valueFrom: {configMapKeyRef: {name: settings, key: sise}}}
`), "-")
	if len(errs) > 0 {
		t.Fatal(errs[0])
	}
	var got []string
	for _, e := range file.Inline() {
		got = append(got, e.Error())
	}
	const path = "spec.template.spec.containers[0]."
	want := []string{
		"-:18:41: " + path + `envFrom[0].configMapRef.name: ConfigMap "setings" is in none of these files: settings is allowed`,
		"-:20:57: " + path + `env[0].valueFrom.configMapKeyRef.name: ConfigMap "other" is in none of these files: settings is allowed`,
		"-:21:72: " + path + `env[1].valueFrom.configMapKeyRef.key: ConfigMap settings has no key "sise": price or size is allowed`,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
