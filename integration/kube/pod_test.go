package kube_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// createPod makes a pod from text, in which @DIR@ is dir.
func createPod(t *testing.T, namespace, dir, text string) *corev1.Pod {
	t.Helper()
	var p corev1.Pod
	decode(t, strings.ReplaceAll(text, "@DIR@", dir), &p)
	made, err := kube.Client().CoreV1().Pods(namespace).Create(t.Context(), &p, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// awaitPod waits until a pod is as wanted, and returns it.
func awaitPod(t *testing.T, p *corev1.Pod, what string, wanted func(*corev1.Pod) bool) *corev1.Pod {
	t.Helper()
	kube.Until(t, soon, func(ctx context.Context) error {
		got, err := kube.Client().CoreV1().Pods(p.Namespace).Get(ctx, p.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if p = got; !wanted(p) {
			return fmt.Errorf("pod %s is not %s: %+v", p.Name, what, p.Status)
		}
		return nil
	})
	return p
}

func awaitPhase(t *testing.T, p *corev1.Pod, phase corev1.PodPhase) *corev1.Pod {
	t.Helper()
	return awaitPod(t, p, string(phase), func(p *corev1.Pod) bool { return p.Status.Phase == phase })
}

func awaitGone(t *testing.T, p *corev1.Pod) {
	t.Helper()
	kube.Until(t, soon, func(ctx context.Context) error {
		got, err := kube.Client().CoreV1().Pods(p.Namespace).Get(ctx, p.Name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return fmt.Errorf("pod %s is still there: %+v %w", p.Name, got.Status, err)
	})
}

func logs(t *testing.T, p *corev1.Pod, container string) string {
	t.Helper()
	text, err := kube.Logs(t.Context(), p.Namespace, p.Name, container)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// inPod is what this test binary does as a container's command: it lists the
// pods of its namespace as its service account.
func inPod() int {
	config, err := rest.InClusterConfig()
	if err == nil {
		var client kubernetes.Interface
		if client, err = kubernetes.NewForConfig(config); err == nil {
			var list *corev1.PodList
			if list, err = client.CoreV1().Pods(os.Getenv("NAMESPACE")).List(context.Background(), metav1.ListOptions{}); err == nil {
				fmt.Println("pods:", len(list.Items))
				return 0
			}
		}
	}
	fmt.Println(err)
	return 1
}

func TestAPodIsItsServiceAccount(t *testing.T) {
	t.Parallel()
	namespace := kube.Namespace(t)
	const text = `{metadata: {name: NAME}, spec: {restartPolicy: Never, containers: [
		{name: main, image: this-test, env: [{name: NAMESPACE, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}]}]}}`

	p := awaitPhase(t, createPod(t, namespace, "", strings.Replace(text, "NAME", "stranger", 1)), corev1.PodFailed)
	if got, want := logs(t, p, "main"), `User "system:serviceaccount:`+namespace+`:default" cannot list resource "pods"`; !strings.Contains(got, want) {
		t.Errorf("without a role the pod is told %q, want %q", got, want)
	}

	rbac := kube.Client().RbacV1()
	role := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: "reader"}, Rules: []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"list"}}}}
	if _, err := rbac.Roles(namespace).Create(t.Context(), role, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	binding := &rbacv1.RoleBinding{ObjectMeta: role.ObjectMeta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: role.Name},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: "default", Namespace: namespace}}}
	if _, err := rbac.RoleBindings(namespace).Create(t.Context(), binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	p = awaitPhase(t, createPod(t, namespace, "", strings.Replace(text, "NAME", "reader", 1)), corev1.PodSucceeded)
	if got := logs(t, p, "main"); got != "pods: 2\n" {
		t.Errorf("with a role it prints %q", got)
	}
}

