//go:build speed

package coordinator_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/redis/go-redis/v9"
)

// TestReactionBesideKubectl measures from "sluice enqueue" of one item, with no
// worker there, to its Job and to the item's own first line of shell; and beside
// it from "kubectl create job" to the same line in its pod.
func TestReactionBesideKubectl(t *testing.T) {
	const rounds = 25
	kubectl := filepath.Join(t.TempDir(), "kubectl")
	if out, err := exec.Command("go", "build", "-o", kubectl, "../cmd/kubectl").CombinedOutput(); err != nil {
		t.Fatalf("build kubectl: %s", out)
	}
	p := newPlace(t)
	p.coordinate()
	jobs := p.jobs()
	for i := range rounds {
		p.queue(fmt.Sprint("r", i), "  scaling: {maxParallelism: 1}", "true")
	}
	p.settled(rounds)
	stamp := func(name string) string { return filepath.Join(p.TempDir(), name) }
	var made, ours, theirs []time.Duration
	for i := range rounds {
		queue := fmt.Sprint("r", i)
		began := time.Now()
		p.enqueue(queue, queue, 1)
		told := time.Since(began)
		at := p.firstLine(p.book, "begin "+queue+"-1")
		made = append(made, jobs.of(t, queue).Sub(began)-told)
		ours = append(ours, at.Sub(began))
		name, file := fmt.Sprint("plain", i), stamp(fmt.Sprint("plain", i))
		began = time.Now()
		cmd := exec.Command(kubectl, "--kubeconfig", kube.Kubeconfig(), "-n", p.namespace, "create", "job", name, "--image=any", "--",
			"sh", "-c", "echo begin >> "+file)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("kubectl create job: %s", out)
		}
		theirs = append(theirs, p.firstLine(file, "begin").Sub(began))
		p.ended(i+1, soon)
	}
	t.Logf("of %d rounds, p50 and p99: enqueued to Job %s, enqueue's start to the item's first line %s, kubectl's start to its pod's first line %s, ratio of medians %.2f",
		rounds, spread(made), spread(ours), spread(theirs), float64(quantile(ours, 0.5))/float64(quantile(theirs, 0.5)))
}

// TestWritesOfAThousandItems counts what a burst costs the API server.
func TestWritesOfAThousandItems(t *testing.T) {
	p := newPlace(t)
	p.coordinate()
	p.queue("burst", "  scaling: {maxParallelism: 10}", "true")
	p.settled(1)
	began := time.Now()
	p.enqueue("burst", "i", 1000)
	p.ended(1000, 10*time.Minute)
	took := time.Since(began)
	p.workers(0, soon)
	p.once(1000)
	byUser, all := p.requests(began, isWrite)
	t.Logf("1000 items in %s, 10 workers at most: %d writes of the coordinator, %d of everybody for this namespace", took.Round(time.Second), byUser, all)
	p.atMost(10)
}

// TestIdleAndManyWorkQueues measures what 100 idle WorkQueues cost a minute, and
// how a coordinator of 1000 reacts.
func TestIdleAndManyWorkQueues(t *testing.T) {
	p := newPlace(t)
	c := p.replica(config)
	fill := func(from, to int) {
		began := time.Now()
		for i := from; i < to; i++ {
			p.queue(fmt.Sprint("q", i), "  scaling: {maxParallelism: 1}", "true")
		}
		p.settled(to)
		t.Logf("WorkQueues %d to %d were made and seen to in %s", from, to, time.Since(began).Round(time.Second))
	}
	fill(0, 100)
	began, calls := time.Now(), p.storeCalls()
	<-time.After(time.Minute)
	requests, _ := p.requests(began, func(string) bool { return true })
	t.Logf("100 idle WorkQueues for a minute: %d requests of the coordinator to the API server, %d calls of the store", requests, p.storeCalls()-calls)
	fill(100, 1000)
	jobs := p.jobs()
	var took []time.Duration
	for _, i := range rand.Perm(1000)[:60] {
		queue := fmt.Sprint("q", i)
		p.enqueue(queue, queue, 1)
		began := time.Now()
		took = append(took, jobs.of(t, queue).Sub(began))
		p.ended(len(took), soon)
	}
	t.Logf("1000 WorkQueues: the coordinator has %s of memory; enqueued to Job, p50 and p99 of %d: %s", rss(t, c.Process.Pid), len(took), spread(took))
}

