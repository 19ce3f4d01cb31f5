package job

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	complete = "SuccessCriteriaMet:CompletionsReached Complete:CompletionsReached "
	backoffs = "FailureTarget:BackoffLimitExceeded Failed:BackoffLimitExceeded "
)

// codes makes the nth pod run for a second and exit with the nth code, and those
// that follow with the last.
func codes(list ...int32) func(int, *corev1.Pod) run {
	return func(n int, _ *corev1.Pod) run {
		return run{lasts: time.Second, code: list[min(n, len(list)-1)]}
	}
}

// perIndex makes the nth pod of an index exit with its nth code, likewise.
func perIndex(of map[string][]int32) func(int, *corev1.Pod) run {
	seen := make(map[string]int)
	return func(_ int, p *corev1.Pod) run {
		i := p.Annotations[batchv1.JobCompletionIndexAnnotation]
		list := of[i]
		if len(list) == 0 {
			list = []int32{0}
		}
		n := min(seen[i], len(list)-1)
		seen[i]++
		return run{lasts: time.Second, code: list[n]}
	}
}

func failurePolicy(action batchv1.PodFailurePolicyAction, op batchv1.PodFailurePolicyOnExitCodesOperator, values ...int32) *batchv1.PodFailurePolicy {
	return &batchv1.PodFailurePolicy{Rules: []batchv1.PodFailurePolicyRule{{
		Action: action, OnExitCodes: &batchv1.PodFailurePolicyOnExitCodesRequirement{Operator: op, Values: values},
	}}}
}

