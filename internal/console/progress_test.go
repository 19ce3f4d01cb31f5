package console

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestProgressLine(t *testing.T) {
	const unknown = -1
	usual := Snapshot{Done: 132, Total: 200, Running: 4, Delayed: 1, Dead: 1}
	open := Snapshot{Done: 132, Total: 200, Running: 4, Open: true}
	huge := Snapshot{Done: 1_320_000_000, Total: 2_000_000_000, Running: 1024, Delayed: 30_000, Dead: 4_000_000}
	for _, test := range []struct {
		name  string
		s     Snapshot
		rate  float64
		width int
		want  string
	}{
		{"all parts", usual, 13.4, 80, "done 132/200  running 4  retrying 1  dead 1  13.4/s  5s left"},
		{"all parts, just", usual, 13.4, 61, "done 132/200  running 4  retrying 1  dead 1  13.4/s  5s left"},
		{"without retrying", usual, 13.4, 60, "done 132/200  running 4  dead 1  13.4/s  5s left"},
		{"half", usual, 13.4, 40, "done 132/200  dead 1  13.4/s  5s left"},
		{"small", usual, 13.4, 20, "done 132/200"},
		{"none bad", Snapshot{Done: 132, Total: 200, Running: 4}, 12.4, 80, "done 132/200  running 4  12.4/s  6s left"},
		{"none bad, half", Snapshot{Done: 132, Total: 200, Running: 4}, 12.4, 40, "done 132/200  12.4/s  6s left"},
		{"at the start", Snapshot{Total: 200, Running: 4}, unknown, 80, "done 0/200  running 4  --/s  -- left"},
		{"at the end", Snapshot{Done: 199, Total: 200, Dead: 1}, unknown, 80, "done 199/200  running 0  dead 1  --/s  0s left"},
		{"open", open, 12.4, 80, "done 132 of 200+  running 4  12.4/s  -- left"},
		{"open, half", open, 12.4, 40, "done 132 of 200+  12.4/s  -- left"},
		{"open, small", open, 12.4, 20, "done 132 of 200+"},
		{"open, tiny", open, 12.4, 11, "132"},
		{"slow", usual, 0.005, 80, "done 132/200  running 4  retrying 1  dead 1  0.3/min  3h43m left"},
		{"huge", huge, 1240, 80, "done 1320000000/2000000000  running 1024  dead 4000000  1240/s  6d07h left"},
		{"huge, half", huge, 1240, 41, "done 1320000000/2000000000  dead 4000000"},
		{"huge, small", huge, 1240, 20, "66%"},
		{"count alone", usual, 12.4, 8, "132/200"},
		{"per cent", usual, 12.4, 4, "66%"},
		{"no room", usual, 12.4, 3, ""},
		{"no columns", usual, 12.4, 0, ""},
		{"nearly all is not all", Snapshot{Done: 999, Total: 1000}, 1, 7, "99%"},
		{"nothing to do", Snapshot{Running: 1}, unknown, 80, "done 0/0  running 1  --/s  0s left"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := test.s.line(test.width, byRate(test.s, test.rate)); got != test.want {
				t.Errorf("width %d\n got %q\nwant %q", test.width, got, test.want)
			}
		})
	}
}

// byRate is the pace of a run of which nothing but the rate is known.
func byRate(s Snapshot, rate float64) pace { return s.pace(outlook{pace: max(rate, 0)}) }

func TestProgressLineNeverWraps(t *testing.T) {
	n := rapid.Int64Min(0)
	rapid.Check(t, func(t *rapid.T) {
		s := Snapshot{
			Done: n.Draw(t, "done"), Total: n.Draw(t, "total"), Running: n.Draw(t, "running"),
			Delayed: n.Draw(t, "delayed"), Dead: n.Draw(t, "dead"), Open: rapid.Bool().Draw(t, "open"),
		}
		width := rapid.IntRange(0, 200).Draw(t, "width")
		rate := rapid.Float64Range(0, 1e9).Draw(t, "rate")
		line := s.line(width, byRate(s, rate))
		if len(line) > max(0, width-1) {
			t.Fatalf("%d columns at width %d: %q", len(line), width, line)
		}
		for _, b := range []byte(line) {
			if b < ' ' || b > '~' {
				t.Fatalf("byte %#x in %q", b, line)
			}
		}
	})
}