func TestVolumesStandAtTheirPaths(t *testing.T) {
	t.Parallel()
	namespace, dir, core := kube.Namespace(t), t.TempDir(), kube.Client().CoreV1()
	if _, err := core.ConfigMaps(namespace).Create(t.Context(), &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "settings"}, Data: map[string]string{"one": "1", "two": "2"}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := core.Secrets(namespace).Create(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "keys"}, StringData: map[string]string{"PASS": "word"}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	var (
		volume corev1.PersistentVolume
		claim  corev1.PersistentVolumeClaim
	)
	decode(t, fmt.Sprintf(`{metadata: {name: %s}, spec: {capacity: {storage: 1Gi}, accessModes: [ReadWriteMany], storageClassName: "",
		hostPath: {path: %s}, claimRef: {namespace: %[1]s, name: shared}}}`, namespace, dir), &volume)
	decode(t, `{metadata: {name: shared}, spec: {accessModes: [ReadWriteMany], storageClassName: "", resources: {requests: {storage: 1Gi}}}}`, &claim)
	if _, err := core.PersistentVolumes().Create(t.Context(), &volume, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := core.PersistentVolumeClaims(namespace).Create(t.Context(), &claim, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}

	p := awaitPhase(t, createPod(t, namespace, dir, manifest(t, "pods/volumes", dir)), corev1.PodSucceeded)
	const want = `1
deux: 2
word
word
film
from first
read-only
host sees nothing
`
	if got := logs(t, p, "main"); got != want {
		t.Errorf("the pod prints\n%s\nwant\n%s", got, want)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "out")); err != nil || string(b) != "published\n" {
		t.Errorf("on the shared volume stands %q, %v", b, err)
	}
	for _, path := range []string{"/data-of-a-pod", "/run/secrets/kubernetes.io", "/dev/termination-log"} {
		if _, err := os.Lstat(path); err == nil {
			t.Errorf("the pod has left %s on this machine", path)
		}
	}
	if s := p.Status.ContainerStatuses[0]; s.State.Terminated.Message != "last words\n" {
		t.Errorf("its last words are %q", s.State.Terminated.Message)
	}
}

func TestASidecarRunsBesideAndEndsLast(t *testing.T) {
	t.Parallel()
	namespace, dir := kube.Namespace(t), t.TempDir()
	p := awaitPhase(t, createPod(t, namespace, dir, manifest(t, "pods/sidecar", dir)), corev1.PodSucceeded)
	if got, want := logs(t, p, "main"), "beside is up\nbefore has run\n"; got != want {
		t.Errorf("main prints %q, want %q", got, want)
	}
	if got, want := logs(t, p, "beside"), "main has ended\n"; got != want {
		t.Errorf("the sidecar prints %q, want %q", got, want)
	}
	if s := p.Status.InitContainerStatuses[0].State.Terminated; s == nil || s.ExitCode != 0 {
		t.Errorf("the sidecar ended as %+v", s)
	}
}

func TestAPodWaitsForWhatItNeeds(t *testing.T) {
	t.Parallel()
	namespace := kube.Namespace(t)
	waiting := func(reason string) func(*corev1.Pod) bool {
		return func(p *corev1.Pod) bool {
			s := p.Status.ContainerStatuses
			return p.Status.Phase == corev1.PodPending && len(s) == 1 && s[0].State.Waiting != nil && s[0].State.Waiting.Reason == reason
		}
	}
	image := createPod(t, namespace, "", `{metadata: {name: image}, spec: {containers: [{name: main, image: missing/image:1}]}}`)
	p := createPod(t, namespace, "", `{metadata: {name: later}, spec: {restartPolicy: Never, containers: [
		{name: main, image: any, command: [sh, -c, echo $SAID], envFrom: [{configMapRef: {name: later}}]}]}}`)
	awaitPod(t, p, "waiting for its ConfigMap", waiting("CreateContainerConfigError"))
	if _, err := kube.Client().CoreV1().ConfigMaps(namespace).Create(t.Context(), &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "later"}, Data: map[string]string{"SAID": "at last"}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	p = awaitPhase(t, p, corev1.PodSucceeded)
	if got := logs(t, p, "main"); got != "at last\n" {
		t.Errorf("it prints %q", got)
	}
	awaitPod(t, image, "waiting for its image", waiting("ImagePullBackOff"))
}
