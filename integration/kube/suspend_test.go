package kube_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"sluice.dev/coordinator/job"
)

// TestALaptopResumesAJobAsAClusterDoes runs a Job whose second pod is ended by a
// suspension, and that is resumed then: by a patch on the cluster, and by the
// file on the laptop.
func TestALaptopResumesAJobAsAClusterDoes(t *testing.T) {
	t.Parallel()
	onCluster, onLaptop := suspendOnCluster(t), suspendOnLaptop(t)
	if diff := cmp.Diff(onCluster, onLaptop); diff != "" {
		t.Errorf("cluster (-), laptop (+):\n%s", diff)
	}
}

// suspendedJob has pods that wait for the file go, but for the first.
const suspendedJob = `apiVersion: batch/v1
kind: Job
metadata: {name: held}
spec:
  suspend: true
  completions: 2
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      terminationGracePeriodSeconds: 600
      containers:
      - name: main
        image: busybox
        command: [sh, -c]
        args:
        - |
          cd @DIR@
          mkdir first && exit 0
          trap 'exit 3' TERM
          touch waits
          until test -e go; do sleep 0.05; done
`

// suspendOnCluster returns the tables of the Job's end.
func suspendOnCluster(t *testing.T) []string {
	t.Helper()
	dir, namespace := t.TempDir(), kube.Namespace(t)
	tr := &trial{pods: watchPods(t, namespace)}
	var j batchv1.Job
	decode(t, strings.ReplaceAll(suspendedJob, "@DIR@", dir), &j)
	jobs := kube.Client().BatchV1().Jobs(namespace)
	made, err := jobs.Create(t.Context(), &j, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	held := func(pods int) {
		t.Helper()
		kube.Until(t, soon, func(ctx context.Context) error {
			got, err := jobs.Get(ctx, j.Name, metav1.GetOptions{})
			if err != nil {
				return err
			}
			if err := tr.podsEnded(ctx); err != nil {
				return err
			}
			if job.Condition(got, batchv1.JobSuspended) == nil || got.Status.Active > 0 || len(tr.pods.pods()) != pods {
				return fmt.Errorf("%d pods, want %d, of a Job that is held: %+v", len(tr.pods.pods()), pods, got.Status)
			}
			return nil
		})
	}
	suspend := func(on bool) {
		t.Helper()
		patch := fmt.Appendf(nil, `{"spec": {"suspend": %v}}`, on)
		if _, err := jobs.Patch(t.Context(), j.Name, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	held(0)
	suspend(false)
	awaitFile(t, dir, "waits")
	suspend(true)
	held(2)
	letGo(t, dir)
	suspend(false)
	tr.job = finished(t, made)
	tr.ended(t, batchv1.JobComplete, batchv1.JobReasonCompletionsReached, 2, 0)
	kube.Until(t, soon, tr.podsEnded) // the watch may lag behind
	return tr.tables(t)
}

func (tr *trial) podsEnded(context.Context) error {
	for _, p := range tr.pods.pods() {
		if !podEnded(p) {
			return fmt.Errorf("pod %s is %s", p.Name, p.Status.Phase)
		}
	}
	return nil
}

// suspendOnLaptop does the same by the file.
func suspendOnLaptop(t *testing.T) []string {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "job.yaml")
	suspend := func(on bool) {
		t.Helper()
		text := strings.ReplaceAll(suspendedJob, "@DIR@", dir)
		text = strings.ReplaceAll(text, "suspend: true", fmt.Sprintf("suspend: %v", on))
		if err := errors.Join(os.WriteFile(file+"~", []byte(text), 0o600), os.Rename(file+"~", file)); err != nil {
			t.Fatal(err)
		}
	}
	suspend(true)
	cmd := exec.CommandContext(t.Context(), sluice(t), "run", "-f", file)
	cmd.Dir = dir
	var said lockedBuffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	held := func(times int) {
		t.Helper()
		kube.Until(t, soon, func(context.Context) error {
			if strings.Count(said.String(), "all that is left waits: job.batch/held ") != times {
				return fmt.Errorf("the Job is not held for the %dth time:\n%s", times, said.String())
			}
			return nil
		})
	}
	held(1)
	suspend(false)
	awaitFile(t, dir, "waits")
	suspend(true)
	held(2)
	letGo(t, dir)
	suspend(false)
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v:\n%s", err, said.String())
	}
	return cutTables(said.String())
}

func letGo(t *testing.T, dir string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

// lockedBuffer is for a program that writes while a test reads.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
