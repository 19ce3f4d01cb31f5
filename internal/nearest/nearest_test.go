package nearest

import "testing"

func TestOf(t *testing.T) {
	words := []string{"run", "version", "parallelism", "retry-delay"}
	for _, tt := range []struct{ in, want string }{
		{"rnu", "run"},
		{"urn", "run"},
		{"Run", "run"},
		{"paralellism", "parallelism"},
		{"retrydelay", "retry-delay"},
		{"vresoin", "version"}, // two slips
		{"parallel", ""},       // three
		{"job", ""},
		{"", ""},
	} {
		if got := Of(tt.in, words); got != tt.want {
			t.Errorf("Of(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}
