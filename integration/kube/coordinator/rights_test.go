package coordinator_test

import (
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// All other tests show that its rights are enough.
func TestWhatTheCoordinatorMayNotDo(t *testing.T) {
	t.Parallel()
	cfg, err := kube.User(account, "system:serviceaccounts", "system:serviceaccounts:sluice-system", "system:authenticated")
	if err != nil {
		t.Fatal(err)
	}
	c, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, ns := t.Context(), "default"
	for what, try := range map[string]func() error{
		"delete a pod":        func() error { return c.CoreV1().Pods(ns).Delete(ctx, "p", metav1.DeleteOptions{}) },
		"read another Secret": func() error { _, err := c.CoreV1().Secrets(ns).Get(ctx, "p", metav1.GetOptions{}); return err },
		"list Secrets":        func() error { _, err := c.CoreV1().Secrets(ns).List(ctx, metav1.ListOptions{}); return err },
		"change a Job": func() error {
			_, err := c.BatchV1().Jobs(ns).Update(ctx, named("j"), metav1.UpdateOptions{})
			return err
		},
		"grant rights": func() error {
			_, err := c.RbacV1().Roles(ns).Create(ctx, &rbacv1.Role{}, metav1.CreateOptions{})
			return err
		},
		"take another's Lease": func() error { return c.CoordinationV1().Leases("kube-system").Delete(ctx, "l", metav1.DeleteOptions{}) },
		"run something in a pod": func() error {
			return c.CoreV1().RESTClient().Post().Namespace(ns).Resource("pods").Name("p").SubResource("exec").Do(ctx).Error()
		},
		"use others' permissions": func() error {
			return c.CoreV1().RESTClient().Get().Resource("pods").SetHeader("Impersonate-User", "admin").Do(ctx).Error()
		},
	} {
		if err := try(); !apierrors.IsForbidden(err) {
			t.Errorf("it may %s: %v", what, err)
		}
	}
	if _, err := c.CoreV1().Secrets(ns).Get(ctx, "sluice-store", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("it may not read sluice-store: %v", err)
	}
}

func named(name string) *batchv1.Job { return &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: name}} }
