package cluster

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Namespace makes a namespace for a test, in which pods can be made at once. It
// is deleted when the test ends, nodes left to clear it; a test that failed
// shows first what is in it.
func (c *Cluster) Namespace(t testing.TB) string {
	t.Helper()
	made, err := c.client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if t.Failed() {
			t.Log(c.describe(ctx, made.Name))
		}
		if err := c.client.CoreV1().Namespaces().Delete(ctx, made.Name, metav1.DeleteOptions{}); err != nil {
			t.Errorf("namespace %s: %v", made.Name, err)
		}
	})
	c.Until(t, 30*time.Second, func(ctx context.Context) error {
		_, err := c.client.CoreV1().ServiceAccounts(made.Name).Get(ctx, "default", metav1.GetOptions{})
		return err
	})
	return made.Name
}

// Until waits until a condition holds, which says why it does not yet, and fails
// the test when it does not in time.
func (c *Cluster) Until(t testing.TB, most time.Duration, condition func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), most)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := condition(ctx)
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("not within %s: %v", most, err)
		}
	}
}

// Logs is what a container of a pod has printed.
func (c *Cluster) Logs(ctx context.Context, namespace, pod, container string) (string, error) {
	b, err := c.client.CoreV1().Pods(namespace).GetLogs(pod, &corev1.PodLogOptions{Container: container}).DoRaw(ctx)
	return string(b), err
}

// describe is what of a namespace helps to see why a test failed.
func (c *Cluster) describe(ctx context.Context, namespace string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "namespace %s\n", namespace)
	if pods, err := c.client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{}); err == nil {
		for i := range pods.Items {
			c.describePod(ctx, &b, &pods.Items[i])
		}
	}
	if events, err := c.client.CoreV1().Events(namespace).List(ctx, metav1.ListOptions{}); err == nil {
		for _, e := range events.Items {
			fmt.Fprintf(&b, "event %s %s/%s %s: %s\n", e.LastTimestamp.Format(time.TimeOnly), e.InvolvedObject.Kind, e.InvolvedObject.Name, e.Reason, e.Message)
		}
	}
	return b.String()
}

func (c *Cluster) describePod(ctx context.Context, b io.Writer, p *corev1.Pod) {
	fmt.Fprintf(b, "pod %s on %q: %s %s %s\n", p.Name, p.Spec.NodeName, p.Status.Phase, p.Status.Reason, p.Status.Message)
	for _, s := range append(p.Status.InitContainerStatuses, p.Status.ContainerStatuses...) {
		fmt.Fprintf(b, "  %s restarts=%d %s\n", s.Name, s.RestartCount, s.State.String())
		if s.ContainerID == "" {
			continue
		}
		if log, err := c.Logs(ctx, p.Namespace, p.Name, s.Name); err == nil && log != "" {
			fmt.Fprintf(b, "    %s\n", strings.ReplaceAll(strings.TrimSpace(log[max(0, len(log)-2000):]), "\n", "\n    "))
		}
	}
}

// Run starts a cluster, runs the tests of a binary, and stops it again. It gives
// the cluster to use before the tests begin, and returns TestMain's exit code. A
// failed test binary shows the last of each component's log.
func Run(m *testing.M, o Options, use func(context.Context, *Cluster) error) int {
	ctx := context.Background()
	c, err := Start(ctx, o)
	if err == nil {
		err = use(ctx, c)
	}
	code := 1
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	} else {
		code = m.Run()
	}
	if c == nil {
		return code
	}
	if code != 0 {
		c.writeLogs(os.Stderr)
	}
	if err := c.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// writeLogs writes the last complaints of every component.
func (c *Cluster) writeLogs(w io.Writer) {
	const most = 10
	logs, err := filepath.Glob(filepath.Join(c.dir, "*.log"))
	if err != nil {
		fmt.Fprintln(w, err)
	}
	for _, name := range logs {
		b, err := os.ReadFile(name)
		if name == c.auditLog() || err != nil {
			continue
		}
		lines := slices.DeleteFunc(strings.Split(strings.TrimSpace(string(b)), "\n"), func(line string) bool {
			return line == "" || harmless.MatchString(line)
		})
		fmt.Fprintf(w, "== %s\n%s\n", filepath.Base(name), strings.Join(lines[max(0, len(lines)-most):], "\n"))
	}
}

// harmless is a line of a component's log that tells of no error.
var harmless = regexp.MustCompile(`^[IW]\d{4} |"level":"warn"|level=INFO`)
