package embedded_test

import (
	"path/filepath"
	"testing"

	"sluice.dev/queue"
	"sluice.dev/queue/natsqueue/embedded"
	"sluice.dev/queue/queuetest"
)

// A folder is a store like any other: every sentence holds for it.
func TestConformance(t *testing.T) {
	url := "file:" + filepath.Join(t.TempDir(), "store")
	open(t, url, "keeps-it-open") // else each sentence would start a server
	queuetest.Run(t, queuetest.Harness{Open: func(t testing.TB, name string) queue.Driver {
		d, err := embedded.Open(t.Context(), url, name)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		})
		return d
	}})
}
