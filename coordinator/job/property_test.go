package job

import (
	"testing"
	"testing/synctest"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"pgregory.net/rapid"
)

// Whatever pods do, a Job ends, and never has more of them than parallelism or
// more successes than completions.
func TestAnyPatternOfExits(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		number := func(name string, low, high int32) *int32 { return new(rapid.Int32Range(low, high).Draw(rt, name)) }
		j := manifest(func(s *batchv1.JobSpec) {
			s.Parallelism = number("parallelism", 1, 5)
			if rapid.Bool().Draw(rt, "completions set") {
				s.Completions = number("completions", 0, 12)
			}
			s.BackoffLimit = number("backoffLimit", 0, 4)
			if s.Completions != nil && rapid.Bool().Draw(rt, "indexed") {
				s.CompletionMode = new(batchv1.IndexedCompletion)
				if rapid.Bool().Draw(rt, "per index") {
					s.BackoffLimitPerIndex, s.BackoffLimit = number("backoffLimitPerIndex", 0, 2), nil
				}
			}
			if rapid.Bool().Draw(rt, "policy") {
				action := rapid.SampledFrom([]batchv1.PodFailurePolicyAction{
					batchv1.PodFailurePolicyActionCount, batchv1.PodFailurePolicyActionFailJob,
				}).Draw(rt, "action")
				s.PodFailurePolicy = failurePolicy(action, batchv1.PodFailurePolicyOnExitCodesOpIn, 2)
			}
			if rapid.Bool().Draw(rt, "deadline set") {
				s.ActiveDeadlineSeconds = new(rapid.Int64Range(0, 300).Draw(rt, "activeDeadlineSeconds"))
			}
		})
		exits := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) run {
			return run{
				lasts: time.Duration(rapid.IntRange(0, 30).Draw(rt, "lasts")) * time.Second,
				code:  rapid.SampledFrom([]int32{0, 0, 1, 2, 137}).Draw(rt, "code"),
				drain: time.Duration(rapid.IntRange(0, 5).Draw(rt, "drain")) * time.Second,
			}
		}), 1, 20).Draw(rt, "exits")

		synctest.Test(t, func(t *testing.T) {
			pods := newFakePods(func(n int, _ *corev1.Pod) run { return exits[n%len(exits)] })
			l := NewLoop(newController(t, j, time.Now()), pods)
			l.Changed = func(j *batchv1.Job, list []*corev1.Pod) {
				if j.Status.Active > *j.Spec.Parallelism {
					rt.Errorf("%d active, parallelism %d", j.Status.Active, *j.Spec.Parallelism)
				}
				if want := j.Spec.Completions; want != nil && j.Status.Succeeded > *want {
					rt.Errorf("%d succeeded, completions %d", j.Status.Succeeded, *want)
				}
				if s := j.Status; int(s.Active+*s.Terminating+s.Succeeded+s.Failed) != len(list) {
					rt.Errorf("%d active, %d terminating, %d succeeded, %d failed; %d pods", s.Active, *s.Terminating, s.Succeeded, s.Failed, len(list))
				}
			}
			ctx, cancel := contextOf(t, 24*time.Hour)
			defer cancel()
			done := l.Run(ctx)
			if Finished(done) == nil {
				rt.Errorf("not finished in a day: %s", conditions(done))
			}
			if pods.most > int(*j.Spec.Parallelism) {
				rt.Errorf("%d at once, parallelism %d", pods.most, *j.Spec.Parallelism)
			}
			synctest.Wait()
			if len(pods.live) > 0 {
				rt.Errorf("%d pods left behind", len(pods.live))
			}
		})
	})
}

func TestIndexesAreASet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOf(rapid.IntRange(0, 30)).Draw(t, "indexes")
		var s indexes
		set := make(map[int]bool)
		for _, i := range list {
			s = s.add(i)
			set[i] = true
		}
		if s.len() != len(set) {
			t.Errorf("len %d of %s, want %d", s.len(), s, len(set))
		}
		for i := range 32 {
			if s.has(i) != set[i] {
				t.Errorf("%s has %d: %v", s, i, s.has(i))
			}
			next := i
			for set[next] {
				next++
			}
			if s.after(i) != next {
				t.Errorf("%s after %d: %d, want %d", s, i, s.after(i), next)
			}
		}
		if len(set) == 0 {
			return
		}
		back, err := parseIndexes(s.String(), 31)
		if err != nil || back.len() != len(set) || back.common(s) != len(set) {
			t.Errorf("%s is read as %s, %v", s, back, err)
		}
	})
}

func TestIndexesAreWrittenAsInAStatus(t *testing.T) {
	var s indexes
	for _, i := range []int{7, 0, 4, 3, 5, 10, 9} {
		s = s.add(i)
	}
	if got, want := s.String(), "0,3-5,7,9,10"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	for _, bad := range []string{"", "a", "3-", "5-3", "1,1", "2,0-1", "99", "-1"} {
		if got, err := parseIndexes(bad, 20); err == nil {
			t.Errorf("%q was read as %s", bad, got)
		}
	}
}
