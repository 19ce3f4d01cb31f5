package itemlog

import (
	"testing"

	"sluice.dev/queue"
)

// What keeping the output of a short item costs.
func BenchmarkAttempt(b *testing.B) {
	dir := b.TempDir()
	w := newWriter(b, dir, 0)
	k, err := NewKeeper(dir, Bounds{})
	if err != nil {
		b.Fatal(err)
	}
	token := uint64(0)
	for b.Loop() {
		token++
		run(b, w, head("a", token), queue.Ack, "a line of output\n", "")
		if err := k.Ended(token, "a"); err != nil {
			b.Fatal(err)
		}
	}
}
