package payload

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// anyBytes is text that need not be UTF-8.
func anyBytes() *rapid.Generator[string] {
	return rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) })
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := Payload{
			Arg:    anyBytes().Draw(t, "arg"),
			N:      rapid.Int64().Draw(t, "n"),
			Output: anyBytes().Draw(t, "output"),
			Fields: map[string]string{"quality": "18"},
		}
		if rapid.Bool().Draw(t, "input") {
			want.Input = &Input{Path: anyBytes().Draw(t, "path"), Size: 1, ModTime: 2, Inode: 1<<64 - 1}
		}
		b, err := want.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Fatalf("Decode(Encode(p)) differs (-want +got):\n%s", d)
		}
	})
}

func TestDecodeOfOthers(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		want     Payload
	}{
		{"a line", "in/a.wav", Payload{Arg: "in/a.wav"}},
		{"nothing", "", Payload{}},
		{"an object", `{"path":"a.wav","quality":18}`, Payload{Arg: `{"path":"a.wav","quality":18}`, Fields: map[string]string{"path": "a.wav", "quality": "18"}}},
		{"half an object", `{"path":`, Payload{Arg: `{"path":`}},
		{"a list", `[1]`, Payload{Arg: `[1]`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Decode([]byte(tt.in))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("differs (-want +got):\n%s", d)
			}
		})
	}
}

func TestDecodeRefusesANewerForm(t *testing.T) {
	if _, err := Decode([]byte(`{"sluice":2,"arg":"x"}`)); err == nil {
		t.Error("no error for a form that this program does not read")
	}
}
