package payload

import (
	"slices"
	"strings"
	"testing"
)

func TestEnviron(t *testing.T) {
	for name, c := range map[string]struct {
		fields map[string]string
		want   []string
	}{
		"no fields":           {nil, nil},
		"names":               {map[string]string{"frame": "7", "frame-no2": "a b", "Shot Name": "", "été": "=\n"}, []string{"SLUICE_ARG_FRAME=7", "SLUICE_ARG_FRAME_NO2=a b", "SLUICE_ARG_SHOT_NAME=", "SLUICE_ARG__T_==\n"}},
		"one name for two":    {map[string]string{"a-b": "1", "a_b": "2", "A B": "3", "c": "4"}, []string{"SLUICE_ARG_C=4"}},
		"a NUL":               {map[string]string{"a": "x\x00", "b": "1"}, []string{"SLUICE_ARG_B=1"}},
		"more than can be":    {map[string]string{"a": strings.Repeat("x", maxVariable-len("SLUICE_ARG_A="))}, nil},
		"as much as there is": {map[string]string{"a": strings.Repeat("x", maxVariable-len("SLUICE_ARG_A=")-1)}, []string{"SLUICE_ARG_A=" + strings.Repeat("x", maxVariable-len("SLUICE_ARG_A=")-1)}},
	} {
		got := Payload{Fields: c.fields}.Environ()
		slices.Sort(got)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %.200q, want %.200q", name, got, c.want)
		}
	}
}
