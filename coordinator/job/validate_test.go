package job

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestNewRefuses(t *testing.T) {
	in, fail := batchv1.PodFailurePolicyOnExitCodesOpIn, batchv1.PodFailurePolicyActionFailJob
	pod := func(edit func(*corev1.PodSpec)) func(*batchv1.JobSpec) {
		return func(s *batchv1.JobSpec) { edit(&s.Template.Spec) }
	}
	container := func(edit func(*corev1.Container)) func(*batchv1.JobSpec) {
		return func(s *batchv1.JobSpec) { edit(&s.Template.Spec.Containers[0]) }
	}
	success := func(rules ...batchv1.SuccessPolicyRule) func(*batchv1.JobSpec) {
		return func(s *batchv1.JobSpec) { indexed(3, 1)(s); s.SuccessPolicy = &batchv1.SuccessPolicy{Rules: rules} }
	}
	policy := func(p *batchv1.PodFailurePolicy) func(*batchv1.JobSpec) {
		return func(s *batchv1.JobSpec) { s.PodFailurePolicy = p }
	}
	for _, c := range []struct {
		spec func(*batchv1.JobSpec)
		want string
	}{
		{pod(func(s *corev1.PodSpec) { s.RestartPolicy = corev1.RestartPolicyAlways }),
			`spec.template.spec.restartPolicy: Unsupported value: "Always": supported values: "Never", "OnFailure"`},
		{pod(func(s *corev1.PodSpec) { s.RestartPolicy = "" }), `restartPolicy: Unsupported value: ""`},
		{pod(func(s *corev1.PodSpec) { s.Containers = nil }), "spec.template.spec.containers: Required value"},
		{pod(func(s *corev1.PodSpec) { s.InitContainers = s.Containers }), `containers[0].name: Duplicate value: "main"`},
		{pod(func(s *corev1.PodSpec) { s.TerminationGracePeriodSeconds = new(int64(-1)) }), "terminationGracePeriodSeconds: Invalid value: -1: must be 0 to"},
		{pod(func(s *corev1.PodSpec) { s.ActiveDeadlineSeconds = new(int64(1 << 62)) }), "template.spec.activeDeadlineSeconds: Invalid value"},
		{container(func(c *corev1.Container) { c.Command, c.Args = nil, []string{"x"} }), "containers[0].command: Required value: no image is run here"},
		{container(func(c *corev1.Container) { c.Name = "A" }), `containers[0].name: Invalid value: "A"`},
		{container(func(c *corev1.Container) { c.RestartPolicy = new(corev1.ContainerRestartPolicyAlways) }), "containers[0].restartPolicy: Forbidden"},
		{container(func(c *corev1.Container) {
			c.EnvFrom = []corev1.EnvFromSource{{SecretRef: new(corev1.SecretEnvSource)}}
		}), "containers[0].envFrom[0]: Forbidden"},
		{container(func(c *corev1.Container) { c.Env = []corev1.EnvVar{{Name: "A=B"}} }), `env[0].name: Invalid value: "A=B"`},
		{container(func(c *corev1.Container) {
			c.Env = []corev1.EnvVar{{Name: "A", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: new(corev1.SecretKeySelector)}}}
		}), "env[0].valueFrom: Forbidden: of variable A"},
		{container(func(c *corev1.Container) {
			c.Env = []corev1.EnvVar{{Name: "A", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "spec.x"}}}}
		}), `fieldPath: Invalid value: "spec.x": must be metadata.labels['KEY']`},
		{func(s *batchv1.JobSpec) { s.Parallelism = new(int32(-1)) }, "spec.parallelism: Invalid value: -1: must be 0 or more"},
		{func(s *batchv1.JobSpec) { s.Completions = new(int32(-1)) }, "spec.completions: Invalid value: -1"},
		{func(s *batchv1.JobSpec) { s.BackoffLimit = new(int32(-1)) }, "spec.backoffLimit: Invalid value: -1"},
		{func(s *batchv1.JobSpec) { s.TTLSecondsAfterFinished = new(int32(-1)) }, "spec.ttlSecondsAfterFinished: Invalid value: -1"},
		{func(s *batchv1.JobSpec) { s.ActiveDeadlineSeconds = new(int64(-1)) }, "spec.activeDeadlineSeconds: Invalid value: -1"},
		{func(s *batchv1.JobSpec) { s.ManagedBy = new("acme.io/x") }, `spec.managedBy: Unsupported value: "acme.io/x"`},
		{func(s *batchv1.JobSpec) { s.CompletionMode = new(batchv1.CompletionMode("Odd")) }, `spec.completionMode: Unsupported value: "Odd"`},
		{func(s *batchv1.JobSpec) {
			s.CompletionMode = new(batchv1.IndexedCompletion)
			s.Parallelism = new(int32(1))
		}, "spec.completions: Required value"},
		{func(s *batchv1.JobSpec) { s.BackoffLimitPerIndex = new(int32(1)) }, "spec.backoffLimitPerIndex: Invalid value: 1: requires completionMode Indexed"},
		{func(s *batchv1.JobSpec) { s.MaxFailedIndexes = new(int32(1)) }, "spec.maxFailedIndexes: Invalid value: 1: requires completionMode Indexed"},
		{func(s *batchv1.JobSpec) { s.SuccessPolicy = new(batchv1.SuccessPolicy) }, "spec.successPolicy: Forbidden"},
		{func(s *batchv1.JobSpec) { indexed(3, 1)(s); s.MaxFailedIndexes = new(int32(1)) }, "spec.backoffLimitPerIndex: Required value"},
		{indexed(maxIndexes+1, 1), "spec.completions: Invalid value: 100001: must be 100000 or less"},
		{success(), "spec.successPolicy.rules: Required value"},
		{success(batchv1.SuccessPolicyRule{}), "spec.successPolicy.rules[0]: Required value"},
		{success(batchv1.SuccessPolicyRule{SucceededIndexes: new("1,9")}), `rules[0].succeededIndexes: Invalid value: "1,9"`},
		{success(batchv1.SuccessPolicyRule{SucceededIndexes: new("1"), SucceededCount: new(int32(2))}), "rules[0].succeededCount: Invalid value: 2: must be 1 or less"},
		{policy(failurePolicy("Odd", in, 1)), `spec.podFailurePolicy.rules[0].action: Unsupported value: "Odd"`},
		{policy(failurePolicy(batchv1.PodFailurePolicyActionFailIndex, in, 1)), `action: Unsupported value: "FailIndex"`},
		{policy(failurePolicy(fail, "Odd", 1)), `onExitCodes.operator: Unsupported value: "Odd": supported values: "In", "NotIn"`},
		{policy(failurePolicy(fail, in)), "onExitCodes.values: Required value"},
		{policy(failurePolicy(fail, in, 0)), "onExitCodes.values[0]: Invalid value: 0"},
		{policy(failurePolicy(fail, in, 2, 1)), "onExitCodes.values: Invalid value: [2,1]"},
		{policy(&batchv1.PodFailurePolicy{Rules: []batchv1.PodFailurePolicyRule{{Action: fail}}}), "rules[0]: Required value"},
		{func(s *batchv1.JobSpec) {
			s.PodFailurePolicy = failurePolicy(fail, in, 1)
			s.PodFailurePolicy.Rules[0].OnExitCodes.ContainerName = new("other")
		}, `containerName: Unsupported value: "other": supported values: "main"`},
		{func(s *batchv1.JobSpec) {
			s.PodFailurePolicy, s.Template.Spec.RestartPolicy = failurePolicy(fail, in, 1), corev1.RestartPolicyOnFailure
		}, "spec.podFailurePolicy: Forbidden: requires restartPolicy Never"},
		{func(s *batchv1.JobSpec) {
			s.PodFailurePolicy, s.PodReplacementPolicy = failurePolicy(fail, in, 1), new(batchv1.TerminatingOrFailed)
		}, `spec.podReplacementPolicy: Unsupported value: "TerminatingOrFailed": supported values: "Failed"`},
	} {
		_, err := New(manifest(c.spec, "true"), time.Now())
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("New = %v\nwant %s", err, c.want)
		}
	}
}

