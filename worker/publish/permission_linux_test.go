package publish

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// asNobody runs f with the file permissions of an ordinary user, also when
// root runs the test, whom no permission stops.
func asNobody(t *testing.T, f func()) {
	if os.Geteuid() != 0 {
		f()
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		// This thread alone changes. It ends with the goroutine, which never
		// unlocks it.
		runtime.LockOSThread()
		const nobody = 65534
		if _, _, errno := syscall.RawSyscall(syscall.SYS_SETRESUID, nobody, nobody, nobody); errno != 0 {
			t.Error(errno)
			return
		}
		f()
	}()
	<-done
}

func TestReadOnlyFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	must(t, os.Chmod(filepath.Dir(filepath.Dir(dir)), 0o755)) // to let an ordinary user come so far
	must(t, os.Mkdir(dir, 0o777))
	s := created(t, dir, "a", 1)
	write(t, s.Out(), "output")
	r := recorded(t, s, ExistingFail)
	must(t, os.Chmod(dir, 0o555))
	asNobody(t, func() {
		err := NewStage(filepath.Join(dir, "a"), "item", 2).Create()
		if err == nil || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "permission denied") {
			t.Errorf("Create: %v", err)
		}
		if err = Finish(r); err == nil || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "permission denied") {
			t.Errorf("Finish: %v", err)
		}
	})
	must(t, os.Chmod(dir, 0o777))
	must(t, Finish(r))
	wantContent(t, filepath.Join(dir, "a"), "output")
}

// A folder without write permission cannot be moved, which must be known
// before it is committed; one in a dead staging folder is no obstacle.
func TestReadOnlyFolderAsOutput(t *testing.T) {
	top := t.TempDir()
	must(t, os.Chmod(filepath.Dir(top), 0o755))
	must(t, os.Chmod(top, 0o777))
	asNobody(t, func() {
		dir := filepath.Join(top, "out")
		s := created(t, dir, "a", 1)
		write(t, filepath.Join(s.Out(), "x"), "output")
		must(t, os.Chmod(s.Out(), 0o555))
		_, err := s.Record(0, ExistingFail)
		if err == nil || !strings.Contains(err.Error(), "without write permission") {
			t.Errorf("Record: %v", err)
		}
		must(t, s.Remove())
		wantEntries(t, dir)
	})
}

// Where there is no rename that does not replace, a file is linked into its
// place and not renamed: only the link is sure to replace nothing. One sees
// it where the source cannot be unlinked, which is no failure.
func TestLinkStandsInForRename(t *testing.T) {
	top := t.TempDir()
	must(t, os.Chmod(filepath.Dir(top), 0o755))
	must(t, os.Chmod(top, 0o777))
	asNobody(t, func() {
		dir := filepath.Join(top, "out")
		s := created(t, dir, "a", 1)
		write(t, s.Out(), "output")
		r := recorded(t, s, ExistingFail)
		must(t, os.Chmod(s.Dir(), 0o555))
		must(t, movers["linkOnly"].finish(r))
		wantContent(t, filepath.Join(dir, "a"), "output")
		must(t, s.Remove())
		wantEntries(t, dir, "a")
	})
}
