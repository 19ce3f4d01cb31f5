package workload_test

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"sluice.dev/manifests/workload"
)

// TestGoodFiles compares what is read of files without a fault to what
// Kubernetes' own decoder reads of them, at its strictest.
func TestGoodFiles(t *testing.T) {
	for _, name := range glob(t, "testdata/good/*") {
		t.Run(filepath.Base(name), func(t *testing.T) {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			file, errs := workload.Load(nil, name)
			for _, e := range errs {
				t.Error(e)
			}
			parts := documents(text)
			if len(file.Documents) != len(parts) {
				t.Fatalf("%d documents of %d", len(file.Documents), len(parts))
			}
			for i, d := range file.Documents {
				want := reflect.New(reflect.TypeOf(d.Object).Elem()).Interface()
				if err := yaml.UnmarshalStrict(parts[i], want); err != nil {
					t.Fatalf("%s/%s: %v", d.Kind, d.Name, err)
				}
				if diff := cmp.Diff(want, d.Object); diff != "" {
					t.Errorf("%s/%s: %s", d.Kind, d.Name, diff)
				}
			}
		})
	}
}

// documents are the parts of a file that begin with "---", or all of it.
func documents(text []byte) (parts [][]byte) {
	for part := range bytes.SplitSeq(text, []byte("\n---\n")) {
		if !bytes.HasPrefix(part, []byte("%")) {
			parts = append(parts, part)
		}
	}
	return parts
}

func TestLoadReadsStandardInputAndSeveralFilesAsOneSet(t *testing.T) {
	stdin := bytes.NewBufferString(`
apiVersion: sluice.dev/v1alpha1
kind: WorkQueue
metadata: {name: credits}
spec:
  after: film
  source: {glob: in/*}
  jobTemplate: {spec: {template: {spec: {containers: [{name: worker, image: a}]}}}}
`)
	file, errs := workload.Load(stdin, "-", "testdata/good/workqueue.yaml")
	if len(errs) > 0 {
		t.Fatal(errs[0])
	}
	var got []string
	for _, d := range file.Documents {
		got = append(got, d.String()+" "+d.Kind+"/"+d.Name)
	}
	want := []string{
		"-:2:1 WorkQueue/credits",
		"testdata/good/workqueue.yaml:1:1 WorkQueue/render",
		"testdata/good/workqueue.yaml:29:1 WorkQueue/film",
		"testdata/good/workqueue.yaml:43:1 WorkQueue/sweep",
		"testdata/good/workqueue.yaml:54:1 WorkQueue/shots",
		"testdata/good/workqueue.yaml:62:1 WorkQueue/mail",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestLoadNamesFilesThatItCannotRead(t *testing.T) {
	_, errs := workload.Load(bytes.NewBufferString("a: \xff"), "testdata/none.yaml", "testdata", "-")
	var got []string
	for _, e := range errs {
		got = append(got, e.Error())
	}
	want := []string{
		"testdata/none.yaml: no such file or directory",
		"testdata: is a directory",
		"-: not UTF-8",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// TestAliasesDoNotExplode reads a file whose aliases stand for 10^9 values.
func TestAliasesDoNotExplode(t *testing.T) {
	text := "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: bomb\n  managedFields:\n  - fieldsV1:\n      a0: &a0 [x]\n"
	for i := 1; i < 10; i++ {
		was, is := string(rune('0'+i-1)), string(rune('0'+i))
		text += "      a" + is + ": &a" + is + " ["
		for range 9 {
			text += "*a" + was + ", "
		}
		text += "*a" + was + "]\n"
	}
	_, errs := workload.Load(bytes.NewBufferString(text), "-")
	if len(errs) != 1 || errs[0].Message != "too large: a document may have 131072 values, counted again for each alias" {
		t.Errorf("%v", errs)
	}
}

// TestWhatIsMergedGivesWay as YAML has it, and the first of several comes
// first.
func TestWhatIsMergedGivesWay(t *testing.T) {
	file, errs := workload.Load(bytes.NewBufferString(`
apiVersion: v1
kind: ConfigMap
metadata:
  name: merged
  annotations: &a {a: annotation, b: annotation, c: annotation}
  labels: &b {b: label, c: label, d: label}
data:
  <<: [*b, *a]
  c: own
`), "-")
	if len(errs) > 0 {
		t.Fatal(errs[0])
	}
	want := map[string]string{"a": "annotation", "b": "label", "c": "own", "d": "label"}
	if d := cmp.Diff(want, file.Documents[0].Object.(*corev1.ConfigMap).Data); d != "" {
		t.Error(d)
	}
}