func TestNewNamesAllThatIsWrong(t *testing.T) {
	j := manifest(func(s *batchv1.JobSpec) {
		s.Parallelism = new(int32(-1))
		s.Template.Spec.RestartPolicy = "Always"
	})
	j.Name = "Not_A_Name"
	_, err := New(j, time.Now())
	for _, want := range []string{"metadata.name", "spec.parallelism", "spec.template.spec.restartPolicy"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not name %s", err, want)
		}
	}
}

func TestNewLeavesTheManifestAlone(t *testing.T) {
	j := manifest(indexed(2, 1), "true")
	before := j.DeepCopy()
	now := time.Now()
	newController(t, j, now).Sync(now)
	if diff := cmp.Diff(before, j); diff != "" {
		t.Error(diff)
	}
}

// TestAConditionIsTrueUnlessItSaysSo, as an API server has it.
func TestAConditionIsTrueUnlessItSaysSo(t *testing.T) {
	j := manifest(func(s *batchv1.JobSpec) {
		s.PodFailurePolicy = &batchv1.PodFailurePolicy{Rules: []batchv1.PodFailurePolicyRule{{
			Action:          batchv1.PodFailurePolicyActionIgnore,
			OnPodConditions: []batchv1.PodFailurePolicyOnPodConditionsPattern{{Type: corev1.DisruptionTarget}},
		}}}
	}, "true")
	got := newController(t, j, time.Now()).Job().Spec.PodFailurePolicy.Rules[0].OnPodConditions[0].Status
	if got != corev1.ConditionTrue {
		t.Errorf("status %q", got)
	}
}

