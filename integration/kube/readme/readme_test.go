// Package readme_test runs the commands of README.md's chapter about clusters,
// as they stand there, from an empty cluster to encoded files.
package readme_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/integration/kube/cluster"
	"sluice.dev/integration/kube/node"
	"sluice.dev/internal/redistest"
)

var (
	kube  *cluster.Cluster
	tools string // the folder of kubectl and sluice
)

func TestMain(m *testing.M) {
	node.Main()
	os.Exit(cluster.Run(m, cluster.Options{}, func(ctx context.Context, c *cluster.Cluster) error {
		kube, tools = c, filepath.Join(c.Dir(), "tools")
		for program, source := range map[string]string{
			"sluice": "../../../cmd/sluice", "kubectl": "../cmd/kubectl", "render": "../../../manifests/examples/render",
		} {
			cmd := exec.CommandContext(ctx, "go", "build", "-o", filepath.Join(tools, program), ".")
			cmd.Dir, cmd.Env = source, append(os.Environ(), "CGO_ENABLED=0")
			if out, err := cmd.CombinedOutput(); err != nil {
				return fmt.Errorf("build %s: %w: %s", program, err, out)
			}
		}
		for _, name := range []string{"node1", "node2"} {
			_, err := c.StartNode(ctx, node.Options{
				Name: name,
				Images: map[string]string{
					"sluice:latest": filepath.Join(tools, "sluice"), "render:1": filepath.Join(tools, "render"),
				},
				Capacity: map[corev1.ResourceName]string{corev1.ResourceCPU: "8"},
			})
			if err != nil {
				return err
			}
		}
		return nil
	}))
}

// sounds is how many the chapter encodes.
const sounds = 20

func TestTheClusterChapter(t *testing.T) {
	clone := clone(t)
	media := filepath.Join(clone, "media")
	record(t, filepath.Join(media, "in"))
	claim(t, clone, media)
	config := filepath.Join(clone, "kubeconfig")
	if err := kube.WriteKubeconfig(config, "someone", "system:masters"); err != nil {
		t.Fatal(err)
	}
	env := append(os.Environ(), "KUBECONFIG="+config, "SLUICE_STORE="+redistest.Start(t).URL(),
		"PATH="+tools+":"+os.Getenv("PATH"), "HOME="+clone)
	said := make(map[string]string)
	for _, line := range chapter(t) {
		if strings.HasPrefix(line, "docker build ") { // there is no engine: a node takes the program for the image
			if _, err := os.Stat(filepath.Join(clone, "manifests/Dockerfile")); err != nil {
				t.Error(err)
			}
			continue
		}
		out := run(t, clone, env, line)
		verb, _, _ := strings.Cut(strings.TrimPrefix(line, "bin/"), " -")
		said[verb] = out
	}
	files, err := filepath.Glob(filepath.Join(media, "out", "*.ogg"))
	if err != nil || len(files) != sounds {
		t.Errorf("%d files are encoded, %v; want %d", len(files), err, sounds)
	}
	for _, f := range files {
		if out, err := exec.Command("ffmpeg", "-nostdin", "-v", "error", "-i", f, "-f", "null", "-").CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%s: %v %s", f, err, out)
		}
	}
	film := filepath.Join(media, "out/film/film.mp4")
	frames, err := exec.Command("ffprobe", "-v", "error", "-count_frames", "-show_entries", "stream=nb_read_frames", "-of", "csv=p=0", film).CombinedOutput()
	if got := strings.TrimSpace(string(frames)); err != nil || got != "48" {
		t.Errorf("the film has %s frames, %v; want 48", got, err)
	}
	for verb, want := range map[string]string{
		"sluice wait batch first": fmt.Sprintf("batch/first: Complete: %d of %[1]d done", sounds),
		"sluice explain sounds":   "sounds",
		"kubectl get workqueues":  "READY",
	} {
		if !strings.Contains(said[verb], want) {
			t.Errorf("%s said %q, want %q in it", verb, said[verb], want)
		}
	}
	kube.Until(t, time.Minute, func(ctx context.Context) error {
		pods, err := kube.Client().CoreV1().Pods("films").List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		for _, p := range pods.Items {
			if p.Status.Phase == corev1.PodFailed {
				t.Fatalf("worker %s failed: %s", p.Name, p.Status.Message)
			}
			if p.Status.Phase != corev1.PodSucceeded {
				err = fmt.Errorf("pod %s is %s after all, want none but Succeeded ones", p.Name, p.Status.Phase)
			}
		}
		return err
	})
}

// clone is a folder that looks like a clone of the repository in which sluice was
// built. The coordinator's ports are free ones there, since the pods of a process
// node share those of the machine.
func clone(t *testing.T) string {
	t.Helper()
	clone := t.TempDir()
	if err := os.CopyFS(filepath.Join(clone, "manifests"), os.DirFS("../../../manifests")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(tools, filepath.Join(clone, "bin")); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(clone, "manifests/base/coordinator.yaml")
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	const as, there = "--metrics=:8080, --health=:8081", "--metrics=127.0.0.1:0, --health=127.0.0.1:0"
	if strings.Count(string(text), as) != 1 {
		t.Fatalf("%s has no %q", name, as)
	}
	if err := os.WriteFile(name, []byte(strings.Replace(string(text), as, there, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	return clone
}

// record makes the sounds.
func record(t *testing.T, dir string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	args := []string{"-nostdin", "-v", "error", "-y"}
	for n := range sounds {
		args = append(args, "-f", "lavfi", "-i", fmt.Sprintf("sine=frequency=%d:duration=1", 200+20*n))
	}
	for n := range sounds {
		args = append(args, "-map", fmt.Sprintf("%d:a", n), filepath.Join(dir, fmt.Sprintf("%d.wav", n+1)))
	}
	if out, err := exec.Command("ffmpeg", args...).CombinedOutput(); err != nil {
		t.Fatalf("ffmpeg: %v %s", err, out)
	}
}

// claim makes media.yaml and the volume that it is for.
func claim(t *testing.T, clone, media string) {
	t.Helper()
	const common = `
  storageClassName: by-hand
  accessModes: [ReadWriteMany]
`
	volume := `apiVersion: v1
kind: PersistentVolume
metadata: {name: media}
spec:
  capacity: {storage: 1Gi}
  hostPath: {path: ` + media + `}` + common
	text := `apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: media}
spec:
  resources: {requests: {storage: 1Gi}}` + common
	if err := os.WriteFile(filepath.Join(clone, "media.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(tools, "kubectl"), "--kubeconfig", kube.Kubeconfig(), "apply", "-f", "-")
	cmd.Stdin = strings.NewReader(volume)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// chapter is the commands of the chapter, without their comments.
func chapter(t *testing.T) (lines []string) {
	t.Helper()
	text, err := os.ReadFile("../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), "\n## In a cluster\n")
	for line := range strings.Lines(after) {
		command, indented := strings.CutPrefix(line, "    ")
		if !indented && len(lines) > 0 {
			break
		}
		if indented {
			command, _, _ = strings.Cut(command, " # ")
			lines = append(lines, strings.TrimSpace(command))
		}
	}
	if len(lines) < 5 {
		t.Fatalf("README.md has %q, want more commands than that", lines)
	}
	return lines
}

// run runs a line of shell.
func run(t *testing.T, dir string, env []string, line string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-ec", line)
	cmd.Dir, cmd.Env = dir, env
	out, err := cmd.CombinedOutput()
	t.Logf("$ %s\n%s", line, out)
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return string(out)
}