func isWrite(verb string) bool {
	return slices.Contains([]string{"create", "update", "patch", "delete", "deletecollection"}, verb)
}

// requests counts those for the place since a time, the coordinator's and all.
func (p *place) requests(since time.Time, which func(verb string) bool) (ours, all int) {
	p.Helper()
	events, err := kube.Audit()
	if err != nil {
		p.Fatal(err)
	}
	for _, e := range events {
		if e.StageTimestamp.Before(&metav1.MicroTime{Time: since}) || !which(e.Verb) || e.ObjectRef == nil || e.ObjectRef.Namespace != p.namespace {
			continue
		}
		all++
		if e.User.Username == account {
			ours++
		}
	}
	return ours, all
}

func (p *place) storeCalls() int64 {
	p.Helper()
	o, err := redis.ParseURL(p.url)
	if err != nil {
		p.Fatal(err)
	}
	c := redis.NewClient(o)
	defer c.Close()
	info, err := c.Info(p.Context(), "stats").Result()
	if err != nil {
		p.Fatal(err)
	}
	for line := range strings.Lines(info) {
		if n, ok := strings.CutPrefix(strings.TrimSpace(line), "total_commands_processed:"); ok {
			v, err := strconv.ParseInt(n, 10, 64)
			if err != nil {
				p.Fatal(err)
			}
			return v
		}
	}
	p.Fatal("the store does not tell its calls")
	return 0
}

// settled waits until so many WorkQueues have been seen to.
func (p *place) settled(n int) {
	p.Helper()
	until(p.T, 20*time.Minute, func(ctx context.Context) error {
		list, err := objects.Resource(workQueues).Namespace(p.namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		seen := 0
		for _, w := range list.Items {
			if status, ok := w.Object["status"].(map[string]any); ok && status["depth"] != nil {
				seen++
			}
		}
		if seen < n {
			return fmt.Errorf("%d of %d WorkQueues have a depth", seen, n)
		}
		return nil
	})
}

// firstLine waits for a line in a file, and says when it was there.
func (p *place) firstLine(file, begin string) (at time.Time) {
	p.Helper()
	until(p.T, soon, func(context.Context) error {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		for s := bufio.NewScanner(bytes.NewReader(text)); s.Scan(); {
			if strings.HasPrefix(s.Text(), begin) {
				at = time.Now()
				return nil
			}
		}
		return fmt.Errorf("no %q in %s", begin, file)
	})
	return at
}

// jobTimes is when the first Job of each WorkQueue was seen.
type jobTimes struct {
	mu sync.Mutex
	at map[string]time.Time
}

func (p *place) jobs() *jobTimes {
	p.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	w, err := kube.Client().BatchV1().Jobs(p.namespace).Watch(ctx, metav1.ListOptions{LabelSelector: "sluice.dev/workqueue"})
	if err != nil {
		cancel()
		p.Fatal(err)
	}
	j := &jobTimes{at: make(map[string]time.Time)}
	var wg sync.WaitGroup
	wg.Go(func() {
		for e := range w.ResultChan() {
			if o, ok := e.Object.(*batchv1.Job); ok {
				j.mu.Lock()
				if name := o.Labels["sluice.dev/workqueue"]; j.at[name].IsZero() {
					j.at[name] = time.Now()
				}
				j.mu.Unlock()
			}
		}
	})
	p.Cleanup(func() { cancel(); wg.Wait() })
	return j
}

func (j *jobTimes) of(t *testing.T, queue string) (at time.Time) {
	t.Helper()
	until(t, soon, func(context.Context) error {
		j.mu.Lock()
		defer j.mu.Unlock()
		if at = j.at[queue]; at.IsZero() {
			return fmt.Errorf("%s has no Job yet", queue)
		}
		return nil
	})
	return at
}

func rss(t *testing.T, pid int) string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if v, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			return strings.TrimSpace(v)
		}
	}
	t.Fatal("the kernel does not tell its memory")
	return ""
}

func quantile(of []time.Duration, q float64) time.Duration {
	sorted := slices.Sorted(slices.Values(of))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

func spread(of []time.Duration) string {
	return fmt.Sprintf("%s and %s", quantile(of, 0.5).Round(time.Millisecond), quantile(of, 0.99).Round(time.Millisecond))
}
