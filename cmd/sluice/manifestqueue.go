package main

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"sluice.dev/coordinator"
	"sluice.dev/coordinator/job"
	"sluice.dev/manifests/workload"
)

// workQueue is a WorkQueue that runs here: what a command line would have said
// in its place.
type workQueue struct {
	workload.Position
	shape
	flags  *runFlags
	source *workload.Source
	after  string
	cron   *job.Cron // nil: one batch, at once
	state  *state    // nil without --state

	scheduleHold *hold // nil without a schedule
}

const templateAt = "spec.jobTemplate.spec"

// queue plans a WorkQueue, or tells all that cannot be honoured here.
func (p *planner) queue(o *workload.WorkQueue, f *runFlags) *workQueue {
	template := o.Spec.JobTemplate.Spec.DeepCopy() // as it is written
	p.worker(template)
	if o.Spec.Store != nil {
		p.note("spec.store is ignored: the run has a store of its own")
	}
	if o.Spec.Queue != "" {
		p.note("spec.queue is ignored: nobody else sees the run's queues")
	}
	workload.Defaults(o)
	spec := &o.Spec
	p.refuseSuspended(spec.Suspend, "spec.suspend")
	switch {
	case spec.PerNode():
		p.refuse("spec.mode", "PerNode is for a cluster, and this is one machine: leave it out and say spec.source")
	case spec.Source == nil:
		p.refuse("spec.source", "required here, where nobody else enqueues items")
	}
	most := *spec.Scaling.MaxParallelism
	if most > maxParallelism && f.parallelism == 0 {
		p.refuse("spec.scaling.maxParallelism", fmt.Sprintf("%d is out of range: on one machine up to %d are allowed; --parallelism says another number", most, maxParallelism))
	}
	_, err := job.New(&batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: o.Name}, Spec: *template}, time.Now())
	p.refuseAll(err, templateAt)
	q := &workQueue{
		Position: p.document.Position,
		shape: shape{
			name:  o.Name,
			scale: coordinator.Options{Min: int(*spec.Scaling.MinParallelism), Max: int(most), ItemsPerWorker: int(*spec.Scaling.ItemsPerWorker)},
		},
		source: spec.Source,
		after:  spec.After,
	}
	if f.parallelism > 0 {
		q.scale.Max, q.scale.Min = f.parallelism, min(q.scale.Min, f.parallelism)
	}
	if spec.DeadlineSeconds != nil {
		q.deadline = time.Duration(*spec.DeadlineSeconds) * time.Second
	}
	policy := spec.ItemPolicy.Queue()
	q.policy = &policy
	if spec.Schedule != nil {
		p.schedule(q, o, template, f)
	}
	if len(p.errs) == 0 {
		p.runFlags(q, o, template.Template, f)
	}
	return q
}

// worker leaves of a template what a worker is here: the first container. It
// notes the rest.
func (p *planner) worker(s *batchv1.JobSpec) {
	pod := &s.Template.Spec
	const path = templateAt + ".template.spec."
	if len(pod.InitContainers) > 0 {
		p.note(path + "initContainers is ignored: items are run by the first of the containers alone")
		pod.InitContainers = nil
	}
	if len(pod.Containers) > 1 {
		p.note(path + "containers[1] is ignored: items are run by the first of the containers alone")
		pod.Containers = pod.Containers[:1]
	}
	if c := &pod.Containers[0]; c.WorkingDir != "" {
		p.note(path + "containers[0].workingDir is ignored: items are run where sluice is, as their relative paths mean")
		c.WorkingDir = ""
	}
	if s.TTLSecondsAfterFinished != nil {
		p.note(templateAt + ".ttlSecondsAfterFinished is ignored: no Jobs are made")
		s.TTLSecondsAfterFinished = nil
	}
	if pod.RestartPolicy == "" {
		pod.RestartPolicy = corev1.RestartPolicyNever
	}
	p.jobSpec(s, templateAt)
}