func TestReport(t *testing.T) {
	s := Snapshot{Done: 132, Total: 200, Running: 4, Delayed: 1, Dead: 1}
	const want = "sluice: done 132/200, running 4, retrying 1, dead 1, 13.4/s, 5s left\n"
	if got := s.report(byRate(s, 13.4)); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestMeter(t *testing.T) {
	start := time.Now()
	at := func(seconds float64) time.Time { return start.Add(time.Duration(seconds * float64(time.Second))) }
	// feed adds counts that grow by perSecond every step seconds.
	feed := func(m *meter, from, to, step, perSecond float64, n int64) int64 {
		for s := from; s < to; s += step {
			m.add(at(s), n)
			n += int64(perSecond * step)
		}
		return n
	}
	near := func(t *testing.T, m *meter, seconds, want float64) {
		t.Helper()
		if got, known := m.perSecond(at(seconds)); !known || got < want*0.95 || got > want*1.05 {
			t.Errorf("rate %v (known %v), want about %v", got, known, want)
		}
	}

	t.Run("unknown at first", func(t *testing.T) {
		var m meter
		if _, known := m.perSecond(at(0)); known {
			t.Error("known without a sample")
		}
		m.add(at(0), 100)
		m.add(at(0.9), 200)
		if _, known := m.perSecond(at(0.9)); known {
			t.Error("known in the first second")
		}
		near(t, &m, 1, 100)
	})
	t.Run("unknown without growth", func(t *testing.T) {
		var m meter
		feed(&m, 0, 100, 1, 0, 7)
		if _, known := m.perSecond(at(100)); known {
			t.Error("known though nothing was finished")
		}
	})
	t.Run("what was done before does not count", func(t *testing.T) {
		var m meter
		feed(&m, 0, 10.5, 1, 5, 1_000_000)
		near(t, &m, 10, 5)
	})
	t.Run("follows the last half minute", func(t *testing.T) {
		var m meter
		n := feed(&m, 0, 100, 0.1, 1000, 0)
		near(t, &m, 100, 1000)
		feed(&m, 100, 131, 0.1, 10, n)
		near(t, &m, 131, 10)
	})
	t.Run("slow items count by their last ten", func(t *testing.T) {
		var m meter
		n := feed(&m, 0, 3600, 0.1, 100, 0)
		last := 3600.0
		for i := range 60 { // then one every two minutes, by turns early and late
			last += []float64{60, 180}[i%2]
			m.add(at(last), n+int64(i))
		}
		near(t, &m, last, 1.0/120)
	})
	t.Run("sinks while nothing is finished", func(t *testing.T) {
		var m meter
		feed(&m, 0, 10.5, 1, 10, 0)
		near(t, &m, 10, 10)
		near(t, &m, 100, 1)
	})
	t.Run("begins anew when the count falls", func(t *testing.T) {
		var m meter
		n := feed(&m, 0, 60, 1, 100, 0)
		feed(&m, 60, 70.5, 1, 5, n-500)
		near(t, &m, 70, 5)
	})
	t.Run("keeps few samples", func(t *testing.T) {
		var m meter
		n, most := int64(0), 0
		for s := 0.0; s < 3600; s += 0.01 {
			m.add(at(s), n)
			n++
			most = max(most, len(m.samples))
		}
		for s := 3600.0; s < 100_000; s += 7 {
			m.add(at(s), n)
			n += int64(s) % 2
			most = max(most, len(m.samples))
		}
		if most > 75 {
			t.Errorf("%d samples", most)
		}
	})
}
