package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// openTerminal makes a terminal; what is shown on it is read from screen.
func openTerminal(t *testing.T) (screen, terminal *os.File) {
	t.Helper()
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { screen.Close() })
	var n int
	control(t, screen, func(fd int) error {
		if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
			return err
		}
		n, err = unix.IoctlGetInt(fd, unix.TIOCGPTN)
		return err
	})
	terminal, err = os.OpenFile(fmt.Sprint("/dev/pts/", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { terminal.Close() })
	return screen, terminal
}

func resize(t *testing.T, screen *os.File, rows, columns uint16) {
	t.Helper()
	control(t, screen, func(fd int) error {
		return unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: columns})
	})
}

// control leaves the file one whose reads have deadlines.
func control(t *testing.T, f *os.File, do func(fd int) error) {
	t.Helper()
	raw, err := f.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = do(int(fd)) }); err != nil || failed != nil {
		t.Fatal(err, failed)
	}
}

// A run on a terminal shows how far its running items are, within the
// terminal's width, and takes that away when it ends.
func TestATerminalShowsHowFarItemsAre(t *testing.T) {
	t.Setenv("GORACE", "atexit_sleep_ms=0")
	t.Setenv("TERM", "xterm")
	dir := t.TempDir()
	gate := filepath.Join(dir, "gate")
	if err := syscall.Mkfifo(gate, 0o600); err != nil {
		t.Fatal(err)
	}
	screen, terminal := openTerminal(t)
	resize(t, screen, 24, 60)
	cmd := exec.Command("sluice", "run", "-j", "2", "--progress", `(\d+) of (\d+)`, "--", "sh", "-c", `printf 'frame 2 of 5\r' >&2; read x <gate; exit 0`, "sh", ":::", "shot-1")
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, terminal, terminal
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() { cmd.Process.Kill() })

	var all bytes.Buffer
	seen := 0 // of all: up to the end of what was awaited last
	// await reads until the screen was shown this, after what came before.
	await := func(want string) {
		t.Helper()
		screen.SetReadDeadline(time.Now().Add(20 * time.Second))
		for {
			if i := strings.Index(all.String()[seen:], want); i >= 0 {
				seen += i + len(want)
				return
			}
			b := make([]byte, 4096)
			n, err := screen.Read(b)
			all.Write(b[:n])
			if err != nil {
				t.Fatalf("%q is not shown (%v) but %q", want, err, all.String())
			}
		}
	}
	await("40%  ####------  shot-1")
	resize(t, screen, 24, 30)
	await("40%  shot-1")
	if err := os.WriteFile(gate, []byte("go\n"), 0); err != nil {
		t.Fatal(err)
	}
	await("\x1b[Jframe 2 of 5\r\r\n")
	await("1 line, 1 item\r\n1 done") // the list is taken away, before this or before that
	if err := <-ended; err != nil {
		t.Error(err)
	}
	for line := range strings.SplitSeq(all.String(), "\n") {
		for part := range strings.SplitSeq(line, "\r") {
			if part = strings.TrimPrefix(part, "\x1b[J"); len(part) >= 60 && strings.Contains(part, "shot-1") {
				t.Errorf("as wide as the terminal: %q", part)
			}
		}
	}
}