// schedule has a CronJob say when there is a batch: the fields are its own.
func (p *planner) schedule(q *workQueue, o *workload.WorkQueue, template *batchv1.JobSpec, f *runFlags) {
	s := o.Spec.Schedule
	p.refuseSuspended(s.Suspend, "spec.schedule.suspend")
	if f.state != "" {
		p.refuse("spec.schedule", "not with --state, by which work that ended early goes on: each batch of a schedule is new")
	}
	cron, err := job.NewCron(&batchv1.CronJob{
		ObjectMeta: metav1.ObjectMeta{Name: o.Name},
		Spec: batchv1.CronJobSpec{
			Schedule: s.Schedule, TimeZone: s.TimeZone, ConcurrencyPolicy: s.ConcurrencyPolicy,
			StartingDeadlineSeconds: s.StartingDeadlineSeconds, Suspend: s.Suspend,
			SuccessfulJobsHistoryLimit: s.SuccessfulJobsHistoryLimit, FailedJobsHistoryLimit: s.FailedJobsHistoryLimit,
			JobTemplate: batchv1.JobTemplateSpec{Spec: *template},
		},
	}, time.Now())
	if len(p.errs) == 0 { // else it tells the template's faults again
		p.refuseAll(err, "spec.schedule")
	}
	q.cron, q.seats = cron, &seats{free: q.scale.Max}
}

// runFlags are what a command line would say of the items.
func (p *planner) runFlags(q *workQueue, o *workload.WorkQueue, template corev1.PodTemplateSpec, f *runFlags) {
	policy, fields := &o.Spec.ItemPolicy, q.source.Fields()
	q.flags = &runFlags{
		itemFlags: itemFlags{
			Output: policy.Output, Existing: string(policy.Existing),
			ItemDeadline: seconds64(policy.ItemDeadlineSeconds), Stall: seconds64(policy.StallSeconds),
			Grace:         max(seconds64(o.Spec.JobTemplate.Spec.Template.Spec.TerminationGracePeriodSeconds), time.Millisecond),
			FailExitCodes: codes(policy.FailExitCodes), ReleaseExitCodes: codes(policy.ReleaseExitCodes),
			MinOutputBytes: int(*policy.MinOutputBytes), LineBuffer: f.LineBuffer,
			Fields: fieldsOf(fields.Fields, fields.AnyField),
		},
		sourceFlags: sourceFlags{input: q.source.Input, identity: strings.ToLower(string(q.source.Identity))},
		parallelism: q.scale.Max, backoffLimit: int(*policy.BackoffLimit),
		halt: f.halt, retryDead: f.retryDead, watchFlags: f.watchFlags, keepOrder: f.keepOrder, joblog: f.joblog,
	}
	if f.state != "" {
		q.flags.state = filepath.Join(f.state, q.name)
	}
	pod := podOf(o, template)
	q.items = func(worker string) itemFlags {
		items := q.flags.itemFlags
		items.Argv, items.Env, _ = containerCommand(pod, worker) // checked below
		return items
	}
	var err error
	if q.flags.Argv, q.flags.Env, err = containerCommand(pod, q.name); err != nil {
		p.refuse(templateAt+".template.spec.containers[0].env", err.Error())
		return
	}
	h, err := q.flags.handler(nil, nil) // checks what only running would show otherwise
	if err != nil {
		p.refuse(templateAt+".template.spec.containers[0]", err.Error())
		return
	}
	_ = h.Close()
}

func fieldsOf(names []string, all bool) fields { return fields{Names: names, Any: all} }

func seconds64(n *int64) time.Duration {
	if n == nil {
		return 0
	}
	return time.Duration(*n) * time.Second
}

func codes(list []int32) (codes []int) {
	for _, c := range list {
		codes = append(codes, int(c))
	}
	return codes
}

// podOf is the pod that a worker would be in a cluster, but for its name.
func podOf(o *workload.WorkQueue, t corev1.PodTemplateSpec) corev1.Pod {
	p := corev1.Pod{ObjectMeta: *t.ObjectMeta.DeepCopy(), Spec: t.Spec}
	if p.Namespace = o.Namespace; p.Namespace == "" {
		p.Namespace = metav1.NamespaceDefault
	}
	return p
}

// containerCommand is what a worker of this name runs for each item, and the
// environment that the pod's container adds.
func containerCommand(pod corev1.Pod, worker string) (argv, env []string, err error) {
	pod.Name, pod.UID = worker, types.UID(worker)
	argv, vars, err := job.Command(&pod, &pod.Spec.Containers[0])
	if err != nil {
		return nil, nil, err
	}
	if _, set := vars["HOSTNAME"]; !set {
		vars["HOSTNAME"] = worker
	}
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		env = append(env, name+"="+vars[name])
	}
	return argv, env, nil
}
