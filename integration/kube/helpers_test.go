package kube_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"sluice.dev/coordinator/job"
)

// soon bounds what takes a second or two where nothing else runs.
const soon = 3 * time.Minute

// manifest is a file of testdata, whose pods meet in the folder dir.
func manifest(t *testing.T, name, dir string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(b), "@DIR@", dir)
}

// decode reads an object strictly.
func decode(t *testing.T, text string, into any) {
	t.Helper()
	if err := yaml.UnmarshalStrict([]byte(text), into); err != nil {
		t.Fatal(err)
	}
}

// trial is a Job that has been run on the cluster.
type trial struct {
	job  *batchv1.Job // as it ended
	pods *podWatch
}

// runJob runs the Job of a file to its end.
func runJob(t *testing.T, name string) *trial {
	t.Helper()
	namespace := kube.Namespace(t)
	tr := &trial{pods: watchPods(t, namespace)}
	var j batchv1.Job
	decode(t, manifest(t, "jobs/"+name, t.TempDir()), &j)
	made, err := kube.Client().BatchV1().Jobs(namespace).Create(t.Context(), &j, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	tr.job = finished(t, made)
	kube.Until(t, soon, func(context.Context) error { // the watch may lag behind
		for _, p := range tr.pods.pods() {
			if !podEnded(p) {
				return fmt.Errorf("pod %s is %s", p.Name, p.Status.Phase)
			}
		}
		return nil
	})
	return tr
}

// finished waits for a Job's end.
func finished(t *testing.T, j *batchv1.Job) *batchv1.Job {
	t.Helper()
	kube.Until(t, soon, func(ctx context.Context) error {
		got, err := kube.Client().BatchV1().Jobs(j.Namespace).Get(ctx, j.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if j = got; job.Finished(j) == nil {
			return fmt.Errorf("Job %s has not ended: %+v", j.Name, j.Status)
		}
		return nil
	})
	return j
}

// ended checks how a Job ended: its condition and reason, and its counts.
func (tr *trial) ended(t *testing.T, kind batchv1.JobConditionType, reason string, succeeded, failed int32) {
	t.Helper()
	s, c := tr.job.Status, job.Finished(tr.job)
	if c.Type != kind || c.Reason != reason || s.Succeeded != succeeded || s.Failed != failed {
		t.Errorf("Job %s ended as %s, %s, with %d succeeded and %d failed; want %s, %s, %d and %d",
			tr.job.Name, c.Type, c.Reason, s.Succeeded, s.Failed, kind, reason, succeeded, failed)
	}
}

// awaitFile waits for a file that a pod makes.
func awaitFile(t *testing.T, dir, name string) {
	t.Helper()
	kube.Until(t, soon, func(context.Context) error {
		_, err := os.Stat(filepath.Join(dir, name))
		return err
	})
}
