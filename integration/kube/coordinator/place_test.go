package coordinator_test

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

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/apimachinery/pkg/watch"
)

// soon is when all should have happened that a test waits for, also where many
// other things run.
const soon = 3 * time.Minute

// place is a namespace with a store, a coordinator and a book in which items
// write down when they begin and end.
type place struct {
	*testing.T
	namespace, url, book string
	server               *storeServer
	env                  []string // of coordinators
	replicas             []*replica
	dropped              bool // a WorkQueue, by the test itself: its workers end with it

	mu     sync.Mutex
	active map[types.UID]bool // pods that have not ended
	most   int                // of them at once
	made   int                // pods
}

func newPlace(t *testing.T) *place {
	t.Helper()
	s := startStore(t)
	p := &place{T: t, namespace: kube.Namespace(t), server: s, url: s.url, book: filepath.Join(t.TempDir(), "book"), active: make(map[types.UID]bool)}
	if err := os.WriteFile(p.book, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "sluice-store"}, StringData: map[string]string{"url": p.url}}
	if _, err := kube.Client().CoreV1().Secrets(p.namespace).Create(t.Context(), secret, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	p.watch()
	t.Cleanup(p.busyWereLeftAlone)
	return p
}

// queue makes a WorkQueue whose items write into the book and then run a line of
// shell.
func (p *place) queue(name, spec, line string) {
	p.Helper()
	text := fmt.Sprintf(`
apiVersion: sluice.dev/v1alpha1
kind: WorkQueue
metadata: {name: %s}
spec:
%s
  jobTemplate:
    spec:
      template:
        spec:
          terminationGracePeriodSeconds: 10
          tolerations: [{operator: Exists, effect: NoExecute}] # a machine with too much to do makes nodes silent
          containers:
          - name: work
            image: any
            command: [sh, -c, 'echo "begin $0 $HOSTNAME" >> %s; %s && echo "end $0 $HOSTNAME" >> %s', "{}"]
            env: [{name: HOSTNAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]
`, name, spec, p.book, line, p.book)
	w := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), w); err != nil {
		p.Fatal(err)
	}
	if _, err := objects.Resource(workQueues).Namespace(p.namespace).Create(p.Context(), w, metav1.CreateOptions{FieldValidation: metav1.FieldValidationStrict}); err != nil {
		p.Fatal(err)
	}
}

// patch changes a WorkQueue.
func (p *place) patch(name, change string) {
	p.Helper()
	if _, err := objects.Resource(workQueues).Namespace(p.namespace).Patch(p.Context(), name, types.MergePatchType, []byte(change), metav1.PatchOptions{}); err != nil {
		p.Fatal(err)
	}
}

// enqueue adds the items from-1, from-2 ... from-n.
func (p *place) enqueue(queue, from string, n int) {
	p.Helper()
	var lines strings.Builder
	for i := range n {
		fmt.Fprintf(&lines, "%s-%d\n", from, i+1)
	}
	cmd := exec.CommandContext(p.Context(), program, "enqueue", queue)
	cmd.Env = append(os.Environ(), "SLUICE_STORE="+p.url)
	cmd.Stdin = strings.NewReader(lines.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		p.Fatalf("enqueue: %v: %s", err, out)
	}
}

// lines are what the book has of a word, such as begin: item, pod.
func (p *place) lines(word string) (lines [][2]string) {
	p.Helper()
	f, err := os.Open(p.book)
	if err != nil {
		p.Fatal(err)
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if w := strings.Fields(s.Text()); len(w) == 3 && w[0] == word {
			lines = append(lines, [2]string{w[1], w[2]})
		}
	}
	return lines
}

// begun waits until so many items have begun.
func (p *place) begun(n int) {
	p.Helper()
	until(p.T, soon, func(context.Context) error {
		if got := len(p.lines("begin")); got < n {
			return fmt.Errorf("%d of %d items have begun", got, n)
		}
		return nil
	})
}

// ended waits until so many items have ended.
func (p *place) ended(n int, most time.Duration) {
	p.Helper()
	until(p.T, most, func(context.Context) error {
		if got := len(p.lines("end")); got < n {
			return fmt.Errorf("%d of %d items have ended", got, n)
		}
		return nil
	})
}

