package bin_test

import (
	"bytes"
	"errors"
	"testing"

	"pgregory.net/rapid"

	"sluice.dev/queue/natsqueue/internal/bin"
)

func TestWhatIsWrittenIsRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		u, i, f := rapid.Uint64().Draw(t, "u"), rapid.Int64().Draw(t, "i"), rapid.Uint64().Draw(t, "f")
		s, b, c := rapid.String().Draw(t, "s"), rapid.SliceOf(rapid.Byte()).Draw(t, "b"), rapid.Byte().Draw(t, "c")
		var w bin.Writer
		w.Uint(u)
		w.Int(i)
		w.Fixed(f)
		w.String(s)
		w.Bytes(b)
		w.Bytes(nil)
		w.Byte(c)
		w.Bool(true)
		r := bin.NewReader(w.B)
		if got := r.Uint(); got != u {
			t.Errorf("%d, want %d", got, u)
		}
		if got := r.Int(); got != i {
			t.Errorf("%d, want %d", got, i)
		}
		if got := r.Fixed(); got != f {
			t.Errorf("%d, want %d", got, f)
		}
		if got := r.String(); got != s {
			t.Errorf("%q, want %q", got, s)
		}
		if got := r.Bytes(); !bytes.Equal(got, b) || (got == nil) != (b == nil) {
			t.Errorf("%q, want %q", got, b)
		}
		if got := r.Bytes(); got != nil {
			t.Errorf("%q, want nil", got)
		}
		if got := r.Byte(); got != c || !r.Bool() {
			t.Errorf("%d, want %d, true", got, c)
		}
		if err := r.End(); err != nil {
			t.Error(err)
		}
		// Cut anywhere it is an error and no panic.
		short := bin.NewReader(w.B[:rapid.IntRange(0, len(w.B)-1).Draw(t, "cut")])
		short.Uint()
		short.Int()
		short.Fixed()
		_ = short.String()
		short.Bytes()
		short.Bytes()
		short.Byte()
		short.Bool()
		if !errors.Is(short.Err(), bin.ErrShort) || short.More() {
			t.Errorf("a record cut short: %v", short.Err())
		}
	})
}

func TestWhatIsLeftIsAnError(t *testing.T) {
	r := bin.NewReader([]byte{1, 2})
	r.Byte()
	if err := r.End(); !errors.Is(err, bin.ErrShort) {
		t.Errorf("End: %v", err)
	}
}

func TestACountIsNoMoreThanWhatFollows(t *testing.T) {
	var w bin.Writer
	w.Uint(1 << 40)
	r := bin.NewReader(w.B)
	if n := r.Count(); n != 0 || r.Err() == nil {
		t.Errorf("%d, %v", n, r.Err())
	}
}
