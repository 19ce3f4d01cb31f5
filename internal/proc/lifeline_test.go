//go:build linux

package proc

import (
	"bufio"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestLifelineEndsThoughOtherChildrenLive(t *testing.T) {
	l, err := NewLifeline()
	if err != nil {
		t.Fatal(err)
	}
	cmd := again(t, "follow")
	cmd.ExtraFiles = []*os.File{l.Reader()}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := Start(cmd); err != nil {
		t.Fatal(err)
	}
	bystander := exec.Command("sleep", "600") // would keep a leaked writing end open
	if err := bystander.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = bystander.Process.Kill(), bystander.Wait() }()
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "following\n" {
		t.Fatalf("child said %q, %v", line, err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	stuck := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() })
	defer stuck.Stop()
	if err := Wait(cmd); err != nil {
		t.Errorf("child: %v, want it to end by itself", err)
	}
}

func TestInheritedPipeRefusesWhatIsNone(t *testing.T) {
	file, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	for _, c := range []struct {
		what    string
		fd      int
		writing bool
		want    string
	}{
		{"nothing", 9999, false, "bad file descriptor"},
		{"a device", int(file.Fd()), false, "not the reading end of a pipe"},
		{"a writing end", int(w.Fd()), false, "not the reading end of a pipe"},
		{"a reading end", int(r.Fd()), true, "not the writing end of a pipe"},
	} {
		_, err := InheritedPipe(c.fd, "lifeline", c.writing)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "(lifeline)") {
			t.Errorf("%s: %v; want %q", c.what, err, c.want)
		}
	}
}

func TestWorkerEnvHasOneMark(t *testing.T) {
	env := []string{"A=1", MarkVar + "=outer-1", ProcessVar + "=outer-2", MarkVar + "S=kept", "B"}
	got := WorkerEnv(env, "run-1")
	want := []string{"A=1", MarkVar + "S=kept", "B", ProcessVar + "=run-1"}
	if !slices.Equal(got, want) {
		t.Errorf("WorkerEnv = %q, want %q", got, want)
	}
	if got, want := Unmarked(env), want[:3]; !slices.Equal(got, want) {
		t.Errorf("Unmarked = %q, want %q", got, want)
	}
}