func TestJob(t *testing.T) {
	in := batchv1.PodFailurePolicyOnExitCodesOpIn
	for _, c := range []struct {
		says       string
		spec       func(*batchv1.JobSpec)
		script     func(int, *corev1.Pod) run
		conditions string
		counts     string // succeeded/failed
		starts     string
		most       int
	}{
		{"neither completions nor parallelism is one pod",
			nil, codes(0), complete, "1/0", "0s", 1},
		{"completions alone run one after another",
			func(s *batchv1.JobSpec) { s.Completions = new(int32(3)) },
			codes(0), complete, "3/0", "0s 1s 2s", 1},
		{"eight completions, two at once",
			func(s *batchv1.JobSpec) { s.Completions, s.Parallelism = new(int32(8)), new(int32(2)) },
			codes(0), complete, "8/0", "0s 0s 1s 1s 2s 2s 3s 3s", 2},
		{"parallelism above what remains is cut to it",
			func(s *batchv1.JobSpec) { s.Completions, s.Parallelism = new(int32(3)), new(int32(9)) },
			codes(0), complete, "3/0", "0s 0s 0s", 3},
		{"no completions wanted is complete at once",
			func(s *batchv1.JobSpec) { s.Completions = new(int32(0)) },
			codes(0), complete, "0/0", "", 0},
		{"a pod of a work queue that succeeds is not replaced, and the others are waited for",
			func(s *batchv1.JobSpec) { s.Parallelism = new(int32(2)) },
			func(n int, _ *corev1.Pod) run { return run{lasts: time.Duration(n+1) * time.Second, code: int32(n)} },
			complete, "1/1", "0s 0s", 2},
		{"a pod of a work queue is replaced while none has succeeded",
			func(s *batchv1.JobSpec) { s.Parallelism = new(int32(1)) },
			codes(1, 0), complete, "1/1", "0s 11s", 1},
		{"replacements wait 10 s, 20 s and so on to 6 min, and backoffLimit is 6 unless set",
			nil, codes(1), backoffs, "0/7", "0s 11s 32s 1m13s 2m34s 5m15s 10m36s", 1},
		{"the delay is no more than 6 min",
			func(s *batchv1.JobSpec) { s.BackoffLimit = new(int32(7)) },
			codes(1), backoffs, "0/8", "0s 11s 32s 1m13s 2m34s 5m15s 10m36s 16m37s", 1},
		{"a success makes the next delay short again",
			func(s *batchv1.JobSpec) { s.Completions = new(int32(2)) },
			codes(1, 1, 0, 1, 0), complete, "2/3", "0s 11s 32s 33s 44s", 1},
		{"backoffLimit 0 allows no failure, and ends what runs",
			func(s *batchv1.JobSpec) {
				s.Completions, s.Parallelism, s.BackoffLimit = new(int32(2)), new(int32(2)), new(int32(0))
			},
			func(n int, _ *corev1.Pod) run { return run{lasts: time.Duration(1+n*100) * time.Second, code: 1} },
			backoffs, "0/2", "0s 0s", 2},
		{"activeDeadlineSeconds ends the pods and fails the Job when they have ended",
			func(s *batchv1.JobSpec) { s.ActiveDeadlineSeconds = new(int64(5)) },
			func(int, *corev1.Pod) run { return run{lasts: time.Hour, drain: 3 * time.Second} },
			"FailureTarget:DeadlineExceeded Failed:DeadlineExceeded ", "0/1", "0s", 1},
		{"activeDeadlineSeconds ends the wait for a replacement",
			func(s *batchv1.JobSpec) { s.ActiveDeadlineSeconds = new(int64(5)) },
			codes(1), "FailureTarget:DeadlineExceeded Failed:DeadlineExceeded ", "0/1", "0s", 1},
		{"Ignore does not count a failure, and delays its replacement",
			func(s *batchv1.JobSpec) {
				s.BackoffLimit = new(int32(0))
				s.PodFailurePolicy = failurePolicy(batchv1.PodFailurePolicyActionIgnore, in, 7)
			},
			codes(7, 7, 0), complete, "1/0", "0s 11s 32s", 1},
		{"FailJob fails the Job at once",
			func(s *batchv1.JobSpec) {
				s.PodFailurePolicy = failurePolicy(batchv1.PodFailurePolicyActionFailJob, batchv1.PodFailurePolicyOnExitCodesOpNotIn, 1, 2)
			},
			codes(1, 2, 3), "FailureTarget:PodFailurePolicy Failed:PodFailurePolicy ", "0/3", "0s 11s 32s", 1},
		{"a rule may be on a pod's condition",
			func(s *batchv1.JobSpec) {
				s.PodFailurePolicy = &batchv1.PodFailurePolicy{Rules: []batchv1.PodFailurePolicyRule{{
					Action: batchv1.PodFailurePolicyActionFailJob,
					OnPodConditions: []batchv1.PodFailurePolicyOnPodConditionsPattern{
						{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue}, {Type: corev1.PodReady, Status: corev1.ConditionFalse},
					},
				}}}
			},
			codes(1), "FailureTarget:PodFailurePolicy Failed:PodFailurePolicy ", "0/1", "0s", 1},
		{"Count shadows the rules after it",
			func(s *batchv1.JobSpec) {
				s.BackoffLimit = new(int32(1))
				s.PodFailurePolicy = failurePolicy(batchv1.PodFailurePolicyActionCount, in, 3)
				s.PodFailurePolicy.Rules = append(s.PodFailurePolicy.Rules, failurePolicy(batchv1.PodFailurePolicyActionFailJob, in, 3).Rules...)
			},
			codes(3), backoffs, "0/2", "0s 11s", 1},
		{"indexes are given from the lowest, and a failed one again",
			indexed(3, 1), perIndex(map[string][]int32{"1": {1, 0}}),
			complete, "3/1", "0@0s 1@1s 1@12s 2@13s", 1},
		{"a failure at the moment of a success delays nothing",
			indexed(2, 2), perIndex(map[string][]int32{"1": {1, 0}}),
			complete, "2/1", "0@0s 1@0s 1@1s", 2},
		{"backoffLimitPerIndex fails an index alone, and the Job in the end",
			func(s *batchv1.JobSpec) { indexed(3, 3)(s); s.BackoffLimitPerIndex = new(int32(1)) },
			perIndex(map[string][]int32{"1": {1}}),
			"FailureTarget:FailedIndexes Failed:FailedIndexes ", "2/2", "0@0s 1@0s 2@0s 1@11s", 3},
		{"a failure that is ignored does not count against backoffLimitPerIndex",
			func(s *batchv1.JobSpec) {
				indexed(1, 1)(s)
				s.BackoffLimitPerIndex = new(int32(0))
				s.PodFailurePolicy = failurePolicy(batchv1.PodFailurePolicyActionIgnore, in, 7)
			},
			perIndex(map[string][]int32{"0": {7, 7, 0}}), complete, "1/0", "0@0s 0@11s 0@32s", 1},
		{"maxFailedIndexes fails the Job when more have failed",
			func(s *batchv1.JobSpec) {
				indexed(9, 1)(s)
				s.BackoffLimitPerIndex, s.MaxFailedIndexes = new(int32(0)), new(int32(1))
			},
			perIndex(map[string][]int32{"0": {1}, "2": {1}}),
			"FailureTarget:MaxFailedIndexesExceeded Failed:MaxFailedIndexesExceeded ", "1/2", "0@0s 1@1s 2@2s", 1},
		{"FailIndex fails an index without a retry",
			func(s *batchv1.JobSpec) {
				indexed(2, 2)(s)
				s.BackoffLimitPerIndex = new(int32(5))
				s.PodFailurePolicy = failurePolicy(batchv1.PodFailurePolicyActionFailIndex, in, 4)
			},
			perIndex(map[string][]int32{"1": {4}}),
			"FailureTarget:FailedIndexes Failed:FailedIndexes ", "1/1", "0@0s 1@0s", 2},
		{"successPolicy by indexes completes the Job, and ends what runs",
			func(s *batchv1.JobSpec) {
				indexed(3, 3)(s)
				s.SuccessPolicy = &batchv1.SuccessPolicy{Rules: []batchv1.SuccessPolicyRule{{SucceededIndexes: new("0,2")}}}
			},
			func(_ int, p *corev1.Pod) run {
				if p.Spec.Hostname == "pi-1" {
					return run{lasts: time.Hour}
				}
				return run{lasts: time.Second}
			},
			"SuccessCriteriaMet:SuccessPolicy Complete:SuccessPolicy ", "2/0", "0@0s 1@0s 2@0s", 3},
		{"successPolicy by count",
			func(s *batchv1.JobSpec) {
				indexed(5, 1)(s)
				s.SuccessPolicy = &batchv1.SuccessPolicy{Rules: []batchv1.SuccessPolicyRule{
					{SucceededIndexes: new("3-4"), SucceededCount: new(int32(1))}, {SucceededCount: new(int32(2))},
				}}
			},
			codes(0), "SuccessCriteriaMet:SuccessPolicy Complete:SuccessPolicy ", "2/0", "0@0s 1@1s", 1},
	} {
		t.Run(c.says, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				pods := newFakePods(c.script)
				j := NewLoop(newController(t, manifest(c.spec), time.Now()), pods).Run(t.Context())
				synctest.Wait()
				if got := conditions(j); got != c.conditions {
					t.Errorf("conditions %q, want %q", got, c.conditions)
				}
				if got := fmt.Sprintf("%d/%d", j.Status.Succeeded, j.Status.Failed); got != c.counts {
					t.Errorf("succeeded/failed %s, want %s", got, c.counts)
				}
				if got := strings.Join(pods.starts, " "); got != c.starts {
					t.Errorf("started at %s, want %s", got, c.starts)
				}
				if pods.most != c.most {
					t.Errorf("%d at once, want %d", pods.most, c.most)
				}
				if s := j.Status; s.Active != 0 || *s.Terminating != 0 || *s.Ready != 0 || len(pods.live) != 0 {
					t.Errorf("finished with %d active, %d terminating, %d ready pods", s.Active, *s.Terminating, *s.Ready)
				}
			})
		})
	}
}

