package payload

import "strings"

// ArgPrefix begins the names of the environment variables that hold fields.
const ArgPrefix = "SLUICE_ARG_"

// maxVariable is what one variable may hold on Linux, its name and the byte
// that ends it included.
const maxVariable = 128 << 10

// Environ is the fields as entries of an environment: of the field frame-no it
// is SLUICE_ARG_FRAME_NO=7. Letters of a name become upper-case, and all other
// characters but digits an underscore. Left out is what no environment can
// hold (a NUL, 128 KiB), and fields that would have one name: none of them is
// the one that is meant.
func (p Payload) Environ() []string {
	if len(p.Fields) == 0 {
		return nil
	}
	values := make(map[string]string, len(p.Fields))
	twice := make(map[string]bool)
	for field, v := range p.Fields {
		name := variable(field)
		_, taken := values[name]
		twice[name] = taken || twice[name]
		values[name] = v
	}
	env := make([]string, 0, len(values))
	for name, v := range values {
		if !twice[name] && strings.IndexByte(v, 0) < 0 && len(name)+len("=")+len(v) < maxVariable {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// variable is the name of the variable that holds a field.
func variable(field string) string {
	return ArgPrefix + strings.Map(func(c rune) rune {
		switch {
		case 'a' <= c && c <= 'z':
			return c - 'a' + 'A'
		case 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
			return c
		}
		return '_'
	}, field)
}
