package main

import (
	"testing"

	"sluice.dev/queue"
)

func TestBlockedItemsKeepAWorkerWhileTheirBatchMayFinish(t *testing.T) {
	waiting := queue.BatchInfo{Name: "b", After: "a", Depth: queue.Depth{Blocked: 1}}
	last := queue.BatchInfo{Name: "c", After: "b", Depth: queue.Depth{Blocked: 1}}
	for name, test := range map[string]struct {
		first queue.BatchInfo
		stuck bool
	}{
		"open":                {queue.BatchInfo{Name: "a"}, false},
		"sealed with work":    {queue.BatchInfo{Name: "a", Sealed: true, Depth: queue.Depth{Delayed: 1}}, false},
		"failed":              {queue.BatchInfo{Name: "a", Sealed: true, Depth: queue.Depth{Dead: 1}}, true},
		"failing":             {queue.BatchInfo{Name: "a", Depth: queue.Depth{Dead: 1, Ready: 1}}, true},
		"with an item missed": {queue.BatchInfo{Name: "a", Sealed: true, Depth: queue.Depth{Cancelled: 1}}, true},
		"cancelled":           {queue.BatchInfo{Name: "a", Cancelled: true}, true},
		"deleted":             {queue.BatchInfo{Name: "x"}, true},
	} {
		if got := stuck([]queue.BatchInfo{test.first, waiting, last}); got != test.stuck {
			t.Errorf("behind a batch that is %s: stuck is %t, want %t", name, got, test.stuck)
		}
	}
}
