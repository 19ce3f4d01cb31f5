package publish

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestRecordRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.Custom(func(t *rapid.T) string {
			s := string(rapid.SliceOfN(rapid.Byte(), 1, 20).Draw(t, "bytes"))
			return "n" + strings.NewReplacer("/", "", "\x00", "").Replace(s)
		})
		file := rapid.Custom(func(t *rapid.T) File {
			return File{name.Draw(t, "name"), rapid.Int64().Draw(t, "size"), rapid.Int64().Draw(t, "mtime"), rapid.Uint64().Draw(t, "inode"), rapid.Bool().Draw(t, "dir")}
		})
		dir := "/" + name.Draw(t, "dir")
		r := Record{
			Dir:      dir,
			Staging:  dir + "/.sluice-a-1",
			Files:    rapid.SliceOfN(file, 1, 4).Draw(t, "files"),
			Replace:  rapid.Bool().Draw(t, "replace"),
			Previous: rapid.SliceOfN(file, 1, 2).Draw(t, "previous"),
		}
		b, err := r.Encode()
		if err != nil || !utf8.Valid(b) {
			t.Fatalf("Encode: %q, %v", b, err)
		}
		got, err := Decode(b)
		if d := cmp.Diff(r, got); err != nil || d != "" {
			t.Fatalf("%v (-want +got):\n%s", err, d)
		}
	})
}

func TestRecordIsReadable(t *testing.T) {
	r := Record{Dir: "out", Staging: "out/.sluice-a-1", Files: []File{{"x<y>\xff", 1, 2, 3, false}, {"d", 0, 0, 4, true}}}
	b, err := r.Encode()
	must(t, err)
	want := `{"publish":1,"dir":"out","staging":"out/.sluice-a-1","files":[{"name":{"base64":"eDx5Pv8="},"size":1,"mtime":2,"inode":3},{"name":"d","inode":4,"dir":true}]}`
	if d := cmp.Diff(want, string(b)); d != "" {
		t.Error(d)
	}
}

func TestDamagedRecordsAreRefused(t *testing.T) {
	for record, want := range map[string]string{
		``:                        "record \"\"",
		`null`:                    "form 0",
		`{"publish":2}`:           "form 2: this program reads form 1",
		`{"publish":1,"dir":{}}`:  "is no staging folder",
		`{"publish":1,"dir":1}`:   "cannot unmarshal",
		`{"publish":1,"files":1}`: "cannot unmarshal",
		`{"publish":1,"dir":"o","staging":"p/.sluice-a-1","files":[{"name":"x"}]}`:     "is no staging folder",
		`{"publish":1,"dir":"o","staging":"o/x","files":[{"name":"x"}]}`:               "is no staging folder",
		`{"publish":1,"dir":"o","staging":"o/.sluice-a-1","files":[]}`:                 "lists no files",
		`{"publish":1,"dir":"o","staging":"o/.sluice-a-1","files":[{"name":"../x"}]}`:  "not the name of an entry",
		`{"publish":1,"dir":"o","staging":"o/.sluice-a-1","files":[{"name":".."}]}`:    "not the name of an entry",
		`{"publish":1,"dir":"o","staging":"o/.sluice-a-1","files":[{"inode":1}]}`:      "not the name of an entry",
		`{"publish":1,"dir":"o","staging":"o/.sluice-a-1","files":[{"name":{"b":1}}]}`: "not the name of an entry",
	} {
		if r, err := Decode([]byte(record)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Decode(%s) = %+v, %v; want an error with %q", record, r, err, want)
		}
	}
	if err := Finish(Record{Dir: "o", Staging: "o/x", Files: []File{{Name: "x"}}}); err == nil {
		t.Error("Finish took a damaged record")
	}
}
