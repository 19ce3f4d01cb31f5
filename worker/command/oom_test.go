package command

import (
	"os"
	"path/filepath"
	"testing"
)

func TestWhereKillsForMemoryAreCounted(t *testing.T) {
	root := t.TempDir()
	own := filepath.Join(root, "memory/run/a")
	if err := os.MkdirAll(own, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(own, "memory.oom_control"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, groups, want string }{
		{"v2", "0::/user.slice/a\n", "user.slice/a/memory.events"},
		{"v2 in a container", "0::/\n", "memory.events"},
		{"v1", "9:pids:/x\n4:memory:/run/a\n0::/\n", "memory/run/a/memory.oom_control"},
		{"v1 in a container", "0::/\n4:memory:/kubepods/pod1/c\n", "memory/memory.oom_control"},
		{"none", "", ""},
	} {
		want := tt.want
		if want != "" {
			want = filepath.Join(root, want)
		}
		if got := oomEventsOf(tt.groups, root); got != want {
			t.Errorf("%s: %q, want %q", tt.name, got, want)
		}
	}
}
