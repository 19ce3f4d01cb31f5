//go:build kubelet

package kubelet_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The images hold one program each: no shell, no libraries, nothing of sluice.
func TestAFilmInAnImageWithoutAShell(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	const volume = `, volumeMounts: [{name: place, mountPath: /place}]}], volumes: [{name: place, hostPath: {path: FOLDER}}]}`
	p.queue("render", "  source: {frames: {range: 1-8, pad: 4}}\n  itemPolicy: {output: '/place/frames/{frame}'}\n  scaling: {maxParallelism: 2}\n",
		`{containers: [{name: render, image: foreign:1, command: [/foreign, frame], args: ["{frame}", "{out}"]`+volume)
	p.queue("encode", "  after: render\n  source: {list: [film]}\n  itemPolicy: {output: '/place/{}'}\n",
		`{containers: [{name: encode, image: foreign:1, command: [/foreign, join, /place/frames, "{out}"]`+volume)
	p.condition("encode", "Complete", "True", "Complete", "")
	got, err := os.ReadFile(filepath.Join(p.dir, "film"))
	if want := "frame 0001\nframe 0002\nframe 0003\nframe 0004\nframe 0005\nframe 0006\nframe 0007\nframe 0008\n"; string(got) != want {
		t.Errorf("the film is %q, %v; want %q", got, err, want)
	}
	p.allDone("render", 8, 0)
	if left, err := filepath.Glob(filepath.Join(p.dir, "frames", ".sluice*")); len(left) > 0 || err != nil {
		t.Errorf("left over: %v, %v", left, err)
	}
}

func TestTheImageOfSluiceIsItsDockerfiles(t *testing.T) {
	if got := slices.Sorted(maps.Keys(sluice.Files)); !slices.Equal(got, []string{"/etc/ssl/certs/ca-certificates.crt", "/sluice"}) {
		t.Errorf("it has the files %q", got)
	}
	if sluice.User != "65532:65532" || !slices.Equal(sluice.Entrypoint, []string{"/sluice"}) {
		t.Errorf("it starts %q as user %s", sluice.Entrypoint, sluice.User)
	}
	text, err := os.ReadFile(filepath.Join(manifests, "Dockerfile"))
	if err != nil || strings.Count(string(text), "FROM ") != 2 {
		t.Errorf("%d stages, %v", strings.Count(string(text), "FROM "), err)
	}
}