func TestDeadlineIsTheTimeWithoutTheDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := manifest(func(s *batchv1.JobSpec) { s.ActiveDeadlineSeconds = new(int64(5)) })
		pods := newFakePods(func(int, *corev1.Pod) run { return run{lasts: time.Hour, drain: 3 * time.Second} })
		began := time.Now()
		j = NewLoop(newController(t, j, began), pods).Run(t.Context())
		target, failed := Condition(j, batchv1.JobFailureTarget), Condition(j, batchv1.JobFailed)
		if d := target.LastTransitionTime.Sub(began); d != 5*time.Second {
			t.Errorf("FailureTarget after %s, want 5s", d)
		}
		if d := failed.LastTransitionTime.Sub(began); d != 8*time.Second {
			t.Errorf("Failed after %s, want 8s, when its pod has ended", d)
		}
	})
}

func TestSuspendEndsPodsUncountedAndBeginsTheDeadlineAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := manifest(func(s *batchv1.JobSpec) {
			s.ActiveDeadlineSeconds, s.BackoffLimit = new(int64(20)), new(int32(0))
		})
		pods := newFakePods(func(int, *corev1.Pod) run { return run{lasts: 15 * time.Second, drain: time.Second} })
		l := NewLoop(newController(t, j, time.Now()), pods)
		var status atomic.Value
		l.Changed = func(j *batchv1.Job, _ []*corev1.Pod) {
			status.Store(fmt.Sprintf("%s%d active %d terminating %d failed", conditions(j), j.Status.Active, *j.Status.Terminating, j.Status.Failed))
		}
		ended := make(chan *batchv1.Job)
		go func() { ended <- l.Run(t.Context()) }()
		time.Sleep(10 * time.Second)
		l.Suspend(true)
		synctest.Wait()
		if want := "Suspended:JobSuspended 0 active 1 terminating 0 failed"; status.Load() != want {
			t.Errorf("suspended: %q, want %q", status.Load(), want)
		}
		time.Sleep(time.Hour)
		l.Suspend(false)
		synctest.Wait()
		if want := "1 active 0 terminating 0 failed"; status.Load() != want {
			t.Errorf("resumed: %q, want %q", status.Load(), want)
		}
		if got := conditions(<-ended); got != complete {
			t.Errorf("conditions %q, want %q", got, complete)
		}
		if got := strings.Join(pods.starts, " "); got != "0s 1h0m10s" {
			t.Errorf("started at %s", got)
		}
	})
}

