package kube

import (
	"slices"
	"strings"
	"testing"

	"sluice.dev/manifests/workload"
)

func TestEveryFaultIsNamed(t *testing.T) {
	w := film(t, `
  scaling: {minParallelism: 2, maxParallelism: 4}`)
	s := &w.Spec
	if faults := faultsOf(w); len(faults) > 0 {
		t.Fatalf("a good WorkQueue has faults: %q", faults)
	}
	s.Scaling.MaxParallelism = new(int32(1))
	s.JobTemplate.Spec.Completions = new(int32(3))
	s.Schedule = &workload.Schedule{Schedule: "@hourly"}
	s.After = "other"
	s.DeadlineSeconds = new(int64(5))
	got := faultsOf(w)
	for _, want := range []string{
		"spec.scaling.maxParallelism: 1 is out of range", "spec.jobTemplate.spec.completions: not for a WorkQueue",
		"spec.schedule: it is about the items", "spec.after: it is about the items", "spec.deadlineSeconds: it is about the items",
	} {
		if !slices.ContainsFunc(got, func(f string) bool { return strings.HasPrefix(f, want) }) {
			t.Errorf("no fault %q in %q", want, got)
		}
	}
}

func TestSourcesThatACoordinatorCannotRead(t *testing.T) {
	for _, tt := range []struct{ source, want string }{
		{"frames: {range: 1-9}", ""},
		{"list: [a, b]", ""},
		{"glob: '*.png'", "spec.source: files and glob"},
		{"files: [list.txt]", "spec.source: files and glob"},
		{"files: [list.txt]}\n  schedule: {schedule: '@daily'", ""},
	} {
		w := film(t, "\n  source: {"+tt.source+"}")
		got := strings.Join(faultsOf(w), "; ")
		if tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
			t.Errorf("source %s: faults %q, want %q", tt.source, got, tt.want)
		}
	}
}
