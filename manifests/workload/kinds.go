package workload

import (
	"fmt"
	"maps"
	"reflect"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"sluice.dev/internal/nearest"
)

// APIVersion is that of a WorkQueue.
const APIVersion = "sluice.dev/v1alpha1"

// kind is one of the kinds that a file may have.
type kind struct {
	apiVersion string
	object     reflect.Type
	maxName    int // letters in metadata.name
}

// Names are as long as Kubernetes allows. A WorkQueue names Jobs as a CronJob
// does, with a suffix of 11.
var kinds = map[string]kind{
	"WorkQueue":  {APIVersion, reflect.TypeFor[WorkQueue](), 52},
	"Job":        {"batch/v1", reflect.TypeFor[batchv1.Job](), 63},
	"CronJob":    {"batch/v1", reflect.TypeFor[batchv1.CronJob](), 52},
	"DaemonSet":  {"apps/v1", reflect.TypeFor[appsv1.DaemonSet](), 253},
	"Deployment": {"apps/v1", reflect.TypeFor[appsv1.Deployment](), 253},
	"ConfigMap":  {"v1", reflect.TypeFor[corev1.ConfigMap](), 253},
}

// kindNames are in alphabetical order.
var kindNames = slices.Sorted(maps.Keys(kinds))

// unknownKind is what to say of a kind that is none of ours.
func unknownKind(name string) string {
	if near := nearest.Of(name, kindNames); near != "" {
		return fmt.Sprintf("unknown kind %q: did you mean %q?", name, near)
	}
	return fmt.Sprintf("unknown kind %q: %s is allowed", name, anyOf(kindNames))
}

// retired are the versions that Kubernetes no longer serves.
var retired = map[string]bool{
	"batch/v1beta1": true, "batch/v2alpha1": true,
	"apps/v1beta1": true, "apps/v1beta2": true, "extensions/v1beta1": true,
}

func wrongVersion(kindName, got string) string {
	want := kinds[kindName].apiVersion
	if retired[got] {
		return fmt.Sprintf("%q is retired: a %s is %q", got, kindName, want)
	}
	return fmt.Sprintf("wrong version %q: a %s is %q", got, kindName, want)
}
