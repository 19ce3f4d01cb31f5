package queuetest

import (
	"bytes"
	"strings"

	"sluice.dev/queue"
)

// awkward is strings that formats tend to stumble over.
var awkward = []string{
	"with spaces", " ", "a:b:c", "a\nb", "tab\t", "quote\"", `back\slash`, "{brace}", "[1,2]", "*", "%s", "%", "-1", "0",
	"päth/naïve.png", "日本語", "\U0001f6b0", "\x00", "a\x00b", "\u2028", "null", "nil", "id", "'", "#1", "$", "🚰:\n",
}

var byteSentences = []sentence{
	{"a payload is any bytes", func(q *subject) {
		every := make([]byte, 256)
		for i := range every {
			every[i] = byte(i)
		}
		payloads := [][]byte{nil, every, {0}, {0, 0, 0}, {0xff, 0xfe}, []byte("\r\n"), []byte("1700000000000000000000"), []byte("{}"), bytes.Repeat([]byte{0, '\n', ':'}, 1000)}
		for i, p := range payloads {
			q.put(queue.Item{ID: itemID(i), Payload: p})
		}
		leases := q.worker("w").claim(len(payloads))
		if len(leases) != len(payloads) {
			q.Fatalf("claimed %q", ids(leases))
		}
		for i, l := range leases {
			if !bytes.Equal(l.Item.Payload, payloads[i]) {
				q.Errorf("payload %q came back as %q", payloads[i], l.Item.Payload)
			}
		}
	}},
	{"a payload has up to 1 MiB", func(q *subject) {
		large := bytes.Repeat([]byte("\x00\xff0123456789abcd"), queue.MaxPayloadBytes/16)
		q.put(queue.Item{ID: "a", Payload: large})
		q.wantOutcome(queue.Item{ID: "a", Payload: large}, queue.Duplicate)
		if l := q.worker("w").claims("a")[0]; !bytes.Equal(l.Item.Payload, large) {
			q.Errorf("a payload of %d bytes came back as another, of %d", len(large), len(l.Item.Payload))
		}
	}},
	{"an id is any UTF-8, up to its limit", func(q *subject) {
		all := append([]string{strings.Repeat("x", queue.MaxIDBytes), strings.Repeat("é", queue.MaxIDBytes/2)}, awkward...)
		w := q.worker("w")
		q.putIDs(all...)
		for _, l := range w.claims(all...) {
			if err := w.extend(l); err != nil {
				q.Errorf("extend of %q: %v", l.Item.ID, err)
			}
			w.commits(l, "record")
			w.settles(queue.Settlement{Lease: l, Verb: queue.Release, Failure: interrupted})
		}
		again := w.claim(len(all))
		if len(again) != len(all) {
			q.Fatalf("claimed %d of %d released items", len(again), len(all))
		}
		for i, l := range again {
			if string(l.Committed) != "record" {
				q.Errorf("what was committed for %q is %q", l.Item.ID, l.Committed)
			}
			v := []queue.Verb{queue.Ack, queue.Nack, queue.Bury}[i%3]
			w.settles(queue.Settlement{Lease: l, Verb: v, Failure: failure(l.Item.ID)})
		}
		for _, id := range all {
			q.wantOutcome(queue.Item{ID: id}, queue.Duplicate)
			if r := q.record(id); r.Item.ID != id {
				q.Errorf("the record of %q has id %q", id, r.Item.ID)
			} else if r.State != queue.Done && (len(r.Failures) != 1 || r.Failures[0] != failure(id)) {
				q.Errorf("the failures of %q are %q", id, r.Failures)
			}
		}
	}},
	{"an output is any text", func(q *subject) {
		items := make([]queue.Item, len(awkward))
		for i, output := range awkward {
			items[i] = queue.Item{ID: itemID(i), Output: output, Payload: []byte(":" + output)}
		}
		q.put(items...)
		for i, output := range awkward {
			q.wantOutcome(queue.Item{ID: "other-" + itemID(i), Output: output}, queue.OutputTaken)
		}
		leases := q.worker("w").claim(len(items))
		if len(leases) != len(items) {
			q.Fatalf("claimed %q", ids(leases))
		}
		for i, l := range leases {
			if l.Item.Output != awkward[i] || string(l.Item.Payload) != ":"+awkward[i] {
				q.Errorf("output %q with payload %q came back as %q with %q", awkward[i], items[i].Payload, l.Item.Output, l.Item.Payload)
			}
		}
	}},
	{"a committed record and a result are any bytes", func(q *subject) {
		w := q.worker("w")
		want := []byte("\x00\xff:\n\r\"{}日本")
		q.putIDs("a")
		l := w.claims("a")[0]
		w.commits(l, string(want))
		w.releases(l)
		l = q.wantCommitted("w2", "a", string(want))
		w.settles(queue.Settlement{Lease: l, Verb: queue.Ack, Result: want})
		if r := q.record("a"); !bytes.Equal(r.Result, want) {
			q.Errorf("the result %q came back as %q", want, r.Result)
		}
	}},
}
