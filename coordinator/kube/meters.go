package kube

import (
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"

	"sluice.dev/manifests/workload"
	"sluice.dev/queue"
)

// meters are what Prometheus reads.
type meters struct {
	items, workers              *prometheus.GaugeVec
	launched, dismissed, failed *prometheus.CounterVec
}

func newMeters(r prometheus.Registerer) (*meters, error) {
	of := []string{"namespace", "workqueue"}
	gauge := func(name, help, label string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "sluice", Name: name, Help: help}, append(of[:2:2], label))
	}
	counter := func(name, help string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "sluice", Name: name, Help: help}, of)
	}
	m := &meters{
		items:     gauge("items", "Items of a queue by state.", "state"),
		workers:   gauge("workers", "Workers of a WorkQueue by stage: pending, starting, running, busy, leaving.", "stage"),
		launched:  counter("launched_workers_total", "Workers that were launched."),
		dismissed: counter("dismissed_workers_total", "Idle workers that were let go."),
		failed:    counter("failed_looks_total", "Looks that could not read the queue."),
	}
	for _, c := range m.all() {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// vector is what all kinds of metric have.
type vector interface {
	prometheus.Collector
	DeletePartialMatch(prometheus.Labels) int
}

func (m *meters) all() []vector {
	return []vector{m.items, m.workers, m.launched, m.dismissed, m.failed}
}

// see takes the numbers of a look.
func (m *meters) see(w *workload.WorkQueue, d queue.Depth) {
	for state, n := range map[queue.State]int64{
		queue.Blocked: d.Blocked, queue.Delayed: d.Delayed, queue.Ready: d.Ready, queue.Leased: d.Leased,
		queue.Done: d.Done, queue.Dead: d.Dead, queue.Cancelled: d.Cancelled,
	} {
		m.items.WithLabelValues(w.Namespace, w.Name, string(state)).Set(float64(n))
	}
	for _, c := range []*prometheus.CounterVec{m.launched, m.dismissed, m.failed} {
		c.WithLabelValues(w.Namespace, w.Name) // is 0 before it counts
	}
	s := w.Status.Workers
	for name, n := range map[string]int32{
		"pending": s.Pending, "starting": s.Starting, "running": s.Running, "busy": s.Busy, "leaving": s.Leaving,
	} {
		m.workers.WithLabelValues(w.Namespace, w.Name, name).Set(float64(n))
	}
}

// forget drops what is known of a WorkQueue that is gone.
func (m *meters) forget(key types.NamespacedName) {
	for _, v := range m.all() {
		v.DeletePartialMatch(prometheus.Labels{"namespace": key.Namespace, "workqueue": key.Name})
	}
}