func TestReplacementWaitsForTheOldPodOnlyWherePolicySaysSo(t *testing.T) {
	for policy, starts := range map[batchv1.PodReplacementPolicy]string{
		batchv1.Failed:              "0s 12s",
		batchv1.TerminatingOrFailed: "0s 10s",
	} {
		synctest.Test(t, func(t *testing.T) {
			j := manifest(func(s *batchv1.JobSpec) { s.PodReplacementPolicy = &policy })
			pods := newFakePods(func(int, *corev1.Pod) run { return run{lasts: 15 * time.Second, drain: 2 * time.Second} })
			l := NewLoop(newController(t, j, time.Now()), pods)
			ended := make(chan *batchv1.Job)
			go func() { ended <- l.Run(t.Context()) }()
			time.Sleep(10 * time.Second)
			l.Suspend(true)
			synctest.Wait()
			l.Suspend(false)
			<-ended
			if got := strings.Join(pods.starts, " "); got != starts {
				t.Errorf("%s: started at %s, want %s", policy, got, starts)
			}
		})
	}
}

func TestRestartsInPlaceCountAgainstBackoffLimit(t *testing.T) {
	for limit, last := range map[int32]int32{0: 1, 1: 1, 3: 3} {
		now := time.Now()
		c := newController(t, manifest(func(s *batchv1.JobSpec) {
			s.BackoffLimit = &limit
			s.Template.Spec.RestartPolicy = corev1.RestartPolicyOnFailure
		}), now)
		pod := c.Sync(now).Start[0]
		for n := int32(0); n <= last; n++ {
			c.Observe(now, pod.Name, corev1.PodStatus{
				Phase: corev1.PodRunning, ContainerStatuses: []corev1.ContainerStatus{{Name: "main", RestartCount: n}},
			})
			if a := c.Sync(now); (len(a.End) > 0) != (n == last) {
				t.Errorf("limit %d, %d restarts: ended %v", limit, n, a.End)
			}
		}
		c.Observe(now, pod.Name, exit(143))
		if !c.Sync(now).Done || conditions(c.Job()) != backoffs {
			t.Errorf("limit %d: %s", limit, conditions(c.Job()))
		}
	}
}

func TestEndOfContextDeletesTheJob(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pods := newFakePods(func(int, *corev1.Pod) run { return run{lasts: time.Hour, drain: 2 * time.Second} })
		l := NewLoop(newController(t, manifest(nil), time.Now()), pods)
		ctx, cancel := contextOf(t, 3*time.Second)
		defer cancel()
		began := time.Now()
		j := l.Run(ctx)
		if d := time.Since(began); d != 5*time.Second {
			t.Errorf("returned after %s, want 5s, when the pod has ended", d)
		}
		if Finished(j) != nil || j.DeletionTimestamp == nil || len(pods.starts) != 1 {
			t.Errorf("%s, deleted %v, %d starts; want it unfinished, deleted, and started once", conditions(j), j.DeletionTimestamp, len(pods.starts))
		}
	})
}

