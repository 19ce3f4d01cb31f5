package coordinator_test

import (
	"bufio"
	"context"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// What /metrics says after a run is what the WorkQueue's status says, and what was
// seen to happen.
func TestMetricsAreWhatTheStatusSays(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	address, health := freeAddress(t), freeAddress(t)
	p.coordinate("--metrics", address, "--health", health)
	p.queue("film", "  scaling: {maxParallelism: 3}\n  itemPolicy: {backoffLimit: 0}", `case $0 in bad*) echo "end $0 $HOSTNAME" >> `+p.book+`; exit 1;; esac`)
	p.enqueue("film", "good", 12)
	p.enqueue("film", "bad", 2)
	p.ended(14, soon)
	p.workers(0, soon)
	p.patch("film", `{"spec":{"suspend":true}}`)
	p.condition("film", "Scaling", "True", "Paused", soon)
	p.enqueue("film", "later", 5)

	p.mu.Lock()
	made := float64(p.made)
	p.mu.Unlock()
	until(t, soon, func(ctx context.Context) error {
		w, err := p.workQueue(ctx, "film")
		if err != nil {
			return err
		}
		got, err := p.metrics(ctx, address)
		if err != nil {
			return err
		}
		d, n := w.Status.Depth, w.Status.Workers
		want := map[string]float64{
			"items blocked": float64(d.Blocked), "items delayed": float64(d.Delayed), "items ready": float64(d.Ready), "items leased": float64(d.Leased),
			"items done": float64(d.Done), "items dead": float64(d.Dead), "items cancelled": float64(d.Cancelled),
			"workers pending": float64(n.Pending), "workers starting": float64(n.Starting), "workers running": float64(n.Running),
			"workers busy": float64(n.Busy), "workers leaving": float64(n.Leaving),
			"launched_workers_total": made, "dismissed_workers_total": made, "failed_looks_total": 0,
		}
		if !maps.Equal(got, want) || d.Ready != 5 || d.Done != 12 || d.Dead != 2 {
			return fmt.Errorf("metrics %v, want %v, which has 5 ready, 12 done, 2 dead", got, want)
		}
		return nil
	})

	p.server.kill()
	until(t, soon, func(ctx context.Context) error {
		got, err := p.metrics(ctx, address)
		if err == nil && got["failed_looks_total"] < 1 {
			err = fmt.Errorf("no failed look is counted: %v", got)
		}
		return err
	})
	for _, path := range []string{"/healthz", "/readyz"} {
		if body, err := get(t.Context(), "http://"+health+path); err != nil || strings.TrimSpace(body[0]) != "ok" {
			t.Errorf("%s says %q, %v", path, body, err)
		}
	}
	if err := objects.Resource(workQueues).Namespace(p.namespace).Delete(t.Context(), "film", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	until(t, soon, func(ctx context.Context) error {
		got, err := p.metrics(ctx, address)
		if err == nil && len(got) > 0 {
			err = fmt.Errorf("of a WorkQueue that is gone there are %v", got)
		}
		return err
	})
}

// metrics are those of the WorkQueue film, by their names and what else they are
// told apart by.
func (p *place) metrics(ctx context.Context, address string) (map[string]float64, error) {
	lines, err := get(ctx, "http://"+address+"/metrics")
	if err != nil {
		return nil, err
	}
	all := make(map[string]float64)
	whose := fmt.Sprintf("namespace=%q", p.namespace)
	for _, line := range lines {
		name, ours := strings.CutPrefix(line, "sluice_")
		name, labels, ok := strings.Cut(name, "{")
		if !ours || !ok || !strings.Contains(labels, whose) || !strings.Contains(labels, `workqueue="film"`) {
			continue
		}
		labels, value, _ := strings.Cut(labels, "} ")
		for label := range strings.SplitSeq(labels, ",") {
			if kind, is, _ := strings.Cut(label, "="); kind == "state" || kind == "stage" {
				name += " " + strings.Trim(is, `"`)
			}
		}
		if all[name], err = strconv.ParseFloat(value, 64); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// get is the lines of a page.
func get(ctx context.Context, url string) (lines []string, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	reply, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer reply.Body.Close()
	if reply.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", url, reply.Status)
	}
	s := bufio.NewScanner(reply.Body)
	for s.Scan() {
		lines = append(lines, s.Text())
	}
	return lines, s.Err()
}
