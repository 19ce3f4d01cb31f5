package kube_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/integration/kube/cluster"
	"sluice.dev/integration/kube/node"
)

func TestADaemonSetHasAPodOnEachNodeItTolerates(t *testing.T) {
	t.Parallel()
	namespace := kube.Namespace(t)
	taint := func(key string) []corev1.Taint {
		return []corev1.Taint{{Key: key, Value: "daemons", Effect: corev1.TaintEffectNoSchedule}}
	}
	startDaemonNode(t, "daemon1", taint("pool"))
	startDaemonNode(t, "daemon2", taint("pool"))
	third := startDaemonNode(t, "daemon3", append(taint("pool"), taint("other")...))

	create := func(name string, more ...corev1.Toleration) {
		var set appsv1.DaemonSet
		decode(t, strings.ReplaceAll(manifest(t, "daemonset", ""), "NAME", name), &set)
		set.Spec.Template.Spec.Tolerations = append(set.Spec.Template.Spec.Tolerations, more...)
		if _, err := kube.Client().AppsV1().DaemonSets(namespace).Create(t.Context(), &set, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	create("some")
	create("all", corev1.Toleration{Key: "other", Operator: corev1.TolerationOpExists})
	awaitDaemons(t, namespace, "some", "daemon1", "daemon2")
	awaitDaemons(t, namespace, "all", "daemon1", "daemon2", "daemon3")
	startDaemonNode(t, "daemon4", taint("pool"))
	awaitDaemons(t, namespace, "some", "daemon1", "daemon2", "daemon4")
	if err := third.Remove(t.Context()); err != nil {
		t.Fatal(err)
	}
	awaitDaemons(t, namespace, "all", "daemon1", "daemon2", "daemon4")
}

func startDaemonNode(t *testing.T, name string, taints []corev1.Taint) *cluster.Node {
	t.Helper()
	n, err := kube.StartNode(t.Context(), node.Options{Name: name, Labels: map[string]string{"pool": "daemons"}, Taints: taints})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Remove(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return n
}

// awaitDaemons waits until the pods of a DaemonSet run, one on each of these
// nodes, and print their node and limits.
func awaitDaemons(t *testing.T, namespace, name string, nodes ...string) {
	t.Helper()
	kube.Until(t, soon, func(ctx context.Context) error {
		pods, err := kube.Client().CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: "app=" + name})
		if err != nil {
			return err
		}
		var on []string
		for _, p := range pods.Items {
			if p.Status.Phase != corev1.PodRunning || p.DeletionTimestamp != nil {
				return fmt.Errorf("pod %s on %s is %s", p.Name, p.Spec.NodeName, p.Status.Phase)
			}
			printed, err := kube.Logs(ctx, namespace, p.Name, "main")
			if err != nil {
				return err
			}
			if want := p.Spec.NodeName + " 2 128\n"; printed != want { // 1.5 processors, rounded up
				return fmt.Errorf("pod %s prints %q, want %q", p.Name, printed, want)
			}
			on = append(on, p.Spec.NodeName)
		}
		if slices.Sort(on); !slices.Equal(on, nodes) {
			return fmt.Errorf("DaemonSet %s has pods on %v, want %v", name, on, nodes)
		}
		return nil
	})
}
