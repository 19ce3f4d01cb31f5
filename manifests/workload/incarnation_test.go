package workload

import (
	"testing"
	"time"
)

func TestTheNextIncarnationIsHigherThanAllBefore(t *testing.T) {
	const id = "film-x7k2p.5b0c6e3e-1c0f-4d0e-9b8e-0a5a3d1f2b4c"
	at := time.UnixMicro(1000)
	for name, tt := range map[string]struct {
		known []string
		want  int64
	}{
		"the first":                    {nil, 1000},
		"one before it":                {[]string{id + ".900-1", id + ".900-2"}, 1000},
		"the clock was set back":       {[]string{id + ".2000-1", id + ".3000-2", id + ".1-1"}, 3001},
		"others, and the plain worker": {[]string{"film-a" + ".5000-1", id + "-1", id + ".x-1", "laptop-7-ab-1", id}, 1000},
	} {
		i := NextIncarnation(id, tt.known, at)
		if i.Number != tt.want || i.ID != id {
			t.Errorf("%s: %+v, want number %d", name, i, tt.want)
		}
		if back, ok := IncarnationOf(i.String() + "-2"); !ok || back != i {
			t.Errorf("%s: the worker %s-2 is read as %+v, %t", name, i, back, ok)
		}
		if back, ok := IncarnationThatSaid(i.LastWords() + "\n"); !ok || back != i {
			t.Errorf("%s: %q is read as %+v, %t", name, i.LastWords(), back, ok)
		}
	}
}

func TestWhatIsNoIncarnation(t *testing.T) {
	for _, worker := range []string{"", "-1", "film-a.uid-1", "film-a.12-34-1", ".5-1", "a.-5-1", "a.0-1", "a.5"} {
		if i, ok := IncarnationOf(worker); ok {
			t.Errorf("%q is read as %+v", worker, i)
		}
	}
	for _, message := range []string{"", "film.5", "sluice worker ", "sluice worker film", "sluice worker film.5\nand more"} {
		if i, ok := IncarnationThatSaid(message); ok {
			t.Errorf("%q is read as %+v", message, i)
		}
	}
}
