package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	batchv1 "k8s.io/api/batch/v1"
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
	fs.StringArrayVarP(&f.files, "filename", "f", nil, "`FILE` of Jobs and CronJobs to run here, in place of a command and items; - is standard input; may be said again")
	fs.BoolVar(&f.strict, "strict", false, "with -f: refuse a file that says what only a cluster honours")
}

// manifestFlag tells whether a flag is one of them.
func manifestFlag(name string) bool { return name == "filename" || name == "strict" }

// given tells whether a run is one of manifests.
func (f *manifestFlags) given() bool { return len(f.files) > 0 || f.strict }

// alone refuses what is said besides: a manifest has its own commands.
func (f *manifestFlags) alone(fs *pflag.FlagSet, args []string) error {
	if len(f.files) == 0 {
		return usagef("--strict is for -f FILE, which is missing")
	}
	var other string
	fs.Visit(func(flag *pflag.Flag) {
		if other == "" && !manifestFlag(flag.Name) {
			other = "--" + flag.Name
		}
	})
	switch {
	case slices.Contains(f.files, ""):
		return usagef("-f \"\": the name of a file is needed, or - for standard input")
	case other != "":
		return usagef("-f and %s: the file says how its commands run; with -f, --strict alone is allowed", other)
	case len(args) > 0:
		return usagef("-f and %q: the file has the commands; none is allowed after it", strings.Join(args, " "))
	}
	return nil
}

// run checks the files whole before anything starts.
func (f *manifestFlags) run(cmd *cobra.Command, args []string) error {
	if err := f.alone(cmd.Flags(), args); err != nil {
		return err
	}
	file, errs := workload.Load(cmd.InOrStdin(), f.files...)
	var work manifestWork
	if len(errs) == 0 {
		errs = work.plan(file, f.strict)
	}
	for _, e := range errs {
		fmt.Fprintln(cmd.ErrOrStderr(), e)
	}
	if len(errs) > 0 {
		return &exitError{code: exitUsage}
	}
	_ = os.Unsetenv(storeVar) // commands have no business with it
	out := newPodOutput(cmd.OutOrStdout(), cmd.ErrOrStderr(), work.crowded())
	out.say("images are not used: commands run on this machine, as this user")
	for _, n := range work.notices {
		out.say("%s", n)
	}
	return newManifestRun(work, out).main(cmd.Context())
}

// manifestWork is what files have to run.
type manifestWork struct {
	jobs    []*job.Controller
	crons   []*job.Cron
	notices []string // what only a cluster honours
}

// plan takes what is in a file, or tells all that cannot be run here.
func (w *manifestWork) plan(file *workload.File, strict bool) (errs workload.Errors) {
	for _, d := range file.Documents {
		refuse := func(path, message string) {
			errs = append(errs, &workload.Error{Position: d.Position, Path: path, Message: message})
		}
		var (
			spec *batchv1.JobSpec
			path string // of spec
			err  error
			now  = time.Now()
		)
		switch o := d.Object.(type) {
		case *batchv1.Job:
			var c *job.Controller
			c, err = job.New(o, now)
			spec, path = &o.Spec, "spec"
			w.jobs = append(w.jobs, c)
		case *batchv1.CronJob:
			var c *job.Cron
			c, err = job.NewCron(o, now)
			spec, path = &o.Spec.JobTemplate.Spec, "spec.jobTemplate.spec"
			w.crons = append(w.crons, c)
			refuseSuspended(o.Spec.Suspend, "spec.suspend", refuse)
		default:
			refuse("kind", fmt.Sprintf("'sluice run -f' runs Job and CronJob; %s %s is not one", d.Kind, d.Name))
			continue
		}
		for _, e := range each(err) {
			refuse("", e.Error())
		}
		refuseSuspended(spec.Suspend, path+".suspend", refuse)
		if p := spec.Parallelism; p != nil && *p == 0 {
			refuse(path+".parallelism", "0 would start no pod, and nothing here changes it: 1 or more is allowed")
		}
		for _, n := range job.Unsupported(&batchv1.Job{Spec: *spec}) {
			n = path + strings.TrimPrefix(n, "spec")
			if strict {
				refuse("", n+": --strict refuses that")
			}
			w.notices = append(w.notices, fmt.Sprintf("%s: %s", d.Position, n))
		}
	}
	return errs
}

// refuseSuspended refuses what would wait forever.
func refuseSuspended(suspend *bool, path string, refuse func(path, message string)) {
	if suspend != nil && *suspend {
		refuse(path, "true would hold it for good, since nothing here resumes it: false is allowed")
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
