package workload

import (
	"reflect"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// choices are the words that a type of string is limited to.
var choices = map[reflect.Type][]string{
	reflect.TypeFor[Existing](): {"fail", "skip", "replace"},
	reflect.TypeFor[Format]():   {"Lines", "JSONLines", "CSV"},
	reflect.TypeFor[Identity](): {"Stat", "Content"},
	reflect.TypeFor[Mode]():     {"Queue", "PerNode"},

	reflect.TypeFor[batchv1.CompletionMode]():                      {"NonIndexed", "Indexed"},
	reflect.TypeFor[batchv1.ConcurrencyPolicy]():                   {"Allow", "Forbid", "Replace"},
	reflect.TypeFor[batchv1.PodFailurePolicyAction]():              {"FailJob", "FailIndex", "Ignore", "Count"},
	reflect.TypeFor[batchv1.PodFailurePolicyOnExitCodesOperator](): {"In", "NotIn"},
	reflect.TypeFor[batchv1.PodReplacementPolicy]():                {"TerminatingOrFailed", "Failed"},

	reflect.TypeFor[appsv1.DaemonSetUpdateStrategyType](): {"RollingUpdate", "OnDelete"},
	reflect.TypeFor[appsv1.DeploymentStrategyType]():      {"RollingUpdate", "Recreate"},

	reflect.TypeFor[corev1.DNSPolicy]():                     {"ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"},
	reflect.TypeFor[corev1.MountPropagationMode]():          {"None", "HostToContainer", "Bidirectional"},
	reflect.TypeFor[corev1.NodeSelectorOperator]():          {"In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"},
	reflect.TypeFor[corev1.Protocol]():                      {"TCP", "UDP", "SCTP"},
	reflect.TypeFor[corev1.PullPolicy]():                    {"Always", "IfNotPresent", "Never"},
	reflect.TypeFor[corev1.RestartPolicy]():                 {"Always", "OnFailure", "Never"},
	reflect.TypeFor[corev1.TaintEffect]():                   {"NoSchedule", "PreferNoSchedule", "NoExecute"},
	reflect.TypeFor[corev1.TerminationMessagePolicy]():      {"File", "FallbackToLogsOnError"},
	reflect.TypeFor[corev1.URIScheme]():                     {"HTTP", "HTTPS"},
	reflect.TypeFor[corev1.UnsatisfiableConstraintAction](): {"DoNotSchedule", "ScheduleAnyway"},

	reflect.TypeFor[metav1.LabelSelectorOperator](): {"In", "NotIn", "Exists", "DoesNotExist"},
}
