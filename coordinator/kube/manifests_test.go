package kube

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	crdv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/yaml"
	strict "sigs.k8s.io/yaml"

	"sluice.dev/manifests/workload"
)

// kinds are the types of what manifests/ has.
var kinds = map[string]reflect.Type{
	"Namespace": reflect.TypeFor[corev1.Namespace](), "Service": reflect.TypeFor[corev1.Service](), "ConfigMap": reflect.TypeFor[corev1.ConfigMap](),
	"ServiceAccount": reflect.TypeFor[corev1.ServiceAccount](), "Deployment": reflect.TypeFor[appsv1.Deployment](), "StatefulSet": reflect.TypeFor[appsv1.StatefulSet](),
	"Role": reflect.TypeFor[rbacv1.Role](), "ClusterRole": reflect.TypeFor[rbacv1.ClusterRole](),
	"RoleBinding": reflect.TypeFor[rbacv1.RoleBinding](), "ClusterRoleBinding": reflect.TypeFor[rbacv1.ClusterRoleBinding](),
	"NetworkPolicy": reflect.TypeFor[networkingv1.NetworkPolicy](), "PodDisruptionBudget": reflect.TypeFor[policyv1.PodDisruptionBudget](),
	"CustomResourceDefinition": reflect.TypeFor[crdv1.CustomResourceDefinition](),
}

// objects reads the files of a folder of manifests, strictly.
func objects(t *testing.T, pattern string) (all []any) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("../../manifests", pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %d files, %v", pattern, len(files), err)
	}
	for _, name := range files {
		if filepath.Base(name) == "kustomization.yaml" {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for docs := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text))); ; {
			doc, err := docs.Read()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			var head metav1.TypeMeta
			if err := strict.Unmarshal(doc, &head); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			kind, ok := kinds[head.Kind]
			if !ok {
				t.Fatalf("%s: unknown kind %q", name, head.Kind)
			}
			o := reflect.New(kind).Interface()
			if err := strict.UnmarshalStrict(doc, o); err != nil {
				t.Errorf("%s: %s: %v", name, head.Kind, err)
			}
			all = append(all, o)
		}
	}
	return all
}

// Every pod keeps to the restricted Pod Security Standard, says what it needs,
// and has its labels selected.
func TestManifestsAreStrictAndRestricted(t *testing.T) {
	check := func(name string, selector *metav1.LabelSelector, p corev1.PodTemplateSpec) {
		s, err := metav1.LabelSelectorAsSelector(selector)
		if err != nil || !s.Matches(labels.Set(p.Labels)) {
			t.Errorf("%s: its selector does not match its pods: %v", name, err)
		}
		sc := p.Spec.SecurityContext
		if sc == nil || !deref(sc.RunAsNonRoot) || sc.SeccompProfile == nil || sc.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
			t.Errorf("%s: the pod's security context is %+v", name, sc)
		}
		for _, c := range p.Spec.Containers {
			cs := c.SecurityContext
			if cs == nil || cs.AllowPrivilegeEscalation == nil || *cs.AllowPrivilegeEscalation || !deref(cs.ReadOnlyRootFilesystem) || len(cs.Capabilities.Drop) != 1 || cs.Capabilities.Drop[0] != "ALL" {
				t.Errorf("%s, container %s: security context %+v", name, c.Name, cs)
			}
			if c.Resources.Requests.Cpu().IsZero() || c.Resources.Requests.Memory().IsZero() || c.Resources.Limits.Memory().IsZero() {
				t.Errorf("%s, container %s: resources %+v", name, c.Name, c.Resources)
			}
			if c.ReadinessProbe == nil {
				t.Errorf("%s, container %s has no readiness probe", name, c.Name)
			}
		}
	}
	for _, pattern := range []string{"base/*.yaml", "overlays/*/*.yaml"} {
		for _, o := range objects(t, pattern) {
			switch o := o.(type) {
			case *appsv1.Deployment:
				check(o.Name, o.Spec.Selector, o.Spec.Template)
			case *appsv1.StatefulSet:
				check(o.Name, o.Spec.Selector, o.Spec.Template)
				if len(o.Spec.VolumeClaimTemplates) != 1 {
					t.Errorf("%s keeps its data in no volume", o.Name)
				}
			}
		}
	}
}

