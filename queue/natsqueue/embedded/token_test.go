package embedded_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice.dev/queue/natsqueue/embedded"
)

func TestATokenIsMadeOnceAndReadAgain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	made, err := embedded.Token(file)
	if err != nil || len(made) < 20 {
		t.Fatalf("%q, %v", made, err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if again, err := embedded.Token(file); err != nil || again != made {
		t.Errorf("%q, %v; want %q", again, err, made)
	}
}

func TestATokenThatCannotBeReadIsRefusedUnshown(t *testing.T) {
	dir := t.TempDir()
	two := filepath.Join(dir, "two")
	if err := os.WriteFile(two, []byte("secret\nsecret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{
		two:                            "two must hold one line, the token",
		"/dev/null":                    "/dev/null must hold one line",
		filepath.Join(dir, "no", "no"): "no such file",
		dir:                            "is a directory",
	} {
		got, err := embedded.Token(file)
		if err == nil || !strings.HasPrefix(err.Error(), "token: ") || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %q, %v; want %q", file, got, err, want)
		}
	}
}
