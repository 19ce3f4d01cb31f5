package job

import (
	"fmt"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
)

// Unsupported says, a line each, what of a Job only a cluster can honour. The
// Job runs without it. A container's image is not among it: a Job must name one,
// and none is ever used here.
func Unsupported(j *batchv1.Job) []string {
	var n notices
	s := &j.Spec.Template.Spec
	n.add(j.Spec.Selector != nil || isTrue(j.Spec.ManualSelector), "spec.selector", "pods are known by their Job")
	n.add(j.Spec.Scheduling != nil, "spec.scheduling", noScheduler)
	for i := range s.InitContainers {
		n.container(fmt.Sprintf("initContainers[%d]", i), &s.InitContainers[i])
	}
	for i := range s.Containers {
		n.container(fmt.Sprintf("containers[%d]", i), &s.Containers[i])
	}
	n.pod(s)
	return n
}

const (
	noScheduler = "there is one machine, and no scheduler"
	noIsolation = "commands run as this user, in this machine's namespaces"
	noVolumes   = "commands see this machine's files"
)

type notices []string

// add notes that a field is not honoured, if it is set.
func (n *notices) add(set bool, field, why string) {
	if set {
		*n = append(*n, field+" is ignored: "+why)
	}
}

func (n *notices) container(name string, c *corev1.Container) {
	at := func(field string) string { return "spec.template.spec." + name + "." + field }
	n.add(len(c.Resources.Limits)+len(c.Resources.Requests)+len(c.Resources.Claims) > 0, at("resources"), "nothing is reserved or limited")
	n.add(len(c.VolumeMounts)+len(c.VolumeDevices) > 0, at("volumeMounts"), noVolumes)
	n.add(c.SecurityContext != nil, at("securityContext"), noIsolation)
	n.add(c.LivenessProbe != nil || c.ReadinessProbe != nil || c.StartupProbe != nil, at("livenessProbe, readinessProbe, startupProbe"), "a container is ready while it runs")
	n.add(c.Lifecycle != nil, at("lifecycle"), "no hooks are run")
	n.add(len(c.Ports) > 0, at("ports"), "a command listens where it will")
	n.add(len(c.EnvFrom) > 0, at("envFrom"), "there are no ConfigMaps and Secrets")
	n.add(c.Stdin || c.TTY, at("stdin, tty"), "standard input is empty")
	var left []string
	for _, v := range c.Env {
		if v.ValueFrom != nil && optionalSource(v.ValueFrom) {
			left = append(left, v.Name)
		}
	}
	n.add(len(left) > 0, at("env "+strings.Join(left, ", ")), "there are no ConfigMaps and Secrets")
}

func (n *notices) pod(s *corev1.PodSpec) {
	at := func(field string) string { return "spec.template.spec." + field }
	n.add(len(s.Volumes) > 0, at("volumes"), noVolumes)
	n.add(len(s.NodeSelector) > 0, at("nodeSelector"), noScheduler)
	n.add(s.NodeName != "", at("nodeName"), noScheduler)
	n.add(s.Affinity != nil, at("affinity"), noScheduler)
	n.add(len(s.Tolerations) > 0, at("tolerations"), noScheduler)
	n.add(len(s.TopologySpreadConstraints) > 0, at("topologySpreadConstraints"), noScheduler)
	n.add(s.SchedulerName != "", at("schedulerName"), noScheduler)
	n.add(len(s.SchedulingGates) > 0, at("schedulingGates"), noScheduler)
	n.add(s.PriorityClassName != "" || s.Priority != nil, at("priority"), noScheduler)
	n.add(len(s.ResourceClaims) > 0 || s.Resources != nil, at("resources"), "nothing is reserved or limited")
	n.add(s.ServiceAccountName != "", at("serviceAccountName"), "there is no API server")
	n.add(len(s.ImagePullSecrets) > 0, at("imagePullSecrets"), "no image is pulled")
	n.add(s.SecurityContext != nil, at("securityContext"), noIsolation)
	n.add(s.RuntimeClassName != nil, at("runtimeClassName"), noIsolation)
	n.add(s.OS != nil, at("os"), "commands run on this machine")
	n.add(len(s.HostAliases) > 0 || s.DNSConfig != nil || s.DNSPolicy != "", at("hostAliases, dnsConfig, dnsPolicy"), "this machine's names are used")
	n.add(s.Subdomain != "", at("subdomain"), "there is no cluster's DNS")
	n.add(len(s.ReadinessGates) > 0, at("readinessGates"), "a pod is ready while its containers run")
}
