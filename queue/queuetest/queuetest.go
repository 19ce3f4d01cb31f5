// Package queuetest is the conformance suite of the queue's drivers: what the
// queue promises, one sentence a test. A backend's own test is short:
//
//	func TestConformance(t *testing.T) {
//		queuetest.Run(t, queuetest.Harness{Open: open})
//	}
//
// There are no options and nothing is skipped: a driver keeps every sentence
// or does not conform. Mutants are drivers that break one rule each; MustFail
// shows that the suite sees it.
package queuetest

import (
	"testing"
	"time"

	"sluice.dev/queue"
)

// Harness is how the suite reaches a backend.
type Harness struct {
	// Open gives a client of the queue called name, which is empty when it is
	// opened for the first time; the suite never uses a name in two tests.
	// Opening a name again gives a second client of the same queue. Open
	// closes the client in t.Cleanup and fails t if there is none.
	Open func(t testing.TB, name string) queue.Driver

	// Advance moves the store's clock on by d. It is nil for a store whose
	// clock cannot be set: the suite then waits, with short leases and delays.
	// The limit of a Wait is real time in either case.
	Advance func(d time.Duration)
}

// Run tests a backend, one sentence after the other, since they may share the
// store's clock. The calls of a sentence have 30 s together.
func Run(t *testing.T, h Harness) {
	for _, c := range suite {
		t.Run(c.name, func(t *testing.T) {
			for _, s := range c.sentences {
				t.Run(s.name, func(t *testing.T) { s.run(newSubject(t, h)) })
			}
		})
	}
	t.Logf("conformance suite: %d sentences", Count())
}

// Count is the number of sentences in the suite, so that the runs of two
// backends can be compared.
func Count() int {
	n := 0
	for _, c := range suite {
		n += len(c.sentences)
	}
	return n
}

// sentence is one promise and its test.
type sentence struct {
	name string
	run  func(q *subject)
}

// chapter is the sentences of one subject.
type chapter struct {
	name      string
	sentences []sentence
}

var suite = []chapter{
	{"enqueue", enqueueSentences()},
	{"claim", claimSentences},
	{"fence", fenceSentences()},
	{"expiry", expirySentences},
	{"retry", retrySentences},
	{"release", releaseSentences},
	{"replay", replaySentences},
	{"commit", commitSentences},
	{"depth", depthSentences},
	{"bytes", byteSentences},
	{"batch", batchSentences},
	{"steer", steerSentences},
	{"after", afterSentences},
	{"operate", operateSentences()},
	{"pause", pauseSentences},
	{"items", itemsSentences},
	{"policy", policySentences},
	{"leave", leaveSentences},
	{"wait", waitSentences},
	{"context", contextSentences()},
	{"many", manySentences}, // the slow ones last
}
