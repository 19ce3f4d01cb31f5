package workload_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"sluice.dev/manifests/workload"
)

// FuzzLoad: whatever the file, there is no panic, every fault has a place in
// the file and a line of its own, and there are objects or faults.
func FuzzLoad(f *testing.F) {
	for _, pattern := range []string{"testdata/good/*", "testdata/bad/*.[yj]*"} {
		for _, name := range glob(f, pattern) {
			text, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			for part := range bytes.SplitSeq(text, []byte("\n---\n")) {
				f.Add(part)
			}
		}
	}
	f.Add([]byte("a: &a [*a]"))
	f.Add([]byte("kind: ConfigMap\n<<: &a {<<: *a}"))
	f.Add([]byte("kind: CronJob\nspec: {schedule: TZ=0}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		file, errs := workload.Load(bytes.NewReader(text), "-")
		lines := 1 + bytes.Count(text, []byte("\n")) + bytes.Count(text, []byte("\r"))
		for _, e := range errs {
			if e.Line < 0 || e.Line > lines+1 || e.Message == "" || strings.Contains(e.Error(), "\n") {
				t.Errorf("%q of %d lines", e.Error(), lines)
			}
		}
		for _, d := range file.Documents {
			if d.Object == nil && len(errs) == 0 {
				t.Errorf("neither an object nor a fault: %+v", d.Position)
			}
			workload.Defaults(d.Object)
		}
		if len(file.Documents) == 0 && len(errs) == 0 {
			t.Error("neither a document nor a fault")
		}
	})
}
