package kubelet

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// groups are the folders of the control groups that a kubelet makes, one for
// each hierarchy.
func groups() ([]string, error) {
	var all []string
	for _, pattern := range []string{"/sys/fs/cgroup/kubepods", "/sys/fs/cgroup/*/kubepods"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// sweep removes what a node whose processes have ended leaves behind. It fails,
// having removed nothing, if pods run on this machine: they are another's.
func sweep(dir string) error {
	all, err := groups()
	if err != nil {
		return err
	}
	for _, g := range all {
		if err := vacate(g); err != nil {
			return err
		}
	}
	if _, err := os.Stat(filepath.Join("/sys/class/net", device)); err == nil {
		if out, err := exec.Command("ip", "link", "delete", device).CombinedOutput(); err != nil {
			return fmt.Errorf("bridge %s: %w: %s", device, err, out)
		}
	}
	mounts, err := mountsIn(dir)
	if err != nil {
		return err
	}
	for _, at := range slices.Backward(mounts) {
		if err := unix.Unmount(at, unix.MNT_DETACH); err != nil {
			return fmt.Errorf("unmount %s: %w", at, err)
		}
	}
	return os.RemoveAll(dir)
}

// mountsIn are the mounts in a folder that this process sees, in their order.
func mountsIn(dir string) (all []string, err error) {
	table, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(table)) {
		if at := strings.Fields(line)[1]; strings.HasPrefix(at, dir+"/") {
			all = append(all, at)
		}
	}
	return all, nil
}

// vacate removes a control group and those in it. Processes that have just been
// killed are in theirs for a moment.
func vacate(group string) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	late := time.After(10 * time.Second)
	for {
		busy, err := vacateOnce(group)
		if err != nil || busy == "" {
			return err
		}
		select {
		case <-tick.C:
		case <-late:
			return fmt.Errorf("control group %s is in use, is there another kubelet?", busy)
		}
	}
}

// vacateOnce returns a group that has processes, having removed none, or "".
func vacateOnce(group string) (busy string, err error) {
	var all []string
	err = filepath.WalkDir(group, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || !d.IsDir() {
			return err
		}
		processes, err := os.ReadFile(filepath.Join(path, "cgroup.procs"))
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if len(processes) > 0 {
			busy = path
		}
		all = append(all, path)
		return err
	})
	if err != nil || busy != "" {
		return busy, err
	}
	for _, path := range slices.Backward(all) { // the innermost first
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	return "", nil
}

// Leftovers tells what of a node is still on this machine: control groups, the
// bridge. After Stop there is nothing.
func Leftovers() error {
	all, err := groups()
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join("/sys/class/net", device)); err == nil {
		all = append(all, "bridge "+device)
	}
	if len(all) > 0 {
		return fmt.Errorf("kubelet: left over: %s", strings.Join(all, ", "))
	}
	return nil
}
