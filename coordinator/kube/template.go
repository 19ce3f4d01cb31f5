package kube

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"sluice.dev/manifests/workload"
)

const (
	// storeEnv has the store's URL in a worker's environment, and workerEnv the
	// worker's id.
	storeEnv  = "SLUICE_STORE"
	workerEnv = "SLUICE_WORKER_ID"
	// nodeEnv has the name of the node, where each has a worker.
	nodeEnv = "SLUICE_NODE_NAME"
	// lastWordsEnv has the file of the container's termination message, in which
	// a worker that is started again and again names itself.
	lastWordsEnv = "SLUICE_TERMINATION_LOG"

	toolVolume = "sluice-tool"
	toolFolder = "/.sluice"
	tool       = toolFolder + "/sluice"

	// scratchEnv has the folder in which a worker holds what items print. An
	// image may have none for it, or none that may be written to.
	scratchEnv    = "SLUICE_SCRATCH"
	scratchVolume = "sluice-scratch"
	scratchFolder = "/.sluice-scratch"
)

// settle is what remains of the pod's grace period for the worker to tell the
// store.
const settle = 2 * time.Second

// worker makes a template's pod a worker of its queue. An image that knows
// nothing of sluice gets the program from an init container, and its command
// runs for each item; a command that is "sluice work" already stays what it is.
// It returns the worker's container and how many items it has at once.
func worker(w *workload.WorkQueue, image string) (t corev1.PodTemplateSpec, container string, slots int, err error) {
	t = *w.Spec.JobTemplate.Spec.Template.DeepCopy()
	pod := &t.Spec
	if len(pod.Containers) == 0 {
		return t, "", 0, errors.New("spec.jobTemplate.spec.template.spec.containers: required: a pod has a container at least")
	}
	c := &pod.Containers[0]
	const at = "spec.jobTemplate.spec.template.spec.containers[0]"
	if args, ok := works(c); ok {
		if slots, err = readWork(args, worksOn(w)[0]); err != nil {
			return t, "", 0, fmt.Errorf("%s: %w", at, err)
		}
	} else {
		if len(c.Command) == 0 {
			return t, "", 0, fmt.Errorf("%s.command: required: it runs for each item, and what the image would start is not known here", at)
		}
		slots = 1
		c.Command, c.Args = wrap(w, c), nil
		c.Env = joinEnv([]corev1.EnvVar{{Name: scratchEnv, Value: scratchFolder}}, c.Env)
		c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: toolVolume, MountPath: toolFolder, ReadOnly: true},
			corev1.VolumeMount{Name: scratchVolume, MountPath: scratchFolder})
		pod.Volumes = append(pod.Volumes, corev1.Volume{Name: toolVolume, VolumeSource: corev1.VolumeSource{
			EmptyDir: &corev1.EmptyDirVolumeSource{SizeLimit: resource.NewQuantity(256<<20, resource.BinarySI)},
		}}, corev1.Volume{Name: scratchVolume, VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}})
		pod.InitContainers = append([]corev1.Container{installer(image)}, pod.InitContainers...)
	}
	c.Env = joinEnv(environment(w, c), c.Env)
	pod.RestartPolicy = corev1.RestartPolicyNever
	if w.Spec.PerNode() {
		pod.RestartPolicy = corev1.RestartPolicyAlways
	}
	if pod.AutomountServiceAccountToken == nil {
		pod.AutomountServiceAccountToken = new(false) // a worker speaks to its store alone
	}
	return t, c.Name, slots, nil
}

// worksOn are the queues of a worker. That of a node has the node's own, whose
// name the kubelet fills in, and the one that all nodes share.
func worksOn(w *workload.WorkQueue) []string {
	if w.Spec.PerNode() {
		return []string{workload.NodeQueue(w.QueueName(), "$("+nodeEnv+")"), w.QueueName()}
	}
	return []string{w.QueueName()}
}

// works tells whether a container runs "sluice work", and with what.
func works(c *corev1.Container) (args []string, ok bool) {
	line := append(slices.Clone(c.Command), c.Args...)
	if len(c.Command) == 0 { // an image that starts sluice
		return c.Args[min(1, len(c.Args)):], len(c.Args) > 0 && c.Args[0] == "work"
	}
	if len(line) > 1 && path.Base(line[0]) == "sluice" && line[1] == "work" {
		return line[2:], true
	}
	return nil, false
}

// readWork finds in the words after "sluice work" how many items such a worker
// has at once, and whether it is at the right queue.
func readWork(args []string, queueName string) (slots int, err error) {
	if i := slices.Index(args, "--"); i >= 0 {
		args = args[:i]
	}
	if first, _, _ := strings.Cut(strings.Join(args[:min(1, len(args))], ""), "="); first != queueName {
		return 0, fmt.Errorf("it works on another queue: sluice work %s is needed, and other queues after it", queueName)
	}
	slots = 1
	for i, a := range args {
		value, joined := strings.CutPrefix(a, "--concurrency=")
		if a == "--concurrency" && i+1 < len(args) {
			value, joined = args[i+1], true
		}
		if joined {
			if slots, err = strconv.Atoi(value); err != nil || slots < 1 {
				return 0, fmt.Errorf("--concurrency %q: a whole number from 1 is allowed", value)
			}
		}
	}
	return slots, nil
}

