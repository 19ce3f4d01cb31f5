package faults_test

import (
	"os"
	"os/exec"
	"testing"

	"sluice.dev/internal/natstest"
)

func TestMain(m *testing.M) {
	if natstest.Main() {
		return
	}
	os.Exit(m.Run())
}

// build builds commands and returns the folder that they are in.
func build(t *testing.T, packages ...string) string {
	t.Helper()
	bin := t.TempDir()
	cmd := exec.Command("go", append([]string{"build", "-o", bin + "/"}, packages...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return bin
}