// once checks that every item began once, and no others did.
func (p *place) once(n int) {
	p.Helper()
	begun := make(map[string]int)
	for _, l := range p.lines("begin") {
		begun[l[0]]++
	}
	if len(begun) != n {
		p.Errorf("%d items began, want %d", len(begun), n)
	}
	for item, times := range begun {
		if times != 1 {
			p.Errorf("item %s began %d times", item, times)
		}
	}
}

// watch counts pods until the test ends, also after an outage of the API server.
func (p *place) watch() {
	ctx, cancel := context.WithCancel(context.Background())
	open := func() (watch.Interface, error) { // it begins with all pods that there are
		return kube.Client().CoreV1().Pods(p.namespace).Watch(ctx, metav1.ListOptions{LabelSelector: "sluice.dev/workqueue"})
	}
	w, err := open()
	if err != nil {
		cancel()
		p.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for again := time.NewTicker(200 * time.Millisecond); ; {
			for e := range w.ResultChan() {
				p.see(e)
			}
			for w, err = open(); err != nil && ctx.Err() == nil; w, err = open() {
				<-again.C
			}
			if ctx.Err() != nil {
				return
			}
			p.mu.Lock()
			for uid := range p.active { // those that are there still are told now
				p.active[uid] = false
			}
			p.mu.Unlock()
		}
	})
	p.Cleanup(func() { cancel(); wg.Wait() })
}

func (p *place) see(e watch.Event) {
	pod, ok := e.Object.(*corev1.Pod)
	if !ok {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, known := p.active[pod.UID]; !known {
		p.made++
	}
	p.active[pod.UID] = e.Type != "DELETED" && pod.Status.Phase != corev1.PodSucceeded && pod.Status.Phase != corev1.PodFailed
	p.most = max(p.most, p.live())
}

// live is how many pods have not ended; mu is held.
func (p *place) live() (n int) {
	for _, a := range p.active {
		if a {
			n++
		}
	}
	return n
}

// workers waits until there are so many.
func (p *place) workers(n int, most time.Duration) {
	p.Helper()
	until(p.T, most, func(context.Context) error {
		p.mu.Lock()
		defer p.mu.Unlock()
		if got := p.live(); got != n {
			return fmt.Errorf("%d workers, want %d", got, n)
		}
		return nil
	})
}

// atMost checks how many workers there ever were at once, and says how many pods
// found nothing to do.
func (p *place) atMost(n int) {
	p.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.most > n {
		p.Errorf("there were %d workers at once, want %d at the most", p.most, n)
	}
	useful := make(map[string]bool)
	for _, l := range p.lines("begin") {
		useful[l[1]] = true
	}
	p.Logf("%d pods, %d of them found nothing to do, %d at once at the most", p.made, p.made-len(useful), p.most)
}

// condition waits for a condition's status and reason.
func (p *place) condition(queue, kind, status, reason string, most time.Duration) {
	p.Helper()
	p.conditionLike(queue, fmt.Sprintf("%s %s %s", kind, status, reason), most, func(c map[string]any) bool {
		return c["type"] == kind && c["status"] == status && c["reason"] == reason
	})
}

// conditionSays waits for a condition whose message begins in some way.
func (p *place) conditionSays(queue, kind, message string) {
	p.Helper()
	p.conditionLike(queue, kind+": "+message, soon, func(c map[string]any) bool {
		text, _ := c["message"].(string)
		return c["type"] == kind && strings.HasPrefix(text, message)
	})
}

func (p *place) conditionLike(queue, what string, most time.Duration, like func(map[string]any) bool) {
	p.Helper()
	until(p.T, most, func(ctx context.Context) error {
		w, err := objects.Resource(workQueues).Namespace(p.namespace).Get(ctx, queue, metav1.GetOptions{})
		if err != nil {
			return err
		}
		list, _, _ := unstructured.NestedSlice(w.Object, "status", "conditions")
		for _, c := range list {
			if c, ok := c.(map[string]any); ok && like(c) {
				return nil
			}
		}
		return fmt.Errorf("conditions %v, want %s", list, what)
	})
}