// The coordinator can change no pod, read no Secret of another name, and grant
// nothing.
func TestTheCoordinatorsRightsAreFew(t *testing.T) {
	allowed := map[string]string{
		"workqueues": "list watch", "workqueues/status": "update", "jobs": "list watch create delete",
		"pods": "get list watch", "secrets": "get", "events.k8s.io/events": "create patch", "events": "list",
		"cronjobs":   "list watch create update delete",
		"daemonsets": "get list watch create update", "nodes": "get list watch",
	}
	for _, o := range objects(t, "base/rbac.yaml") {
		role, ok := o.(*rbacv1.ClusterRole)
		if !ok || role.Name != "sluice-coordinator" {
			continue
		}
		for _, rule := range role.Rules {
			for _, r := range rule.Resources {
				if rule.APIGroups[0] == "events.k8s.io" {
					r = "events.k8s.io/" + r
				}
				if want := allowed[r]; want != strings.Join(rule.Verbs, " ") {
					t.Errorf("it may %v %s, want %q", rule.Verbs, r, want)
				}
				if r == "secrets" && (len(rule.ResourceNames) != 1 || rule.ResourceNames[0] != workload.DefaultStoreSecret) {
					t.Errorf("it may read the Secrets %v", rule.ResourceNames)
				}
				delete(allowed, r)
			}
		}
	}
	if len(allowed) > 0 {
		t.Errorf("it may not %v", allowed)
	}
}

// The definition has every field of the Go types and no other: after a change of
// theirs run make generate.
func TestTheDefinitionIsThatOfTheTypes(t *testing.T) {
	var crd *crdv1.CustomResourceDefinition
	for _, o := range objects(t, "base/workqueues.yaml") {
		crd = o.(*crdv1.CustomResourceDefinition)
	}
	v := crd.Spec.Versions[0]
	if crd.Spec.Group+"/"+v.Name != workload.APIVersion || v.Subresources.Status == nil {
		t.Errorf("it is of %s/%s, status %v", crd.Spec.Group, v.Name, v.Subresources.Status)
	}
	compare(t, "", reflect.TypeFor[workload.WorkQueue](), v.Schema.OpenAPIV3Schema)
	text, err := json.Marshal(crd)
	if err != nil {
		t.Fatal(err)
	}
	if len(text) > 250_000 { // of which kubectl apply keeps a copy in an annotation of 256 KiB
		t.Errorf("it has %d bytes: kubectl apply would refuse it", len(text))
	}
}

// compare compares the fields of a struct with the properties of a schema, as
// deep as the types are our own or a Job's.
func compare(t *testing.T, path string, typ reflect.Type, s *crdv1.JSONSchemaProps) {
	t.Helper()
	for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice {
		if typ.Kind() == reflect.Slice && s.Items != nil {
			s = s.Items.Schema
		}
		typ = typ.Elem()
	}
	ours := strings.HasPrefix(typ.PkgPath(), "sluice.dev/") || strings.HasPrefix(typ.PkgPath(), "k8s.io/api/")
	if typ.Kind() != reflect.Struct || !ours {
		return
	}
	fields := fieldsOf(typ)
	for name, f := range fields {
		if p, ok := s.Properties[name]; ok {
			compare(t, path+"."+name, f, &p)
		} else {
			t.Errorf("%s.%s is not in the definition", path, name)
		}
	}
	for name := range s.Properties {
		if fields[name] == nil {
			t.Errorf("%s.%s is in the definition alone", path, name)
		}
	}
}

// fieldsOf are a struct's fields by their names in JSON, those of inlined structs
// among them.
func fieldsOf(typ reflect.Type) map[string]reflect.Type {
	fields := make(map[string]reflect.Type)
	for f := range typ.Fields() {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" {
			fields[name] = f.Type
		} else {
			maps.Copy(fields, fieldsOf(f.Type))
		}
	}
	return fields
}
