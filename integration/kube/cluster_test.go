package kube_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/coordinator/job"
	"sluice.dev/integration/kube/cluster"
	"sluice.dev/integration/kube/node"
)

// TestKubernetesOwnBackoff keeps the delays that other tests shorten.
func TestKubernetesOwnBackoff(t *testing.T) {
	t.Parallel()
	c := ownCluster(t, cluster.Options{JobBackoff: -1, JobBatch: -1})
	var j batchv1.Job
	decode(t, manifest(t, "jobs/backoff-limit", ""), &j)
	jobs := c.Client().BatchV1().Jobs(c.Namespace(t))
	if _, err := jobs.Create(t.Context(), &j, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	c.Until(t, soon, func(ctx context.Context) error {
		got, err := jobs.Get(ctx, j.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if j = *got; job.Finished(&j) == nil {
			return fmt.Errorf("Job %s has not ended: %+v", j.Name, j.Status)
		}
		return nil
	})
	pods, err := c.Client().CoreV1().Pods(j.Namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil || len(pods.Items) != 2 {
		t.Fatalf("%d pods, %v", len(pods.Items), err)
	}
	between := pods.Items[0].CreationTimestamp.Sub(pods.Items[1].CreationTimestamp.Time).Abs()
	if between < 10*time.Second {
		t.Errorf("the second pod came %s after the first, and Kubernetes waits 10 s", between)
	}
}

// oneMore is held by whoever runs a control plane besides the one of all tests:
// three at once are too many for a small machine.
var oneMore sync.Mutex

// ownCluster is for a test that others would notice.
func ownCluster(t *testing.T, o cluster.Options) *cluster.Cluster {
	t.Helper()
	oneMore.Lock()
	t.Cleanup(oneMore.Unlock)
	c, err := cluster.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(c.Dir()); !os.IsNotExist(err) {
			t.Errorf("folder %s is left: %v", c.Dir(), err)
		}
	})
	if _, err := c.StartNode(t.Context(), node.Options{Name: "node1"}); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAPodEndsThoughTheAPIServerIsAway(t *testing.T) {
	t.Parallel()
	c, dir := ownCluster(t, cluster.Options{}), t.TempDir()
	pods := c.Client().CoreV1().Pods(c.Namespace(t))
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "ends"},
		Spec: corev1.PodSpec{RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{{
			Name: "main", Image: "any", Command: []string{"sh", "-c", "touch $0/up; until test -e $0/go; do sleep 0.05; done; touch $0/ended", dir},
		}}},
	}
	if _, err := pods.Create(t.Context(), p, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	awaitFile(t, dir, "up")
	err := c.Outage(t.Context(), func() {
		if _, err := pods.Get(t.Context(), p.Name, metav1.GetOptions{}); err == nil {
			t.Error("the API server answers")
		}
		if err := os.WriteFile(filepath.Join(dir, "go"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		awaitFile(t, dir, "ended")
	})
	if err != nil {
		t.Fatal(err)
	}
	c.Until(t, soon, func(ctx context.Context) error {
		got, err := pods.Get(ctx, p.Name, metav1.GetOptions{})
		if err == nil && got.Status.Phase != corev1.PodSucceeded {
			err = fmt.Errorf("the pod is %s", got.Status.Phase)
		}
		return err
	})
}

// standIn has this test binary be the program that TestNothingIsLeft kills.
const standIn = "KUBE_TEST_STAND_IN"

// startAndWait is what that program does: a cluster with a pod that runs.
func startAndWait(dir string) error {
	ctx := context.Background()
	c, err := cluster.Start(ctx, cluster.Options{Dir: filepath.Join(dir, "state")})
	if err != nil {
		return err
	}
	if _, err := c.StartNode(ctx, node.Options{Name: "node1"}); err != nil {
		return err
	}
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "stays"},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{
			Name: "main", Image: "any", Command: []string{"sh", "-c", "setsid sleep infinity & echo $0 >$0/pod; wait", dir},
		}}},
	}
	if _, err := c.Client().CoreV1().Pods(metav1.NamespaceDefault).Create(ctx, pod, metav1.CreateOptions{}); err != nil {
		return err
	}
	fmt.Println("up")
	select {}
}

func TestNothingIsLeftOfATestThatIsKilled(t *testing.T) {
	t.Parallel()
	oneMore.Lock()
	t.Cleanup(oneMore.Unlock)
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), standIn+"="+dir)
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "up\n" {
		t.Fatalf("it says %q, %v", line, err)
	}
	awaitFile(t, dir, "pod")
	if list := processesOf(t, dir); len(list) < 7 { // itself, four components, a node and a container
		t.Errorf("its processes are %q", list)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	kube.Until(t, soon, func(context.Context) error {
		if left := processesOf(t, dir); len(left) > 0 {
			return fmt.Errorf("left are %q", left)
		}
		return nil
	})
}

// processesOf are the command lines of those that have the folder in theirs, or
// in their environment, and live.
func processesOf(t *testing.T, dir string) (list []string) {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		line, _ := os.ReadFile(filepath.Join(p, "cmdline")) // it may have ended
		environ, _ := os.ReadFile(filepath.Join(p, "environ"))
		if strings.Contains(string(line)+string(environ), dir) {
			list = append(list, strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return list
}
