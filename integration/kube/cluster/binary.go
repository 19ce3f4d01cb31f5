package cluster

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

// Version is the Kubernetes that is run.
const Version = "1.37.2"

// stamp is what a released binary says of itself. Without it the components
// take themselves for v0.0.0, and refuse each other.
var stamp = strings.NewReplacer("PKG", "k8s.io/component-base/version", "VERSION", Version).Replace(
	"-s -w -X PKG.gitVersion=vVERSION -X PKG.gitMajor=1 -X PKG.gitMinor=37 -X PKG.gitTreeState=clean" +
		" -X PKG.gitCommit=0000000000000000000000000000000000000000 -X PKG.buildDate=1970-01-01T00:00:00Z")

// Build returns the path of the control plane's program, which it builds the
// first time: some twelve minutes of two processors, said on log. It is kept in
// the user's cache folder, by its sources and the Go that built it. They must
// still be where they were when this package was compiled.
func Build(ctx context.Context, log io.Writer) (string, error) {
	return build(ctx, log, "kube", "main.go", "about 12 minutes")
}

// BuildKubelet does the same for the kubelet, which has much in common with the
// control plane: once that is built, some two minutes.
func BuildKubelet(ctx context.Context, log io.Writer) (string, error) {
	return build(ctx, log, "kubelet", "kubelet/main.go", "about 2 minutes after the control plane")
}

// build makes a program of the control plane's module from its main file.
func build(ctx context.Context, log io.Writer, name, main, takes string) (string, error) {
	_, here, _, _ := runtime.Caller(0)
	source := filepath.Join(filepath.Dir(here), "..", "controlplane")
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("cluster: %w", err)
	}
	sum, err := digest(ctx, source, main)
	if err != nil {
		return "", fmt.Errorf("cluster: %w", err)
	}
	dir := filepath.Join(cache, "sluice")
	binary := filepath.Join(dir, name+"-"+sum)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("cluster: %w", err)
	}
	unlock, err := lock(binary + ".lock") // of two that need it, one builds
	if err != nil {
		return "", fmt.Errorf("cluster: %w", err)
	}
	defer unlock()
	if _, err := os.Stat(binary); !errors.Is(err, os.ErrNotExist) {
		return binary, err
	}
	fmt.Fprintf(log, "building %s of Kubernetes %s, once: %s\n", name, Version, takes)
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", stamp, "-o", binary+".new", "./"+filepath.Dir(main))
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = source, buildEnv(), log, log
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("cluster: building %s of Kubernetes %s in %s: %w", name, Version, source, err)
	}
	return binary, os.Rename(binary+".new", binary)
}

func buildEnv() []string { return append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off") }

// digest names a build by what goes into it.
func digest(ctx context.Context, source, main string) (string, error) {
	h := sha256.New()
	for _, name := range []string{"go.mod", "go.sum", main} {
		content, err := os.ReadFile(filepath.Join(source, name))
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "%s %d\n%s", name, len(content), content)
	}
	cmd := exec.CommandContext(ctx, "go", "env", "GOVERSION", "GOOS", "GOARCH")
	cmd.Dir, cmd.Env = source, buildEnv()
	version, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w", cmd, err)
	}
	fmt.Fprintf(h, "%s%s", bytes.TrimSpace(version), stamp)
	return fmt.Sprintf("%x", h.Sum(nil)[:8]), nil
}

// lock waits for the one lock of a file, which ends with its holder.
func lock(name string) (unlock func(), err error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() { _ = f.Close() }, nil
}
