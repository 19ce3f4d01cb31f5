package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/manifests/workload"
)

func TestExplainSaysWhatWasSeenAndWhy(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	w := &workload.WorkQueue{ObjectMeta: metav1.ObjectMeta{Namespace: "renders", Name: "film", Generation: 3}}
	say := func() string {
		var b strings.Builder
		if err := explain(&b, w, now); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	if got := say(); got != "WorkQueue film: no coordinator has looked at it yet\n" {
		t.Errorf("of a new one it says %q", got)
	}
	w.Status = workload.WorkQueueStatus{
		ObservedGeneration: 2,
		Depth:              &workload.DepthStatus{Ready: 7, Leased: 2, Done: 30, Dead: 1},
		Workers:            workload.WorkersStatus{Live: 4, Pending: 1, Starting: 1, Running: 2, Busy: 2, Leaving: 1},
		Conditions: []metav1.Condition{
			{Type: "Accepted", Status: metav1.ConditionTrue, Reason: "Valid"},
			{Type: "Scaling", Status: metav1.ConditionFalse, Reason: "ImageError", Message: "pod film-1-a:\x1b[31m no such image"},
		},
		Decisions: []workload.DecisionStatus{
			{Time: metav1.NewTime(now.Add(-90 * time.Second)), Did: "launched 4 as Job film-1", Rule: "9 claimable, 0 free slots in 0 workers: 4 more"},
		},
	}
	const want = `WorkQueue  renders/film, queue film
Seen       not as it is now: generation 2 of 3
Items      7 ready (0 held), 2 leased, 0 delayed, 0 blocked, 30 done, 1 dead, 0 cancelled
Workers    4: 1 pending, 1 starting, 2 running, 2 of them busy; 1 leaving

Conditions
  Accepted     Valid
  not Scaling  ImageError  pod film-1-a:\x1b[31m no such image

Decisions, newest first
  1m30s ago  launched 4 as Job film-1  9 claimable, 0 free slots in 0 workers: 4 more
`
	if diff := cmp.Diff(want, say()); diff != "" {
		t.Error(diff)
	}
	w.Status.Conditions = []metav1.Condition{{Type: "StoreReachable", Status: metav1.ConditionFalse, Reason: "Error", Message: "refused"}}
	if got := say(); !strings.Contains(got, "\nSeen       when the queue could last be read\nItems      7 ready") {
		t.Errorf("of a queue that cannot be read it says %s", got)
	}
}
