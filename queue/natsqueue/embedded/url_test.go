package embedded_test

import (
	"path/filepath"
	"strings"
	"testing"

	"sluice.dev/queue/natsqueue/embedded"
)

func TestFolders(t *testing.T) {
	here, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	for url, want := range map[string]string{
		"file:/a/b":       "/a/b",
		"file:///a/b/":    "/a/b",
		"file:a":          here + "/a",
		"file:./a b":      here + "/a b",
		"file:.":          here,
		"file:/a?b=c%20d": "/a?b=c%20d",
	} {
		if got, err := embedded.Folder(url); err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", url, got, err, want)
		}
	}
	for url, want := range map[string]string{
		"file:":         "it names no folder: file:DIR",
		"file://host/a": "store URL file://host/a: a folder has no host: file:DIR or file:///DIR is allowed",
		"file:~/a":      "store URL file:~/a: the shell does not expand ~ there: write file:$HOME/DIR",
		"nats://h":      "store URL: file:DIR is wanted",
	} {
		if got, err := embedded.Folder(url); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %q, %v; want %q", url, got, err, want)
		}
	}
}