// wrap is the command line of a worker that runs the container's command for
// each item.
func wrap(w *workload.WorkQueue, c *corev1.Container) []string {
	line := append([]string{tool, "work"}, worksOn(w)...)
	line = append(line, "--concurrency", "1", "--grace", grace(w).String())
	p := &w.Spec.ItemPolicy
	seconds := func(flag string, n *int64) {
		if n != nil {
			line = append(line, flag, fmt.Sprintf("%ds", *n))
		}
	}
	seconds("--item-deadline", p.ItemDeadlineSeconds)
	seconds("--stall", p.StallSeconds)
	codes := func(flag string, list []int32) {
		if len(list) > 0 {
			line = append(line, flag, strings.Trim(strings.ReplaceAll(fmt.Sprint(list), " ", ","), "[]"))
		}
	}
	codes("--fail-exit-codes", p.FailExitCodes)
	codes("--release-exit-codes", p.ReleaseExitCodes)
	if p.MinOutputBytes != nil {
		line = append(line, "--min-output-bytes", strconv.FormatInt(*p.MinOutputBytes, 10))
	}
	if p.Output != "" && w.Spec.Source == nil { // or the items have it
		line = append(line, "--output", p.Output)
	}
	if p.Existing != "" {
		line = append(line, "--existing", string(p.Existing))
	}
	line = append(line, "--")
	return append(append(line, c.Command...), c.Args...)
}

// grace is how long a worker that is told to stop lets an item run on, and then
// how long the item has to end: both must fit into the pod's own time.
func grace(w *workload.WorkQueue) time.Duration {
	whole := 30 * time.Second
	if s := w.Spec.JobTemplate.Spec.Template.Spec.TerminationGracePeriodSeconds; s != nil {
		whole = time.Duration(*s) * time.Second
	}
	return max((whole-settle)/2, time.Millisecond).Truncate(time.Millisecond)
}

// environment is what every worker must know. The store's URL may hold a
// password, so it comes from the Secret itself.
func environment(w *workload.WorkQueue, c *corev1.Container) []corev1.EnvVar {
	field := func(name, fieldPath string) corev1.EnvVar {
		return corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{
			FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: fieldPath}}}
	}
	env := []corev1.EnvVar{
		field("SLUICE_POD_NAME", "metadata.name"),
		field("SLUICE_POD_UID", "metadata.uid"),
		{Name: workerEnv, Value: "$(SLUICE_POD_NAME).$(SLUICE_POD_UID)"},
		storeVar(w),
	}
	if w.Spec.PerNode() {
		env = append(env, field(nodeEnv, "spec.nodeName"),
			corev1.EnvVar{Name: lastWordsEnv, Value: cmp.Or(c.TerminationMessagePath, corev1.TerminationMessagePathDefault)})
	}
	return env
}

func storeVar(w *workload.WorkQueue) corev1.EnvVar {
	secret := w.Spec.StoreSecret()
	return corev1.EnvVar{Name: storeEnv, ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
		LocalObjectReference: corev1.LocalObjectReference{Name: secret.Name}, Key: secret.Key}}}
}

// joinEnv is our variables and then the template's, which may say another store
// and cannot say another worker's id.
func joinEnv(ours, theirs []corev1.EnvVar) []corev1.EnvVar {
	said := func(list []corev1.EnvVar, name string) bool {
		return slices.ContainsFunc(list, func(e corev1.EnvVar) bool { return e.Name == name })
	}
	ours = slices.DeleteFunc(ours, func(e corev1.EnvVar) bool { return e.Name == storeEnv && said(theirs, storeEnv) })
	for _, e := range theirs {
		if !said(ours, e.Name) {
			ours = append(ours, e)
		}
	}
	return ours
}

// installer copies the sluice program to where the worker's container finds it.
// It keeps to the restricted Pod Security Standard.
func installer(image string) corev1.Container {
	small := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("50m"), corev1.ResourceMemory: resource.MustParse("64Mi")}
	return corev1.Container{
		Name: toolVolume, Image: image,
		Args:         []string{"__install", tool}, // the image starts sluice
		VolumeMounts: []corev1.VolumeMount{{Name: toolVolume, MountPath: toolFolder}},
		Resources:    corev1.ResourceRequirements{Requests: small, Limits: small},
		SecurityContext: &corev1.SecurityContext{
			AllowPrivilegeEscalation: new(false), ReadOnlyRootFilesystem: new(true), RunAsNonRoot: new(true),
			RunAsUser:      new(int64(65532)),
			Capabilities:   &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
	}
}
