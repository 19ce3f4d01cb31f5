package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"

	"sluice.dev/coordinator/job"
	"sluice.dev/manifests/workload"
)

// manifestFlags are those of "sluice run -f".
type manifestFlags struct {
	files  []string
	strict bool
}

func (f *manifestFlags) register(fs *pflag.FlagSet) {
	fs.StringArrayVarP(&f.files, "filename", "f", nil, "`FILE` of WorkQueues, Jobs and CronJobs to run here, in place of a command and items; - is standard input; may be said again")
	fs.BoolVar(&f.strict, "strict", false, "with -f: refuse a file that says what only a cluster honours")
}

// Flags that may stand beside -f: those that say nothing of how an item is run
// or where it comes from.
var (
	manifestFlagNames = []string{"filename", "strict", "dry-run"}
	queueFlagNames    = []string{"parallelism", "state", "retry-dead", "halt", "keep-order", "tag", "line-buffer", "joblog", "progress", "log-limit"} // of WorkQueues
)

// given tells whether a run is one of manifests.
func (f *manifestFlags) given() bool { return len(f.files) > 0 || f.strict }

// alone refuses what is said besides: a manifest has its own commands. queues
// tells whether the files have a WorkQueue.
func (f *manifestFlags) alone(fs *pflag.FlagSet, args []string, queues bool) error {
	if len(f.files) == 0 {
		return usagef("--strict is for -f FILE, which is missing")
	}
	var other string
	fs.Visit(func(flag *pflag.Flag) {
		allowed := slices.Contains(manifestFlagNames, flag.Name) || queues && slices.Contains(queueFlagNames, flag.Name)
		if other == "" && !allowed {
			other = "--" + flag.Name
		}
	})
	allowed := "--strict and --dry-run are allowed"
	if queues {
		allowed = "--strict, --dry-run, --" + strings.Join(queueFlagNames, ", --") + " are allowed"
	}
	switch {
	case slices.Contains(f.files, ""):
		return usagef("-f \"\": the name of a file is needed, or - for standard input")
	case slices.Contains(queueFlagNames, strings.TrimPrefix(other, "--")):
		return usagef("-f and %s: it is for WorkQueues, and the files have none", other)
	case other != "":
		return usagef("-f and %s: the file says how its commands run; with -f, %s", other, allowed)
	case len(args) > 0:
		return usagef("-f and %q: the file has the commands; none is allowed after it", strings.Join(args, " "))
	}
	return nil
}