func TestEndOfContextLeavesASuspendedJobAsItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pods := newFakePods(func(int, *corev1.Pod) run { return run{lasts: time.Hour, drain: time.Second} })
		l := NewLoop(newController(t, manifest(func(s *batchv1.JobSpec) { s.Suspend = new(true) }), time.Now()), pods)
		ctx, cancel := contextOf(t, time.Hour)
		defer cancel()
		j := l.Run(ctx)
		if got := conditions(j); got != "Suspended:JobSuspended " || j.DeletionTimestamp != nil || j.Status.StartTime != nil || len(pods.starts) > 0 {
			t.Errorf("%s, deleted %v, begun %v, %d starts; want it suspended and nothing else", got, j.DeletionTimestamp, j.Status.StartTime, len(pods.starts))
		}
	})
}

func TestIndexedPodKnowsItsIndexAndItsPast(t *testing.T) {
	now := time.Now()
	c := newController(t, manifest(func(s *batchv1.JobSpec) {
		indexed(2, 1)(s)
		s.BackoffLimitPerIndex = new(int32(3))
		s.PodFailurePolicy = failurePolicy(batchv1.PodFailurePolicyActionIgnore, batchv1.PodFailurePolicyOnExitCodesOpIn, 9)
	}), now)
	var pod *corev1.Pod
	for _, code := range []int32{9, 1} {
		pod = c.Sync(now).Start[0]
		c.Observe(now, pod.Name, exit(code))
		now = now.Add(replaceDelayMax)
	}
	pod = c.Sync(now).Start[0]
	if !strings.HasPrefix(pod.Name, "pi-0-") || pod.Spec.Hostname != "pi-0" || pod.Labels[batchv1.JobNameLabel] != "pi" {
		t.Errorf("name %q, hostname %q, labels %v", pod.Name, pod.Spec.Hostname, pod.Labels)
	}
	if got := pod.Annotations; got[batchv1.JobIndexFailureCountAnnotation] != "1" || got[ignoredFailures] != "1" {
		t.Errorf("annotations %v, want one failure counted and one ignored", got)
	}
	vars, err := variables(pod, &pod.Spec.Containers[0])
	if err != nil || vars[indexVariable] != "0" {
		t.Errorf("variables %v, %v; want the index 0", vars, err)
	}
}

func TestExpires(t *testing.T) {
	now := time.Now()
	c := newController(t, manifest(func(s *batchv1.JobSpec) {
		s.Completions, s.TTLSecondsAfterFinished = new(int32(0)), new(int32(60))
	}), now)
	if _, ok := Expires(c.Job()); ok {
		t.Error("an unfinished Job expires")
	}
	c.Sync(now)
	if at, ok := Expires(c.Job()); !ok || !at.Equal(now.Add(time.Minute)) {
		t.Errorf("expires at %s, %v; want a minute from %s", at, ok, now)
	}
}

func TestFailJobSaysWhichRuleAndPod(t *testing.T) {
	now := time.Now()
	c := newController(t, manifest(func(s *batchv1.JobSpec) {
		s.PodFailurePolicy = failurePolicy(batchv1.PodFailurePolicyActionFailJob, batchv1.PodFailurePolicyOnExitCodesOpIn, 42)
	}), now)
	pod := c.Sync(now).Start[0]
	c.Observe(now, pod.Name, exit(42))
	c.Sync(now)
	want := "Container main for pod default/" + pod.Name + " failed with exit code 42 matching FailJob rule at index 0"
	if got := Finished(c.Job()).Message; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestNewForgetsThePastOfAManifest(t *testing.T) {
	now := time.Now()
	j := manifest(nil)
	j.DeletionTimestamp, j.CreationTimestamp = new(metav1.NewTime(now)), metav1.NewTime(now.Add(-time.Hour))
	j.Status.Succeeded = 1
	setCondition(j, batchv1.JobComplete, corev1.ConditionTrue, "", "", now)
	c := newController(t, j, now)
	if a := c.Sync(now); len(a.Start) != 1 || !c.Job().CreationTimestamp.Time.Equal(now) {
		t.Errorf("%+v, created %s; want a pod started, created now", a, c.Job().CreationTimestamp)
	}
}