func TestUnsupportedNamesWhatOnlyAClusterHonours(t *testing.T) {
	j := manifest(nil, "true")
	if got := Unsupported(j); len(got) != 0 {
		t.Errorf("a plain Job: %q", got)
	}
	s := &j.Spec.Template.Spec
	s.NodeSelector = map[string]string{"a": "b"}
	s.Volumes = []corev1.Volume{{Name: "v"}}
	c := &s.Containers[0]
	c.Image = "perl:5"
	c.Resources.Limits = corev1.ResourceList{"cpu": {}}
	c.Env = []corev1.EnvVar{{Name: "SECRET", ValueFrom: &corev1.EnvVarSource{
		SecretKeyRef: &corev1.SecretKeySelector{Optional: new(true)},
	}}}
	j.Spec.Selector = new(metav1.LabelSelector)
	newController(t, j, time.Now()) // none of it is refused
	got := Unsupported(j)
	for _, want := range []string{
		"spec.selector ", "containers[0].resources ", "containers[0].env SECRET ",
		"spec.template.spec.volumes ", "spec.template.spec.nodeSelector ",
	} {
		if !slices.ContainsFunc(got, func(line string) bool { return strings.Contains(line, want+"is ignored: ") }) {
			t.Errorf("%q does not name %s", got, want)
		}
	}
	if len(got) != 5 {
		t.Errorf("%d notices, want 5: %q", len(got), got)
	}
}

func TestExpand(t *testing.T) {
	vars := map[string]string{"A": "a", "B": "$(A)", "EMPTY": ""}
	for in, want := range map[string]string{
		"":                "",
		"x $(A) y$(A)":    "x a ya",
		"$(B)":            "$(A)", // what comes in is not expanded again
		"$$(A)":           "$(A)",
		"$$$(A)":          "$a",
		"$(EMPTY)|":       "|",
		"$(NONE) $A ${A}": "$(NONE) $A ${A}",
		"$(A":             "$(A",
		"cost: 5$":        "cost: 5$",
		"$()":             "$()",
		"$(A$(A))":        "$(A$(A))",
	} {
		if got := expand(in, vars); got != want {
			t.Errorf("expand(%q) = %q, want %q", in, got, want)
		}
	}
}
