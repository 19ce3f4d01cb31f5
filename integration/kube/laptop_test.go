package kube_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"sluice.dev/coordinator/job"
)

// buildSluice builds the program once for all tests that run it.
var buildSluice = sync.OnceValues(func() (string, error) {
	bin := filepath.Join(kube.Dir(), "sluice")
	out, err := exec.Command("go", "build", "-C", "../..", "-o", bin, "./cmd/sluice").CombinedOutput()
	if err != nil {
		return "", errors.New(string(out))
	}
	return bin, nil
})

func sluice(t *testing.T) string {
	t.Helper()
	bin, err := buildSluice()
	if err != nil {
		t.Fatalf("building sluice: %v", err)
	}
	return bin
}

// TestALaptopShowsTheTablesOfACluster runs each manifest by "sluice run -f" too:
// what it shows at the end is what kubectl would of the real objects.
func TestALaptopShowsTheTablesOfACluster(t *testing.T) {
	t.Parallel()
	for _, want := range jobs {
		t.Run(want.name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), sluice(t), "run", "-f", "-")
			cmd.Dir = t.TempDir()
			cmd.Stdin = strings.NewReader(manifest(t, "jobs/"+want.name, cmd.Dir))
			var stdout, stderr bytes.Buffer
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			code := 0
			if err := cmd.Run(); err != nil {
				if code = cmd.ProcessState.ExitCode(); code < 0 {
					t.Fatal(err)
				}
			}
			tr := runJob(t, want.name)
			if diff := cmp.Diff(tr.tables(t), cutTables(stderr.String())); diff != "" {
				t.Errorf("cluster (-), laptop (+):\n%s", diff)
			}
			end := job.Finished(tr.job)
			if failed := end.Type == batchv1.JobFailed; failed != (code == 1) || !failed && code != 0 {
				t.Errorf("the laptop's exit code is %d, and the cluster's Job is %s", code, end.Type)
			} else if says := "sluice: Job " + want.name + ": " + end.Reason + ": "; failed && !strings.Contains(stderr.String(), says) {
				t.Errorf("the laptop does not say %q:\n%s", says, &stderr)
			}
			if want.name != "environment" && want.name != "indexed" {
				return // the other commands print nothing that is of interest
			}
			if diff := cmp.Diff(tr.printed(t), lines(stdout.String())); diff != "" {
				t.Errorf("commands print on the cluster (-), on the laptop (+):\n%s", diff)
			}
		})
	}
}

// TestALaptopCountsAsAClusterDoes compares the statuses of which the tables show
// a part.
func TestALaptopCountsAsAClusterDoes(t *testing.T) {
	t.Parallel()
	for _, want := range jobs {
		t.Run(want.name, func(t *testing.T) {
			t.Parallel()
			var j batchv1.Job
			decode(t, manifest(t, "jobs/"+want.name, t.TempDir()), &j)
			c, err := job.New(&j, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			r := &job.Runner{Mark: t.Name(), Output: func(*corev1.Pod, string) (stdout, stderr io.WriteCloser) { return nowhere{}, nowhere{} }}
			ctx, cancel := context.WithTimeout(t.Context(), soon)
			defer cancel()
			laptop := job.NewLoop(c, r).Run(ctx)
			r.Wait()
			if diff := cmp.Diff(statusOf(runJob(t, want.name).job), statusOf(laptop)); diff != "" {
				t.Errorf("cluster (-), laptop (+):\n%s", diff)
			}
		})
	}
}

type nowhere struct{}

func (nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (nowhere) Close() error                { return nil }

// statusOf is a Job's status without times and without the book-keeping that a
// laptop has no need of.
func statusOf(j *batchv1.Job) batchv1.JobStatus {
	s := *j.Status.DeepCopy()
	s.StartTime, s.CompletionTime, s.UncountedTerminatedPods = nil, nil, nil
	for i := range s.Conditions {
		c := &s.Conditions[i]
		*c = batchv1.JobCondition{Type: c.Type, Status: c.Status, Reason: c.Reason, Message: maskNames(c.Message)}
	}
	return s
}

// tables are what kubectl shows of a Job and its pods, those too that are gone
// since.
func (tr *trial) tables(t *testing.T) []string {
	t.Helper()
	var b bytes.Buffer
	err := errors.Join(job.WriteJobs(&b, []*batchv1.Job{tr.job}, time.Now()), job.WritePods(&b, tr.pods.pods(), time.Now()))
	if err != nil {
		t.Fatal(err)
	}
	return cutTables(b.String())
}

// cutTables finds the tables in a text and leaves of each row what does not
// depend on time or chance. Pods are in no order.
func cutTables(text string) []string {
	var rows []string
	inside := false
	for line := range strings.Lines(text) {
		inside = inside || strings.HasPrefix(line, "NAME ")
		cells := columns.Split(strings.TrimSpace(line), -1)
		if !inside || len(cells) < 5 {
			continue
		}
		cells[0] = maskNames(cells[0])
		cells[3], _, _ = strings.Cut(cells[3], " ") // restarts, or a duration
		if duration.MatchString(cells[3]) {
			cells[3] = ""
		}
		rows = append(rows, strings.Join(cells[:4], " "))
	}
	slices.Sort(rows)
	return rows
}

var (
	columns  = regexp.MustCompile(` {2,}`)
	duration = regexp.MustCompile(`^\d+[smhd]`)
	suffix   = regexp.MustCompile(`\b([a-z0-9-]+)-[a-z0-9]{5}\b`)
)

// maskNames takes the random end off names of pods, and the namespace.
func maskNames(s string) string {
	return suffix.ReplaceAllString(regexp.MustCompile(`pod [a-z0-9-]+/`).ReplaceAllString(s, "pod "), "$1-?")
}

// printed is what the pods have printed, a line each, in no order.
func (tr *trial) printed(t *testing.T) []string {
	t.Helper()
	var all strings.Builder
	for _, p := range tr.pods.pods() {
		for _, s := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
			text, err := kube.Logs(t.Context(), p.Namespace, p.Name, s.Name)
			if err != nil {
				t.Fatal(err)
			}
			all.WriteString(text)
		}
	}
	return lines(all.String())
}

// lines are those of a text, without the names of pods that stand before them.
func lines(text string) []string {
	all := strings.Split(strings.TrimSpace(text), "\n")
	for i, line := range all {
		all[i] = podName.ReplaceAllString(line, "")
	}
	slices.Sort(all)
	return all
}

var podName = regexp.MustCompile(`^[a-z]+-\d-[a-z0-9]{5} `)
