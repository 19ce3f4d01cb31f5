package kube

import (
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"sluice.dev/manifests/workload"
)

func TestAnyImageBecomesAWorker(t *testing.T) {
	w := film(t, `
  source: {frames: {range: 1-9}}
  itemPolicy: {itemDeadlineSeconds: 90, stallSeconds: 30, failExitCodes: [3, 4], releaseExitCodes: [7]}
  store: {secretRef: {name: redis, key: address}}`)
	w.Spec.ItemPolicy.MinOutputBytes, w.Spec.ItemPolicy.Existing = new(int64(10)), workload.ExistingReplace
	s := shapeOf(t, w)
	pod := s.template.Spec
	c := pod.Containers[0]
	const want = "/.sluice/sluice work film --concurrency 1 --grace 14s --item-deadline 90s --stall 30s --fail-exit-codes 3,4 --release-exit-codes 7 --min-output-bytes 10 --existing replace -- render {} --fast"
	if got := strings.Join(c.Command, " "); got != want {
		t.Errorf("command\n%s\nwant\n%s", got, want)
	}
	if len(c.Args) > 0 {
		t.Errorf("args %q are left", c.Args)
	}
	if len(pod.InitContainers) != 1 || pod.InitContainers[0].Image != "sluice" || !slices.Equal(pod.InitContainers[0].Args, []string{"__install", "/.sluice/sluice"}) {
		t.Errorf("init containers %+v do not bring sluice", pod.InitContainers)
	}
	if len(c.VolumeMounts) != 2 || len(pod.Volumes) != 2 || c.VolumeMounts[0].Name != pod.Volumes[0].Name || c.VolumeMounts[0].Name != pod.InitContainers[0].VolumeMounts[0].Name {
		t.Errorf("the container does not see what the init container wrote: %+v, %+v", c.VolumeMounts, pod.Volumes)
	}
	if m := c.VolumeMounts[1]; m.Name != pod.Volumes[1].Name || m.ReadOnly || !slices.Contains(c.Env, corev1.EnvVar{Name: scratchEnv, Value: m.MountPath}) {
		t.Errorf("the worker has no folder for what items print: %+v, %+v", m, c.Env)
	}
	store := c.Env[slices.IndexFunc(c.Env, func(e corev1.EnvVar) bool { return e.Name == storeEnv })]
	if ref := store.ValueFrom.SecretKeyRef; ref.Name != "redis" || ref.Key != "address" || store.Value != "" {
		t.Errorf("the store's URL comes from %+v", store)
	}
	if pod.RestartPolicy != corev1.RestartPolicyNever || *pod.AutomountServiceAccountToken {
		t.Errorf("restartPolicy %s, token %t; want Never, false", pod.RestartPolicy, *pod.AutomountServiceAccountToken)
	}
	if w.Spec.JobTemplate.Spec.Template.Spec.Containers[0].Command[0] != "render" {
		t.Error("the WorkQueue itself was changed")
	}
}

// Items that others enqueue bring their outputs, or have the WorkQueue's.
func TestAnOutputWithoutASource(t *testing.T) {
	w := film(t, "")
	p, c := &w.Spec.ItemPolicy, &w.Spec.JobTemplate.Spec.Template.Spec.Containers[0]
	c.Command, c.Args = []string{"render", "{}"}, []string{"-o", "{out}"}
	for output, want := range map[string]string{"": "-- render {} -o {out}", "/films/{}.png": "--output /films/{}.png -- render {} -o {out}"} {
		p.Output = output
		if faults := faultsOf(w); len(faults) > 0 {
			t.Errorf("output %q: %q", output, faults)
		}
		if got := strings.Join(shapeOf(t, w).template.Spec.Containers[0].Command, " "); !strings.HasSuffix(got, "14s "+want) {
			t.Errorf("output %q: command %s, want %s at its end", output, got, want)
		}
	}
	p.Output, p.Existing = "/films/{}.png", workload.ExistingReplace
	if faults := faultsOf(w); len(faults) != 1 || !strings.HasPrefix(faults[0], "spec.itemPolicy.existing: only fail is allowed") {
		t.Errorf("faults %q: two items may replace each other's output", faults)
	}
}

func TestAWorkerStaysWhatItIs(t *testing.T) {
	for _, tt := range []struct {
		name          string
		command, args []string
		slots         int
	}{
		{"command", []string{"/bin/sluice", "work", "film", "--concurrency=4", "--", "render", "{}"}, nil, 4},
		{"args", nil, []string{"work", "film", "--concurrency", "3", "--", "render", "--concurrency", "9"}, 3},
		{"both", []string{"sluice"}, []string{"work", "film=2", "other", "--", "render"}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := film(t, "")
			c := &w.Spec.JobTemplate.Spec.Template.Spec.Containers[0]
			c.Command, c.Args = tt.command, tt.args
			s := shapeOf(t, w)
			got := s.template.Spec.Containers[0]
			if !slices.Equal(got.Command, tt.command) || !slices.Equal(got.Args, tt.args) || len(s.template.Spec.InitContainers) > 0 {
				t.Errorf("became %q %q with %d init containers", got.Command, got.Args, len(s.template.Spec.InitContainers))
			}
			if s.slots != tt.slots {
				t.Errorf("slots = %d, want %d", s.slots, tt.slots)
			}
			if !slices.ContainsFunc(got.Env, func(e corev1.EnvVar) bool { return e.Name == workerEnv }) {
				t.Error("it does not know its id")
			}
		})
	}
}

func TestATemplateThatIsNoWorker(t *testing.T) {
	for _, tt := range []struct {
		name          string
		command, args []string
		want          string
	}{
		{"no command", nil, []string{"{}"}, "containers[0].command: required"},
		{"another queue", []string{"sluice", "work", "flim", "--", "film"}, nil, "sluice work film is needed"},
		{"slots", []string{"sluice", "work", "film", "--concurrency", "many"}, nil, `--concurrency "many"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := film(t, "")
			c := &w.Spec.JobTemplate.Spec.Template.Spec.Containers[0]
			c.Command, c.Args = tt.command, tt.args
			if _, err := newShape(w, "sluice"); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q in it", err, tt.want)
			}
		})
	}
}

func TestTheTemplatesEnvironmentCountsButForTheWorkersID(t *testing.T) {
	got := joinEnv([]corev1.EnvVar{{Name: workerEnv, Value: "ours"}, {Name: storeEnv, Value: "ours"}},
		[]corev1.EnvVar{{Name: storeEnv, Value: "theirs"}, {Name: workerEnv, Value: "theirs"}, {Name: "A", Value: "theirs"}})
	want := []corev1.EnvVar{{Name: workerEnv, Value: "ours"}, {Name: storeEnv, Value: "theirs"}, {Name: "A", Value: "theirs"}}
	if !slices.Equal(got, want) {
		t.Errorf("environment %v, want %v", got, want)
	}
}

// The worker lets an item run on for the grace, and then gives it the grace to
// end: twice that and the time to settle must fit into the pod's.
func TestGraceFitsIntoThePods(t *testing.T) {
	for pod, want := range map[int64]time.Duration{30: 14 * time.Second, 600: 299 * time.Second, 3: 500 * time.Millisecond, 0: time.Millisecond} {
		w := film(t, "")
		w.Spec.JobTemplate.Spec.Template.Spec.TerminationGracePeriodSeconds = &pod
		if got := grace(w); got != want {
			t.Errorf("grace of a pod with %d s is %s, want %s", pod, got, want)
		}
	}
}
