//go:build linux

// Package faults kills a film in the making, over and over, and looks at what
// comes of it.
package faults_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"sluice.dev/internal/proc/proctest"
)

var (
	frameCount = flag.Int("frames", 48, "`N` frames of the film")
	width      = flag.Int("width", 64, "`N` pixels of a frame, which it takes the longer to render")
	filmCount  = flag.Int("films", 1, "`N` films to make")
	killCount  = flag.Int("kills", 5, "`N` times that each film is killed in the making")
	seed       = flag.Uint64("seed", 0, "`N` that the moments come from (default: a new one)")
)

// A film is made by one line of a shell, which is said again after each kill.
// The renderer and the encoder are wrapped so that each start leaves a line.
const filmFile = `
apiVersion: sluice.dev/v1alpha1
kind: WorkQueue
metadata: {name: render}
spec:
  source: {frames: {range: 1-%[1]d, chunk: %[2]d, pad: 4}}
  itemPolicy: {output: "out/frames/{start}"}
  scaling: {maxParallelism: 2}
  jobTemplate: {spec: {template: {spec: {containers: [{name: render, image: render,
    command: [sh, -c, 'echo "frames/{start}" >>starts; exec "$@"', sh, render, frames, "{start}", "{end}", -of, "%[1]d", -width, "%[3]d", -o, "{out}"]}]}}}}
---
apiVersion: sluice.dev/v1alpha1
kind: WorkQueue
metadata: {name: encode}
spec:
  after: render
  source: {list: [film.mp4]}
  itemPolicy: {output: "out/{}"}
  jobTemplate: {spec: {template: {spec: {containers: [{name: encode, image: ffmpeg,
    command: [sh, -c, 'echo film.mp4 >>starts; exec "$@"', sh, ffmpeg, -nostdin, -v, error, -y, -pattern_type, glob, -i, out/frames/*/*.png,
      -threads, "1", -c:v, libx264, -pix_fmt, yuv420p, "{out}"]}]}}}}
`

const chunk = 6 // frames of an item

// film is one in the making, in a folder of its own.
type film struct {
	*testing.T
	dir, bin string
	mark     string // an entry of the environment of all its processes
	said     bytes.Buffer
}

func newFilm(t *testing.T, bin string) *film {
	f := &film{T: t, dir: t.TempDir(), bin: bin}
	f.mark = fmt.Sprintf("SLUICE_TEST=%d-%s", os.Getpid(), f.dir)
	text := fmt.Appendf(nil, filmFile, *frameCount, chunk, *width)
	if err := os.WriteFile(filepath.Join(f.dir, "film.yaml"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		f.killAll()
		if t.Failed() {
			t.Logf("said:\n%s", f.said.String())
		}
	})
	return f
}

// start says the line.
func (f *film) start() *exec.Cmd {
	f.Helper()
	cmd := exec.Command(filepath.Join(f.bin, "sluice"), "run", "-f", "film.yaml", "--state", "state")
	cmd.Dir, cmd.Stderr = f.dir, &f.said
	cmd.Env = append(os.Environ(), "PATH="+f.bin+":"+os.Getenv("PATH"), f.mark)
	// A pipe that outlives the run in a process of its own must not hold it up.
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Start(); err != nil {
		f.Fatal(err)
	}
	return cmd
}

// finish says the line and lets it come to its end.
func (f *film) finish() time.Duration {
	f.Helper()
	began := time.Now()
	if err := f.start().Wait(); err != nil {
		f.Fatalf("the line ends with %v", err)
	}
	return time.Since(began)
}

// killAll kills every process of the film until none is left.
func (f *film) killAll() {
	f.Helper()
	proctest.Eventually(f, 30*time.Second, func() bool {
		alive := proctest.Having(f, f.mark)
		for _, pid := range alive {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		return len(alive) == 0
	})
}

// starts counts the starts of each item so far.
func (f *film) starts() map[string]int {
	f.Helper()
	text, err := os.ReadFile(filepath.Join(f.dir, "starts"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		f.Fatal(err)
	}
	n := make(map[string]int)
	for line := range strings.Lines(string(text)) {
		n[strings.TrimSpace(line)]++
	}
	return n
}

// made tells whether an item is published.
func (f *film) made(item string) bool {
	_, err := os.Stat(filepath.Join(f.dir, "out", item))
	return err == nil
}

// outputs are the digests of all that is published, by path.
func (f *film) outputs() map[string][32]byte {
	f.Helper()
	sums := make(map[string][32]byte)
	root := filepath.Join(f.dir, "out")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		sums[strings.TrimPrefix(path, root+"/")] = sha256.Sum256(b)
		return err
	})
	if err != nil {
		f.Fatal(err)
	}
	return sums
}

// TestAFilmSurvivesKills kills all processes of the run at random moments, says
// the same line again, and compares what is published in the end to what a run
// that nobody killed publishes. No item starts again unless a kill hit it.
func TestAFilmSurvivesKills(t *testing.T) {
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Fatal("ffmpeg is missing: the film is encoded with it")
	}
	bin := build(t, "sluice.dev/cmd/sluice", "sluice.dev/manifests/examples/render")
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	random := rand.New(rand.NewPCG(*seed, 0))

	whole := newFilm(t, bin)
	took := whole.finish()
	want := whole.outputs()
	if len(want) != *frameCount+1 {
		t.Fatalf("%d files are published, want %d frames and a film", len(want), *frameCount)
	}
	t.Logf("seed %d: %d frames and their film in %s when nobody kills, sha256 %x", *seed, *frameCount, took.Round(time.Millisecond), want["film.mp4"])
	for n := range *filmCount {
		f := newFilm(t, bin)
		hit := f.torture(random, took)
		f.finish()
		again := f.judge(hit, want)
		t.Logf("film %d: %d kills hit %d items at work, which started %d times more; sha256 %x", n+1, *killCount, sum(hit), again, f.outputs()["film.mp4"])
	}
}

// torture starts the film and kills it, over and over. It returns how many
// kills hit each item between its start and its publication. The moments are
// spread so that as many come early as late.
func (f *film) torture(random *rand.Rand, whole time.Duration) (hit map[string]int) {
	f.Helper()
	hit = make(map[string]int)
	for range *killCount {
		before := f.starts()
		cmd := f.start()
		<-time.After(time.Duration(random.Int64N(int64(2 * whole / time.Duration(*killCount)))))
		f.killAll()
		_ = cmd.Wait() // killed, or at its end before
		for item, n := range f.starts() {
			if n > before[item]+1 {
				f.Errorf("%s started %d times in one run", item, n-before[item])
			}
			if n > before[item] && !f.made(item) {
				hit[item]++
			}
		}
	}
	return hit
}

// judge compares the film to one that nobody killed, and returns how often
// items started again.
func (f *film) judge(hit map[string]int, want map[string][32]byte) (again int) {
	f.Helper()
	for item, n := range f.starts() {
		again += n - 1
		if n > 1+hit[item] {
			f.Errorf("%s started %d times, and %d kills hit it", item, n, hit[item])
		}
	}
	got := f.outputs()
	if len(got) != len(want) {
		f.Errorf("%d files are published, want %d", len(got), len(want))
	}
	for path, sum := range want {
		if got[path] != sum {
			f.Errorf("%s is not what it should be", path)
		}
	}
	return again
}

func sum(hit map[string]int) (n int) {
	for _, h := range hit {
		n += h
	}
	return n
}
