package kube

import (
	"bytes"
	"encoding/json"
	"path"

	"sluice.dev/manifests/workload"
)

// faultsOf are all faults of a WorkQueue: those that "sluice validate" finds in a
// file, and what only one machine can do.
func faultsOf(w *workload.WorkQueue) (faults []string) {
	c := w.DeepCopy()
	c.APIVersion, c.Kind = workload.APIVersion, "WorkQueue"
	c.ManagedFields, c.Status = nil, workload.WorkQueueStatus{}
	c.Spec.After = "" // of another object, which a file would have to hold
	text, err := json.Marshal(c)
	if err != nil {
		return []string{err.Error()}
	}
	_, errs := workload.Load(bytes.NewReader(text), "-")
	for _, e := range errs {
		faults = append(faults, e.Path+": "+e.Message)
	}
	s := &w.Spec
	if s.Source != nil && s.Source.OfFiles() && s.Schedule == nil {
		faults = append(faults, "spec.source: files and glob name files of one machine, which a coordinator does not see: frames, list and args are allowed, or a schedule, whose Jobs have the template's volumes; enqueue the others with 'sluice enqueue'")
	}
	if s.Schedule != nil && s.Source != nil {
		faults = append(faults, scheduleFaults(w)...)
	}
	if s.Source == nil {
		for field, set := range map[string]bool{"spec.schedule": s.Schedule != nil, "spec.after": s.After != "", "spec.deadlineSeconds": s.DeadlineSeconds != nil} {
			if set {
				faults = append(faults, field+": it is about the items of spec.source, which is not there; 'sluice enqueue' says it of others")
			}
		}
	}
	if s.Source == nil && s.ItemPolicy.Output != "" && s.ItemPolicy.Existing != "" && s.ItemPolicy.Existing != workload.ExistingFail {
		faults = append(faults, "spec.itemPolicy.existing: only fail is allowed with an output and without a source, since two items may come to one output; 'sluice enqueue --output' has the store refuse that")
	}
	if out := s.ItemPolicy.Output; out != "" && !path.IsAbs(out) && len(faults) == 0 && s.JobTemplate.Spec.Template.Spec.Containers[0].WorkingDir == "" {
		faults = append(faults, "spec.itemPolicy.output: "+out+" is relative, and what to is not known here: an absolute path is allowed, or a workingDir of the container")
	}
	return faults
}

// scheduleFaults are those of a source that is enqueued again and again.
func scheduleFaults(w *workload.WorkQueue) (faults []string) {
	if _, err := firingText(w); err != nil {
		faults = append(faults, err.Error())
	}
	if p := &w.Spec.ItemPolicy; p.Output != "" && (p.Existing == "" || p.Existing == workload.ExistingFail) {
		faults = append(faults, "spec.itemPolicy.existing: fail would refuse what each batch after the first writes: with a schedule replace or skip is allowed")
	}
	return faults
}
