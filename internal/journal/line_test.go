package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var someEntry = rapid.Custom(func(t *rapid.T) Entry {
	e := Entry{
		Kind:     rapid.SampledFrom(append(kinds, "other")).Draw(t, "kind"),
		ID:       rapid.OneOf(rapid.StringMatching(`[0-9a-f]{20}`), rapid.String()).Draw(t, "id"),
		Attempts: rapid.IntRange(-1, 1<<31).Draw(t, "attempts"),
	}
	if text := rapid.SampledFrom([]string{"", `"r"`, `null`, `{"a":[1,2]}`, `"\u003c}"`, `-1.5e3`}).Draw(t, "data"); text != "" {
		e.Data = json.RawMessage(text)
	}
	return e
})

func TestALineIsReadAsItWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := someEntry.Draw(t, "entry")
		line, err := appendLine(nil, e)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := parse(line)
		if d := cmp.Diff(e, got); !ok || d != "" {
			t.Fatalf("%q: %t, differs (-want +got):\n%s", line, ok, d)
		}
		for i := range line {
			line[i] ^= 1 << (i % 8)
			if _, ok := parse(line); ok && line[i]|0x20 != line[i]^1<<(i%8)|0x20 { // the case of a digit of the sum
				t.Fatalf("%q is believed", line)
			}
			line[i] ^= 1 << (i % 8)
		}
	})
}

// What most lines are is read without encoding/json, which is most of the time
// that a journal takes.
func TestCommonLinesAreScanned(t *testing.T) {
	for _, text := range []string{
		`{"kind":"done","id":"0123456789abcdef0123"}`,
		`{"kind":"done","id":"0123456789abcdef0123","attempts":1}`,
		`{"kind":"dead","id":"0123456789abcdef0123","attempts":7,"data":{"cause":"Exit"}}`,
		`{"kind":"committed","id":"0123456789abcdef0123","attempts":12345678,"data":{"publish":1}}`,
	} {
		if _, ok := scan([]byte(text)); !ok {
			t.Errorf("%s is left to encoding/json", text)
		}
	}
}

// scan says what encoding/json says, or nothing.
func FuzzScan(f *testing.F) {
	for _, text := range []string{
		`{"kind":"done","id":"a"}`, `{"kind":"dead","id":"","attempts":7,"data":{"a":[1]}}`, `{"kind":"committed","id":"a","data":null}`,
		`{"kind":"done","id":"a","attempts":01}`, `{"kind":"done","id":"a","attempts":99999999999999999999}`, `{"kind":"done","id":"a","attempts":1.5}`,
		`{"kind":"done","id":"a","data":1,"id":"b"}`, `{"kind":"done","id":"a","data": 1 }`, `{"kind":"done","id":"a","data":}`, `{"kind":"done","id":"a"}}`,
		`{"kind":"done","id":"\u0061"}`, "{\"kind\":\"done\",\"id\":\"\xff\"}", `{"kind":"other","id":"a"}`, `{"kind":"done","id":"a","attempts":}`,
		`{"kind":"done","id":"a","attempts":1,"data":"x"`, `{"kind":"done","id":"a","attempts":`, `{"kind":"done","id":"a`, "",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got, ok := scan(text)
		if !ok {
			return
		}
		var want Entry
		if err := json.Unmarshal(text, &want); err != nil {
			t.Fatalf("%q: scan reads what json does not: %v", text, err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%q differs from json's (-want +got):\n%s", text, d)
		}
	})
}

func TestEachLineOfAnyLength(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var want []string
		for _, n := range rapid.SliceOfN(rapid.SampledFrom([]int{0, 1, 70, 1<<16 - 1, 1 << 16, 1<<16 + 1, 200_000}), 0, 6).Draw(t, "lengths") {
			want = append(want, strings.Repeat("x", n)+"\n")
		}
		if last := rapid.SampledFrom([]int{0, 1, 1 << 16, 200_000}).Draw(t, "without a newline"); last > 0 {
			want = append(want, strings.Repeat("y", last))
		}
		text := strings.Join(want, "")
		var got []string
		err := eachLine(iotest.HalfReader(strings.NewReader(text)), func(line []byte, at int64) error {
			if !bytes.HasPrefix([]byte(text[at:]), line) {
				t.Fatalf("a line of %d bytes does not begin at %d", len(line), at)
			}
			got = append(got, string(line))
			return nil
		})
		if d := cmp.Diff(want, got); err != nil || d != "" {
			t.Fatalf("%v, differs (-want +got):\n%.2000s", err, d)
		}
	})
}

func TestEachLineTellsOfErrors(t *testing.T) {
	if err := eachLine(iotest.ErrReader(iotest.ErrTimeout), nil); !errors.Is(err, iotest.ErrTimeout) {
		t.Errorf("got %v", err)
	}
	err := eachLine(strings.NewReader("a\nb\n"), func([]byte, int64) error { return iotest.ErrTimeout })
	if !errors.Is(err, iotest.ErrTimeout) {
		t.Errorf("got %v", err)
	}
}
