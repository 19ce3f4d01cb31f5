package workload

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"sluice.dev/internal/nearest"
)

// checkAfter refuses a WorkQueue that follows one that is not there, or in a
// circle.
func (f *File) checkAfter() {
	after := make(map[string]string)
	var queues []*Document
	for _, d := range f.Documents {
		if q, ok := d.Object.(*WorkQueue); ok {
			queues = append(queues, d)
			after[d.Name] = q.Spec.After
		}
	}
	for _, d := range queues {
		next := d.Object.(*WorkQueue).Spec.After
		if next == "" {
			continue
		}
		if _, ok := after[next]; !ok {
			d.refuse("spec.after", "%s", unknownQueue(next, after))
		} else if circle := follow(d.Name, next, after); circle != nil {
			d.refuse("spec.after", "it would wait for itself: %s", strings.Join(circle, " after "))
		} else if d.has("spec.schedule") {
			d.refuse("spec.schedule", "not with spec.after: each batch of %s has one of %s follow it", next, d.Name)
		}
	}
}

func unknownQueue(name string, known map[string]string) string {
	if near := nearest.Of(name, slices.Sorted(maps.Keys(known))); near != "" {
		return fmt.Sprintf("unknown WorkQueue %s: did you mean %q?", clip(name), near)
	}
	return fmt.Sprintf("unknown WorkQueue %s: one of these files is allowed", clip(name))
}

// follow is the way from name back to itself, nil if it does not lead there.
func follow(name, next string, after map[string]string) []string {
	way := []string{name}
	for range after {
		way = append(way, next)
		if next == name {
			return way
		}
		if next = after[next]; next == "" {
			return nil
		}
	}
	return nil
}
