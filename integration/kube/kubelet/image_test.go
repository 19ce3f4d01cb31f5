package kubelet

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func write(t *testing.T, text string) (name string) {
	t.Helper()
	name = filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestALayerHasTheFilesAndTheirFolders(t *testing.T) {
	program := write(t, "program")
	layer, err := Image{Name: "a:1", Files: map[string]string{"/usr/bin/a": program, "/usr/b": program}}.layer()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for r := tar.NewReader(bytes.NewReader(layer)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Mode != 0o755 || h.Uid != 0 {
			t.Errorf("%s has mode %o and owner %d", h.Name, h.Mode, h.Uid)
		}
		names = append(names, h.Name)
	}
	if want := []string{"usr/", "usr/b", "usr/bin/", "usr/bin/a"}; !slices.Equal(slices.Sorted(slices.Values(names)), want) {
		t.Errorf("it has %q, want %q", names, want)
	}
}

func TestAnImageIsWhatItsDockerfileSays(t *testing.T) {
	work := t.TempDir()
	file := write(t, "# a program\nFROM golang AS build\nWORKDIR /src\nRUN true go build -o /a .\n\nFROM scratch\nCOPY --from=build /etc/hosts /etc/\nCOPY --from=build /a /b\nUSER 1:2\nENTRYPOINT [\"/b\"]\n")
	i, err := Dockerfile(t.Context(), file, t.TempDir(), work, "a:1")
	if err != nil {
		t.Fatal(err)
	}
	if i.Files["/b"] != filepath.Join(work, "a") || i.Files["/etc/hosts"] != "/etc/hosts" || len(i.Files) != 2 || i.User != "1:2" || !slices.Equal(i.Entrypoint, []string{"/b"}) {
		t.Errorf("it is %+v", i)
	}
}

func TestADockerfileThatIsNotUnderstood(t *testing.T) {
	for text, want := range map[string]string{
		"FROM golang\nCOPY . .\n":                "not FROM scratch",
		"FROM golang\nARG a\nFROM scratch\n":     "line 2: ARG",
		"FROM scratch\nENV A=b\n":                "line 2: ENV",
		"FROM scratch\nCOPY a b\n":               "line 2: COPY a b",
		"FROM golang\nRUN go build ./cmd/sluice": "-o with an absolute path",
	} {
		if _, err := Dockerfile(t.Context(), write(t, text), t.TempDir(), t.TempDir(), "a:1"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q in it", text, err, want)
		}
	}
}
