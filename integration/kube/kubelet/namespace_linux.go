package kubelet

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// secluded are the attributes of a first process.
func secluded() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS}
}

// private are folders in which programs keep what is nobody's business outside
// of the node.
var private = []string{"/run", "/var/lib", "/var/log"}

// tunables are settings of the kernel that a kubelet changes, for good.
var tunables = []string{"vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops", "kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes"}

// seclude has this process, which must be the first of its own namespaces, see
// its own processes alone, and keeps what it mounts to itself.
func seclude(dir string) error {
	if os.Getpid() != 1 || os.Getppid() != 0 {
		return errors.New("not in a process namespace of its own")
	}
	unix.CloseOnExec(lockFD)
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("mounts of its own: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("/proc: %w", err)
	}
	for _, at := range private {
		if rel, err := filepath.Rel(at, dir); err != nil || !strings.HasPrefix(rel, "..") {
			return fmt.Errorf("folder %s: it may not be in %s: set XDG_CACHE_HOME", dir, at)
		}
		if err := unix.Mount("tmpfs", at, "tmpfs", 0, ""); err != nil {
			return fmt.Errorf("%s: %w", at, err)
		}
	}
	for _, name := range tunables {
		if err := cover(filepath.Join("/proc/sys", name)); err != nil {
			return fmt.Errorf("kernel setting %s: %w", name, err)
		}
	}
	return nil
}

// cover puts a copy in the place of a file, which takes the changes.
func cover(file string) error {
	value, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	duplicate := filepath.Join("/run/tunables", filepath.Base(file))
	if err := os.MkdirAll(filepath.Dir(duplicate), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(duplicate, value, 0o600); err != nil {
		return err
	}
	return unix.Mount(duplicate, file, "", unix.MS_BIND, "")
}
