//go:build kubelet

package kubelet_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"

	"sluice.dev/integration/kube/kubelet"
)

// soon is when all should have happened that a test waits for, also where many
// other things run.
const soon = 2 * time.Minute

// store is the address of a Redis that pods reach, in which every test has a
// database.
var (
	store     = net.JoinHostPort(kubelet.Bridge, "6379")
	databases atomic.Int32
)

const password = "not-a-secret"

func startStore(ctx context.Context) error {
	err := node.Run("redis", "redis-server", "--bind", kubelet.Bridge, "--port", "6379", "--requirepass", password, "--databases", "1000", "--save", "", "--dir", kube.Dir())
	if err != nil {
		return err
	}
	return eventually(ctx, func(ctx context.Context) error {
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", store)
		if err == nil {
			c.Close()
		}
		return err
	})
}

// eventually waits for what should be so within a minute.
func eventually(ctx context.Context, condition func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := condition(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return err
		}
	}
}

// place is a namespace with a database of the store, and a folder of this
// machine.
type place struct {
	*testing.T
	namespace, url, dir string
}

func newPlace(t *testing.T) *place {
	t.Helper()
	p := &place{T: t, namespace: kube.Namespace(t), url: fmt.Sprintf("redis://:%s@%s/%d", password, store, databases.Add(1)), dir: t.TempDir()}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "sluice-store"}, StringData: map[string]string{"url": p.url}}
	if _, err := kube.Client().CoreV1().Secrets(p.namespace).Create(t.Context(), secret, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	return p
}

// queue makes a WorkQueue. In its pod template /place is the place's folder.
func (p *place) queue(name, spec, pod string) {
	p.Helper()
	text := fmt.Sprintf("apiVersion: sluice.dev/v1alpha1\nkind: WorkQueue\nmetadata: {name: %s}\nspec:\n%s  jobTemplate: {spec: {template: {spec: %s}}}\n",
		name, spec, strings.ReplaceAll(pod, "FOLDER", p.dir))
	w := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), w); err != nil {
		p.Fatal(err)
	}
	if _, err := objects.Resource(workQueues).Namespace(p.namespace).Create(p.Context(), w, metav1.CreateOptions{FieldValidation: metav1.FieldValidationStrict}); err != nil {
		p.Fatal(err)
	}
}

// enqueue adds items to a queue.
func (p *place) enqueue(queue string, items ...string) {
	p.Helper()
	cmd := p.sluice("enqueue", queue)
	cmd.Stdin = strings.NewReader(strings.Join(items, "\n"))
	if out, err := cmd.CombinedOutput(); err != nil {
		p.Fatalf("enqueue: %v: %s", err, out)
	}
}

func (p *place) sluice(args ...string) *exec.Cmd {
	cmd := exec.CommandContext(p.Context(), program, args...)
	cmd.Env = append(os.Environ(), "SLUICE_STORE="+p.url)
	return cmd
}

// item is what "sluice get items" tells of one. Of those that are done the store
// does not keep the line.
type item struct {
	ID       string
	Argument string
	State    string
	Attempts int
	Releases int
	Failures []struct{ Cause, Message string }
}

// settled waits until a queue has so many items, which all have ended, and
// returns those that are dead. The others it checks: done at the first attempt.
func (p *place) settled(queue string, n, releases int) (dead []item) {
	p.Helper()
	var all []item
	kube.Until(p.T, soon, func(context.Context) error {
		out, err := p.sluice("get", "items", "-q", queue, "--state", "delayed,ready,leased,done,dead", "-o", "json").Output()
		if err != nil {
			return fmt.Errorf("get items: %w: %s", err, out)
		}
		if err := json.Unmarshal(out, &all); err != nil {
			return err
		}
		for _, i := range all {
			if i.State != "done" && i.State != "dead" {
				return fmt.Errorf("item %+v", i)
			}
		}
		if len(all) != n {
			return fmt.Errorf("%d items, want %d", len(all), n)
		}
		return nil
	})
	for _, i := range all {
		switch {
		case i.State == "dead":
			dead = append(dead, i)
		case i.Attempts != 1 || i.Releases != releases:
			p.Errorf("item %+v, want it done at the first attempt, after %d releases", i, releases)
		}
	}
	return dead
}

// allDone waits until a queue has so many items, all done.
func (p *place) allDone(queue string, n, releases int) {
	p.Helper()
	if dead := p.settled(queue, n, releases); len(dead) > 0 {
		p.Errorf("dead are %+v", dead)
	}
}

// condition waits for a condition's status and reason, and something in its
// message.
func (p *place) condition(queue, kind, status, reason, message string) {
	p.Helper()
	kube.Until(p.T, soon, func(ctx context.Context) error {
		w, err := objects.Resource(workQueues).Namespace(p.namespace).Get(ctx, queue, metav1.GetOptions{})
		if err != nil {
			return err
		}
		list, _, _ := unstructured.NestedSlice(w.Object, "status", "conditions")
		for _, c := range list {
			c, _ := c.(map[string]any)
			if text, _ := c["message"].(string); c["type"] == kind && c["status"] == status && c["reason"] == reason && strings.Contains(text, message) {
				p.Logf("condition %s: %s: %s", kind, reason, text)
				return nil
			}
		}
		return fmt.Errorf("conditions %v, want %s %s %s: %s", list, kind, status, reason, message)
	})
}

// files are the names in the place's folder that begin with a word.
func (p *place) files(word string) []string {
	p.Helper()
	all, err := filepath.Glob(filepath.Join(p.dir, word+" *"))
	if err != nil {
		p.Fatal(err)
	}
	for i, name := range all {
		all[i] = filepath.Base(name)
	}
	return all
}

// begun waits until so many items are at the gate, or have been.
func (p *place) begun(n int) {
	p.Helper()
	kube.Until(p.T, soon, func(context.Context) error {
		if got := p.files("begin"); len(got) != n {
			return fmt.Errorf("begun are %q, want %d", got, n)
		}
		return nil
	})
}

// open lets the items at the gate end.
func (p *place) open() {
	p.Helper()
	if err := os.WriteFile(filepath.Join(p.dir, "open"), nil, 0o644); err != nil {
		p.Fatal(err)
	}
}

// pods are those of a WorkQueue.
func (p *place) pods(queue string) []corev1.Pod {
	p.Helper()
	list, err := kube.Client().CoreV1().Pods(p.namespace).List(p.Context(), metav1.ListOptions{LabelSelector: "sluice.dev/workqueue=" + queue})
	if err != nil {
		p.Fatal(err)
	}
	return list.Items
}
