package coordinator_test

import (
	"context"
	"fmt"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"
)

// A coordinator is killed again and again, at any moment, the next one begins at
// once, and for some of the time there are two that both believe that they lead.
func TestCoordinatorsThatAreKilledAndDoubled(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.queue("film", "  scaling: {maxParallelism: 5}", "sleep 0.5")
	kill := p.coordinate()
	for i := range 6 {
		p.enqueue("film", fmt.Sprint(i), 10)
		until(t, soon, func(context.Context) error {
			if len(p.lines("begin")) <= 8*i {
				return fmt.Errorf("%d items have begun", len(p.lines("begin")))
			}
			return nil
		})
		second := p.coordinate()
		if i%2 == 0 {
			kill()
			kill = second
		} else {
			defer second()
		}
	}
	p.ended(60, soon)
	p.workers(0, soon)
	p.once(60)
	p.atMost(5)
	p.undisturbed()
}

// Its worker is killed under the first item, whose lease would last for long.
func TestTheLeasesOfADeadWorkerEndWithIt(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.coordinate()
	p.queue("film", "  scaling: {maxParallelism: 1}\n  itemPolicy: {lease: 10m, retryDelay: 100ms}",
		`if [ "$(grep -c "begin $0 " `+p.book+`)" = 1 ]; then kill -9 $PPID; sleep 60; fi`)
	p.enqueue("film", "a", 1)
	p.ended(1, soon)
	p.workers(0, soon)
	if got := len(p.lines("begin")); got != 2 {
		t.Errorf("the item began %d times, want 2", got)
	}
}

func TestAnImageThatIsNotThereHoldsLaunchesBackUntilItIsSaidRight(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.coordinate()
	p.queue("film", "  scaling: {maxParallelism: 4}", "true")
	p.patch("film", `{"spec":{"suspend":true}}`)
	p.condition("film", "Scaling", "True", "Paused", soon)
	p.setImage("missing/render")
	p.enqueue("film", "a", 1)
	p.patch("film", `{"spec":{"suspend":false}}`)
	p.condition("film", "Scaling", "False", "ImageError", soon)
	p.enqueue("film", "b", 10) // would ask for three more
	p.condition("film", "Scaling", "False", "ImageError", soon)
	p.mu.Lock()
	if p.made != 1 {
		t.Errorf("%d pods were made that cannot start, want 1", p.made)
	}
	p.mu.Unlock()
	p.setImage("any")
	p.ended(11, soon)
	p.condition("film", "Scaling", "True", "Enough", soon)
	p.workers(0, soon)
	p.once(11)
}

// setImage changes the image of the workers.
func (p *place) setImage(name string) {
	p.Helper()
	queues := objects.Resource(workQueues).Namespace(p.namespace)
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error { // the coordinator writes the status meanwhile
		w, err := queues.Get(p.Context(), "film", metav1.GetOptions{})
		if err != nil {
			return err
		}
		pod := w.Object["spec"].(map[string]any)["jobTemplate"].(map[string]any)["spec"].(map[string]any)["template"].(map[string]any)["spec"].(map[string]any)
		pod["containers"].([]any)[0].(map[string]any)["image"] = name
		_, err = queues.Update(p.Context(), w, metav1.UpdateOptions{})
		return err
	})
	if err != nil {
		p.Fatal(err)
	}
}

func TestABadWorkQueueIsRefusedByTheAPIServer(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.queue("film", "", "true")
	for _, change := range []string{
		`{"spec":{"scaling":{"minParallelism":3,"maxParallelism":2}}}`,
		`{"spec":{"scaling":{"maxParallelism":0}}}`,
		`{"spec":{"itemPolicy":{"lease":"1ms"}}}`,
		`{"spec":{"itemPolicy":{"lease":"soon"}}}`,
		`{"spec":{"itemPolicy":{"failExitCodes":[0]}}}`,
		`{"spec":{"itemPolicy":{"existing":"maybe"}}}`,
		`{"spec":{"jobTemplate":{"spec":{"completions":3}}}}`,
		`{"spec":{"jobTemplate":{"spec":{"backoffLimit":3}}}}`,
		`{"spec":{"jobTemplate":{"spec":{"template":{"spec":{"restartPolicy":"OnFailure"}}}}}}`,
		`{"spec":{"jobTemplate":{"spec":{"template":{"spec":{"containerz":[]}}}}}}`,
	} {
		_, err := objects.Resource(workQueues).Namespace(p.namespace).Patch(t.Context(), "film", "application/merge-patch+json", []byte(change),
			metav1.PatchOptions{FieldValidation: metav1.FieldValidationStrict})
		if err == nil {
			t.Errorf("%s was accepted", change)
		} else {
			t.Log(err)
		}
	}
}
