package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const settings = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\n"

// validate runs the verb alone, in a folder with one file.
func validate(t *testing.T, file, stdin string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	t.Chdir(t.TempDir())
	if err := os.WriteFile(filepath.Join(".", "a.yaml"), []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errOut bytes.Buffer
	cmd := validateCommand()
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	cmd.SetIn(strings.NewReader(stdin))
	cmd.SetOut(&out)
	cmd.SetErr(&errOut)
	cmd.SetArgs(args)
	err = cmd.ExecuteContext(t.Context())
	return out.String(), errOut.String(), err
}

func TestValidateSaysALineForEachDocument(t *testing.T) {
	stdin := strings.Replace(settings, "settings", "more", 1)
	stdout, stderr, err := validate(t, settings, stdin, "a.yaml", "-")
	if want := "a.yaml: ConfigMap/settings ok\n-: ConfigMap/more ok\n"; err != nil || stdout != want || stderr != "" {
		t.Errorf("%v, stdout %q, stderr %q", err, stdout, stderr)
	}
}

func TestValidateSaysEveryFaultAndExitsWith2(t *testing.T) {
	stdin := strings.Replace(settings, "ConfigMap", "ConfigMpa", 1)
	stdout, stderr, err := validate(t, settings+"dtaa: {}\n---\n"+settings, stdin, "a.yaml", "-", "none.yaml")
	want := `a.yaml:4:1: dtaa: unknown field: did you mean "data"?
a.yaml:8:18: metadata.name: duplicate: a.yaml:1 has a ConfigMap "settings" already
-:2:7: kind: unknown kind "ConfigMpa": did you mean "ConfigMap"?
none.yaml: no such file or directory
`
	if stdout != "" || stderr != want {
		t.Errorf("stdout %q, stderr\n%s", stdout, stderr)
	}
	if e, ok := errors.AsType[*exitError](err); !ok || e.code != exitUsage || e.err != nil {
		t.Errorf("error %v: exit code 2 and nothing more to say is wanted", err)
	}
}

// TestValidateSaysWhatAClusterRefuses of what is well formed.
func TestValidateSaysWhatAClusterRefuses(t *testing.T) {
	const pod = "template: {spec: {restartPolicy: Never, containers: [{name: a, image: busybox}]}}}\n"
	for name, c := range map[string]struct{ file, want string }{
		"an index set": {"apiVersion: batch/v1\nkind: Job\nmetadata: {name: a}\nspec: {completionMode: Indexed, completions: 9, successPolicy: {rules: [{succeededIndexes: 5-1}]}, " + pod,
			"a.yaml:4:92: spec.successPolicy.rules[0].succeededIndexes: \"5-1\" does not grow: "},
		"a rule of a CronJob": {"apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: a}\nspec: {schedule: \"@daily\", jobTemplate:\n {spec: {podFailurePolicy: {rules: [{action: Ignore}]}, " + strings.TrimSpace(pod) + "}}\n",
			"a.yaml:5:37: spec.jobTemplate.spec.podFailurePolicy.rules[0]: onExitCodes or onPodConditions is needed\n"},
		"a pattern": {"apiVersion: sluice.dev/v1alpha1\nkind: WorkQueue\nmetadata: {name: a}\nspec: {source: {glob: \"[a\"}, jobTemplate: {spec: {" + strings.TrimSpace(pod) + "}}\n",
			"a.yaml:4:23: spec.source.glob: \"[a\" is not a pattern: "},
	} {
		stdout, stderr, err := validate(t, c.file, "", "a.yaml")
		if err == nil || stdout != "" || !strings.HasPrefix(stderr, c.want) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%s: %v, stdout %q, stderr %q, want %q", name, err, stdout, stderr, c.want)
		}
	}
}

func TestValidateWantsAFile(t *testing.T) {
	_, _, err := validate(t, "", "")
	if e, ok := errors.AsType[*exitError](err); !ok || e.code != exitUsage || !strings.Contains(e.Error(), "no file") {
		t.Errorf("error %v", err)
	}
}
