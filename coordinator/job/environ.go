package job

import (
	"fmt"
	"os"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// fields are what a fieldRef can name here, besides one entry of
// metadata.labels or metadata.annotations.
var fields = map[string]func(*corev1.Pod) string{
	"metadata.name":           func(p *corev1.Pod) string { return p.Name },
	"metadata.namespace":      func(p *corev1.Pod) string { return p.Namespace },
	"metadata.uid":            func(p *corev1.Pod) string { return string(p.UID) },
	"spec.nodeName":           func(*corev1.Pod) string { return hostname() },
	"spec.serviceAccountName": func(p *corev1.Pod) string { return p.Spec.ServiceAccountName },
	"status.hostIP":           func(*corev1.Pod) string { return "127.0.0.1" },
	"status.podIP":            func(*corev1.Pod) string { return "127.0.0.1" },
}

func hostname() string {
	name, err := os.Hostname()
	if err != nil {
		return "localhost"
	}
	return name
}

// fieldValue is a pod's field for an environment variable.
func fieldValue(p *corev1.Pod, path string) (string, error) {
	if get := fields[path]; get != nil {
		return get(p), nil
	}
	for prefix, m := range map[string]map[string]string{"metadata.labels": p.Labels, "metadata.annotations": p.Annotations} {
		rest, ok := strings.CutPrefix(path, prefix+"['")
		if key, closed := strings.CutSuffix(rest, "']"); ok && closed && key != "" {
			return m[key], nil
		}
	}
	return "", fmt.Errorf("must be metadata.labels['KEY'], metadata.annotations['KEY'], metadata.name, metadata.namespace, " +
		"metadata.uid, spec.nodeName, spec.serviceAccountName, status.hostIP or status.podIP")
}

// variables are a container's own, each expanded by those before it.
func variables(p *corev1.Pod, c *corev1.Container) (map[string]string, error) {
	vars := make(map[string]string, len(c.Env))
	for _, v := range c.Env {
		switch {
		case v.ValueFrom == nil:
			vars[v.Name] = expand(v.Value, vars)
		case v.ValueFrom.FieldRef != nil:
			value, err := fieldValue(p, v.ValueFrom.FieldRef.FieldPath)
			if err != nil {
				return nil, fmt.Errorf("env %s: fieldPath %q: %w", v.Name, v.ValueFrom.FieldRef.FieldPath, err)
			}
			vars[v.Name] = value
		}
	}
	return vars, nil
}

// Command is the command line that a container of a pod states, with its own
// variables, which both are expanded as Kubernetes does: each variable by those
// before it, the words by all. The words are none where the image is to have
// them. An error names the variable that cannot be known here.
func Command(p *corev1.Pod, c *corev1.Container) (argv []string, vars map[string]string, err error) {
	if vars, err = variables(p, c); err != nil {
		return nil, nil, err
	}
	for _, arg := range slices.Concat(c.Command, c.Args) {
		argv = append(argv, expand(arg, vars))
	}
	return argv, vars, nil
}

// environ is what a container's command finds: what is inherited, which stands
// for the image's environment, replaced by vars.
func environ(inherited []string, hostname string, vars map[string]string) []string {
	env := slices.DeleteFunc(slices.Clone(inherited), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		_, replaced := vars[name]
		return replaced || name == "HOSTNAME"
	})
	if _, set := vars["HOSTNAME"]; !set {
		env = append(env, "HOSTNAME="+hostname)
	}
	for name, value := range vars {
		env = append(env, name+"="+value)
	}
	return env
}

// expand replaces $(NAME) as Kubernetes does: $$ is a $, and what is not known
// stays as it is written.
func expand(s string, vars map[string]string) string {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(s, "$")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		s = after
		name, rest, closed := strings.Cut(strings.TrimPrefix(s, "("), ")")
		value, known := vars[name]
		switch {
		case strings.HasPrefix(s, "$"):
			b.WriteByte('$')
			s = s[1:]
		case strings.HasPrefix(s, "(") && closed && known:
			b.WriteString(value)
			s = rest
		case strings.HasPrefix(s, "(") && closed:
			b.WriteString("$(" + name + ")")
			s = rest
		default:
			b.WriteByte('$')
		}
	}
}