// run checks the files whole before anything starts.
func (f *runFlags) runManifests(cmd *cobra.Command, args []string) error {
	// What is wrong with the line in any case is told before a file is read.
	if err := f.manifests.alone(cmd.Flags(), args, true); err != nil {
		return err
	}
	if err := f.checkState(); err != nil {
		return err
	}
	if !cmd.Flags().Changed("parallelism") {
		f.parallelism = 0 // the files say it
	}
	work, errs := f.loadManifests(cmd.InOrStdin())
	for _, e := range errs {
		fmt.Fprintln(cmd.ErrOrStderr(), e)
	}
	if len(errs) > 0 {
		return &exitError{code: exitUsage}
	}
	if err := f.manifests.alone(cmd.Flags(), args, len(work.queues) > 0); err != nil {
		return err
	}
	if err := f.checkOrder(work); err != nil {
		return err
	}
	_ = os.Unsetenv(storeVar) // commands have no business with it
	if f.dryRun {
		return newQueueSet(f, work).dryRun(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
	}
	if len(work.queues) > 0 {
		return newQueueSet(f, work).main(cmd.Context())
	}
	out := newPodOutput(cmd.OutOrStdout(), cmd.ErrOrStderr(), work.crowded())
	work.notice(out.say)
	return newManifestRun(work, out).main(cmd.Context())
}

// loadManifests reads the files and plans what is in them.
func (f *runFlags) loadManifests(stdin io.Reader) (work manifestWork, errs workload.Errors) {
	files := f.manifests.files
	work.fixed = fixed(files)
	before := stamps(files)
	file, errs := workload.Load(stdin, files...)
	if len(errs) > 0 {
		return work, errs
	}
	if work.specs = specsOf(file); work.fixed == "" {
		work.watch = &fileWatch{files: files, specs: work.specs, seen: before, taken: before, load: func() (specs, workload.Errors) {
			again, errs := f.loadManifests(nil)
			return again.specs, errs
		}}
	}
	if errs = file.Inline(); len(errs) == 0 {
		errs = work.plan(file, f)
	}
	return work, errs
}

// checkOrder refuses to keep an order in what has none.
func (f *runFlags) checkOrder(work manifestWork) error {
	var first string
	switch {
	case !f.keepOrder:
	case len(work.jobs) > 0:
		first = "Job " + work.jobs[0].Job().Name
	case len(work.crons) > 0:
		first = "CronJob " + work.crons[0].CronJob().Name
	}
	if first != "" {
		return usagef("-f and --keep-order: it is for the items of WorkQueues, and %s has pods, which have no order", first)
	}
	return nil
}

// manifestWork is what files have to run.
type manifestWork struct {
	specs
	jobs    []plannedJob
	crons   []plannedCron
	queues  []*workQueue
	notices []string   // what only a cluster honours
	fixed   string     // the one that can be read but once, "" if there is none
	watch   *fileWatch // nil if there is one
}

type plannedJob struct {
	*job.Controller
	hold *hold
}

type plannedCron struct {
	*job.Cron
	hold *hold
}

// notice says what is not as it would be in a cluster.
func (w *manifestWork) notice(say func(format string, args ...any)) {
	say("images are not used: commands run on this machine, as this user")
	for _, n := range w.notices {
		say("%s", n)
	}
}

// plan takes what is in a file, or tells all that cannot be run here.
func (w *manifestWork) plan(file *workload.File, f *runFlags) (errs workload.Errors) {
	for _, d := range file.Documents {
		p := planner{document: d, strict: f.manifests.strict, work: w}
		held := w.holds.of(documentName(d))
		switch o := d.Object.(type) {
		case *batchv1.Job:
			c, err := job.New(o, time.Now())
			p.refuseAll(err, "spec")
			p.refuseSuspended(o.Spec.Suspend, "spec.suspend")
			p.jobSpec(&o.Spec, "spec")
			w.jobs = append(w.jobs, plannedJob{c, held})
		case *batchv1.CronJob:
			c, err := job.NewCron(o, time.Now())
			p.refuseAll(err, "spec")
			p.refuseSuspended(o.Spec.Suspend, "spec.suspend")
			if s := o.Spec.JobTemplate.Spec.Suspend; s != nil && *s {
				p.refuse("spec.jobTemplate.spec.suspend", "true would hold for good each Job that it makes, which no file has: false is allowed, and spec.suspend")
			}
			p.jobSpec(&o.Spec.JobTemplate.Spec, "spec.jobTemplate.spec")
			w.crons = append(w.crons, plannedCron{c, held})
		case *workload.WorkQueue:
			q := p.queue(o, f)
			q.hold, q.scheduleHold = held, w.holds.of(documentName(d)+scheduleOf)
			w.queues = append(w.queues, q)
		case *corev1.ConfigMap: // its values are where they are used
		default:
			p.refuse("kind", fmt.Sprintf("'sluice run -f' runs WorkQueue, Job and CronJob; %s %s is not one", d.Kind, d.Name))
		}
		slices.SortStableFunc(p.errs, func(a, b *workload.Error) int {
			return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
		})
		errs = append(errs, p.errs...)
	}
	if len(errs) == 0 && len(w.jobs)+len(w.crons)+len(w.queues) == 0 {
		d := file.Documents[0]
		errs = append(errs, &workload.Error{Position: d.Position, Message: "nothing to run: a WorkQueue, a Job or a CronJob is needed"})
	}
	return errs
}

// planner plans one document.
type planner struct {
	document *workload.Document
	strict   bool
	work     *manifestWork
	errs     workload.Errors
}

func (p *planner) refuse(path, message string) {
	p.errs = append(p.errs, &workload.Error{Position: p.document.At(path), Path: path, Message: message})
}

// refuseAll tells the faults that coordinator/job has found below "spec", which
// stands at path.
func (p *planner) refuseAll(err error, path string) {
	for _, e := range each(err) {
		message := e.Error()
		if rest, ok := strings.CutPrefix(message, "spec."); ok {
			message = path + "." + rest
		}
		at, message, _ := strings.Cut(message, ": ")
		p.refuse(at, message)
	}
}

// jobSpec refuses what would wait forever, and notes what only a cluster
// honours.
func (p *planner) jobSpec(s *batchv1.JobSpec, path string) {
	if n := s.Parallelism; n != nil && *n == 0 {
		p.refuse(path+".parallelism", "0 would start no pod, and nothing here changes it: 1 or more is allowed")
	}
	for _, n := range job.Unsupported(&batchv1.Job{Spec: *s}) {
		p.note(path + strings.TrimPrefix(n, "spec"))
	}
}

// note says what is not honoured here, unless that is refused.
func (p *planner) note(n string) {
	if p.strict {
		p.refuse("", n+": --strict refuses that")
	}
	p.work.notices = append(p.work.notices, fmt.Sprintf("%s: %s", p.document.Position, n))
}

// refuseSuspended refuses what would wait forever.
func (p *planner) refuseSuspended(suspend *bool, path string) {
	if suspend != nil && *suspend && p.work.fixed != "" {
		p.refuse(path, "true would hold it for good: "+p.work.fixed+" is read once: false is allowed, or regular files alone after -f")
	}
}

// each is the errors that one is made of.
func each(err error) []error {
	if err == nil {
		return nil
	}
	if all, ok := errors.AsType[utilerrors.Aggregate](err); ok {
		return all.Errors()
	}
	return []error{err}
}

// crowded tells whether several pods may be at work at once.
func (w *manifestWork) crowded() bool {
	if len(w.jobs) != 1 || len(w.crons) > 0 {
		return true // a CronJob's Jobs may overlap
	}
	s := w.jobs[0].Job().Spec
	return *s.Parallelism > 1 && (s.Completions == nil || *s.Completions > 1)
}
