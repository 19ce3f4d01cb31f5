package expand

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const template = `# One Job an item.
apiVersion: batch/v1
kind: Job
metadata:
  name: process-item-$ITEM
  labels: {jobgroup: jobexample, "item-{item}": "{item}"}
spec:
  parallelism: $N
  template:
    spec:
      containers:
      - name: c
        command: ["sh", "-c", "echo Processing item $ITEM && sleep ${N}; echo $ITEMS $HOME"]
`

func TestACopyHasTheValues(t *testing.T) {
	tm, err := Parse([]byte(template))
	if err != nil {
		t.Fatal(err)
	}
	got, err := tm.Copy([]Value{{"item", "apple"}, {"n", "5"}, {"items", "$ITEM"}})
	if err != nil {
		t.Fatal(err)
	}
	want := `---
# One Job an item.
apiVersion: batch/v1
kind: Job
metadata:
  name: process-item-apple
  labels: {jobgroup: jobexample, "item-apple": "apple"}
spec:
  parallelism: 5
  template:
    spec:
      containers:
        - name: c
          command: ["sh", "-c", "echo Processing item apple && sleep 5; echo $ITEM $HOME"]
`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}
}

func TestAValueStaysAValue(t *testing.T) {
	tm, err := Parse([]byte("a: x-{v}\nb: $V\n"))
	if err != nil {
		t.Fatal(err)
	}
	for v, want := range map[string]string{
		"k: v":     "---\na: 'x-k: v'\nb: 'k: v'\n",
		" # no":    "---\na: 'x- # no'\nb: ' # no'\n",
		"no":       "---\na: x-no\nb: \"no\"\n",
		"~":        "---\na: x-~\nb: \"~\"\n",
		"3":        "---\na: x-3\nb: 3\n",
		"1\n- two": "---\na: |-\n  x-1\n  - two\nb: |-\n  1\n  - two\n",
	} {
		got, err := tm.Copy([]Value{{"v", v}})
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != want {
			t.Errorf("%q: got %q, want %q", v, got, want)
		}
	}
}

func TestUnusedNamesAreTold(t *testing.T) {
	tm, err := Parse([]byte("a: $ITEM\n---\nb: '{size}'\n"))
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(tm.Unused([]string{"item", "size", "other"}), " "); got != "other" {
		t.Errorf("got %q, want other", got)
	}
}

func TestWhatIsNoTemplateIsRefused(t *testing.T) {
	for text, want := range map[string]string{
		"":         "no document",
		"# none\n": "no document",
		"a: [":     "line 1: did not find expected node content",
	} {
		if _, err := Parse([]byte(text)); err == nil || err.Error() != want {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}
