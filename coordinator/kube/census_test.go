package kube

import (
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/coordinator"
	"sluice.dev/manifests/workload"
	"sluice.dev/queue"
)

func TestTheCensusCountsWorkersByStage(t *testing.T) {
	w := film(t, "")
	one, two := jobOf(t, w, 1, 3), jobOf(t, w, 2, 2)
	left, busy, idle := exit(podOf(one, "a", running), 0, "Completed"), podOf(one, "b", running), podOf(one, "c", running)
	begins := podOf(two, "a", starting) // and one that is not there yet
	ended, deleted := jobOf(t, w, 3, 4), jobOf(t, w, 4, 5)
	ended.Status.Conditions = []batchv1.JobCondition{{Type: batchv1.JobComplete, Status: corev1.ConditionTrue}}
	deleted.DeletionTimestamp = new(metav1.NewTime(began))
	c := newCensus([]batchv1.Job{*two, *one, *ended, *deleted}, []corev1.Pod{*left, *busy, *idle, *begins},
		[]queue.WorkerInfo{infoOf(busy, 1), {ID: workerOf(idle), Gone: true}, {ID: "laptop-1", Leases: 5}})

	if got, want := c.status(), (workload.WorkersStatus{Live: 3, Pending: 1, Starting: 1, Running: 1, Busy: 1, Leaving: 1}); got != want {
		t.Errorf("status %+v, want %+v", got, want)
	}
	n, leaving := c.count(queue.Depth{Leased: 6})
	if want := (coordinator.Count{Workers: 3, Slots: 3, Others: 5}); n != want || leaving != 1 {
		t.Errorf("count %+v and %d leaving, want %+v and 1", n, leaving, want)
	}
	if waveOf(c.waves[0].job) != 1 || len(c.waves) != 2 {
		t.Errorf("%d waves, the first is %d", len(c.waves), waveOf(c.waves[0].job))
	}
}

// A worker was let go and has ended, and the Job tells so before its pod does.
func TestAWorkerThatLeavesIsCountedAsLeftOnce(t *testing.T) {
	j := jobOf(t, film(t, ""), 1, 3)
	stays, goes, went := podOf(j, "a", running), podOf(j, "b", running), podOf(j, "c", running)
	gone := func(p *corev1.Pod) queue.WorkerInfo { return queue.WorkerInfo{ID: workerOf(p), Gone: true} }
	for _, counted := range []int32{0, 1, 2} {
		j.Status.Succeeded = counted
		c := newCensus([]batchv1.Job{*j}, []corev1.Pod{*stays, *goes, *went}, []queue.WorkerInfo{infoOf(stays, 0), gone(goes), gone(went)})
		if n, _ := c.count(queue.Depth{}); n.Workers != 1 || c.status().Live != 1 {
			t.Errorf("with %d counted by the Job there are %d workers, and %d in the status, want 1", counted, n.Workers, c.status().Live)
		}
	}
	j.Status.Succeeded = 1
	c := newCensus([]batchv1.Job{*j}, []corev1.Pod{*stays, *exit(goes, 1, "Error"), *exit(went, 0, "Completed")}, []queue.WorkerInfo{gone(goes), gone(went)})
	if got := c.waves[0].want(); got != 2 {
		t.Errorf("the Job wants %d workers, want 2: it replaces one that failed on leaving", got)
	}
}

// The plan counts on nobody who does not claim, and on everybody who may run.
func TestASilentWorkerFillsItsPlaceAndDoesNoItems(t *testing.T) {
	j := jobOf(t, film(t, ""), 1, 5)
	idle, busy, lost, told, fresh := podOf(j, "a", running), podOf(j, "b", running), podOf(j, "c", running), podOf(j, "d", running), podOf(j, "e", running)
	told.DeletionTimestamp = new(metav1.NewTime(began))
	info := func(p *corev1.Pod, leases int, seen time.Duration) queue.WorkerInfo {
		return queue.WorkerInfo{ID: workerOf(p), Leases: leases, Seen: seen}
	}
	c := newCensus([]batchv1.Job{*j}, []corev1.Pod{*idle, *busy, *lost, *told, *fresh},
		[]queue.WorkerInfo{info(idle, 0, time.Minute), info(busy, 1, time.Hour), info(lost, 0, 2*time.Minute), info(told, 0, 0)})
	n, leaving := c.count(queue.Depth{Leased: 1})
	if want := (coordinator.Count{Workers: 5, Slots: 5, Suspect: 2}); n != want || leaving != 0 {
		t.Errorf("count %+v and %d leaving, want %+v and none", n, leaving, want)
	}
}

// The Job controller counts a pod that succeeded later than its watchers see it.
func TestAWaveWantsNobodyInPlaceOfThoseWhoLeft(t *testing.T) {
	j := jobOf(t, film(t, ""), 1, 3)
	a, b := exit(podOf(j, "a", running), 0, ""), exit(podOf(j, "b", running), 1, "Error")
	for _, counted := range []int32{0, 1, 2} {
		j.Status.Succeeded = counted
		if counted == 0 {
			a.Status.Phase = corev1.PodRunning // as its node says before it has looked again
		}
		c := newCensus([]batchv1.Job{*j}, []corev1.Pod{*a, *b}, nil)
		if got, want := c.waves[0].want(), 3-max(1, int(counted)); got != want {
			t.Errorf("with %d counted it wants %d workers, want %d", counted, got, want)
		}
	}
}

func TestOnlyAContainerThatHasEndedProvesDeath(t *testing.T) {
	j := jobOf(t, film(t, ""), 1, 3)
	lost, killed, free := podOf(j, "a", running), exit(podOf(j, "b", running), 137, "OOMKilled"), exit(podOf(j, "c", running), 1, "Error")
	lost.Status.Phase = corev1.PodFailed // says a controller that has not heard of its node
	c := newCensus([]batchv1.Job{*j}, []corev1.Pod{*lost, *killed, *free}, []queue.WorkerInfo{infoOf(lost, 1), infoOf(killed, 2), infoOf(free, 0)})
	if len(c.dead) != 1 || c.dead[0].pod.Name != killed.Name {
		t.Errorf("dead are %d, want only %s", len(c.dead), killed.Name)
	}
}

func TestLaunchTimeIsTheMedian(t *testing.T) {
	j := jobOf(t, film(t, ""), 1, 3)
	if got := launchTime([]corev1.Pod{*podOf(j, "a", pending)}); got != 5*time.Second {
		t.Errorf("of nobody it is %s, want 5s", got)
	}
	var pods []corev1.Pod
	for i, took := range []time.Duration{9 * time.Second, 2 * time.Second, 4 * time.Second} {
		p := podOf(j, string(rune('a'+i)), running)
		p.Status.ContainerStatuses[0].State.Running.StartedAt = metav1.NewTime(began.Add(took))
		pods = append(pods, *p)
	}
	if got := launchTime(pods); got != 4*time.Second {
		t.Errorf("launch time %s, want 4s", got)
	}
}
