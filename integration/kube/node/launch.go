package node

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// launchSpec is what a container's first process, which becomes its command,
// has to do.
type launchSpec struct {
	Root     string // an empty folder, over which the container's files stand
	Hostname string
	Mounts   []mount
	Args     []string
	Env      []string
	Dir      string
}

// mount puts a file or folder of this machine at a place of the container's.
type mount struct {
	Source, Target string
	ReadOnly       bool
}

// pullError is of an image that cannot be had.
type pullError struct{ image string }

func (e *pullError) Error() string {
	return fmt.Sprintf("failed to pull and unpack image %q: not found", e.image)
}

func (c *container) launchSpec() (*launchSpec, error) {
	image := c.pod.node.Images[c.spec.Image]
	if strings.HasPrefix(c.spec.Image, "missing/") {
		return nil, &pullError{c.spec.Image}
	}
	vars, err := c.variables()
	if err != nil {
		return nil, err
	}
	s := &launchSpec{
		Root: filepath.Join(c.pod.dir, c.spec.Name+".root"), Hostname: c.pod.hostname(),
		Dir: c.spec.WorkingDir, Mounts: c.mounts(),
	}
	if s.Dir == "" {
		s.Dir = "/"
	}
	path := os.Getenv("PATH")
	if image != "" {
		info, err := os.Stat(image)
		if err != nil {
			return nil, fmt.Errorf("image %s: %w", c.spec.Image, err)
		}
		folder := image
		if !info.IsDir() {
			folder = filepath.Dir(image)
			s.Args = []string{image}
		}
		path = folder + ":" + path
	}
	if len(c.spec.Command) > 0 {
		s.Args = expandAll(c.spec.Command, vars)
	}
	s.Args = append(s.Args, expandAll(c.spec.Args, vars)...)
	if len(s.Args) == 0 {
		return nil, fmt.Errorf("no command specified, and image %q has none here", c.spec.Image)
	}
	for name, value := range map[string]string{"PATH": path, "HOME": "/root", "HOSTNAME": s.Hostname} {
		if _, set := vars[name]; !set {
			vars[name] = value
		}
	}
	for name, value := range vars {
		s.Env = append(s.Env, name+"="+value)
	}
	if err := os.MkdirAll(s.Root, 0o755); err != nil {
		return nil, err
	}
	return s, os.WriteFile(c.terminationFile(), nil, 0o666)
}

// mounts are the container's volumes, and the file for its last words.
func (c *container) mounts() (list []mount) {
	for _, m := range c.spec.VolumeMounts {
		list = append(list, mount{
			Source: filepath.Join(c.pod.sources[m.Name], m.SubPath), Target: m.MountPath, ReadOnly: m.ReadOnly,
		})
	}
	if path := c.spec.TerminationMessagePath; path != "" {
		list = append(list, mount{Source: c.terminationFile(), Target: path})
	}
	return list
}

func (p *pod) hostname() string {
	name := p.object.Spec.Hostname
	if name == "" {
		name = p.object.Name
	}
	return strings.TrimRight(name[:min(len(name), 63)], "-.")
}

func expandAll(list []string, vars map[string]string) []string {
	out := make([]string, 0, len(list))
	for _, s := range list {
		out = append(out, expand(s, vars))
	}
	return out
}

// expand replaces $(NAME) by its value. $$ is a $, and what has no value stays
// as it is written.
func expand(s string, vars map[string]string) string {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(s, "$")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		name, rest, closed := strings.Cut(strings.TrimPrefix(after, "("), ")")
		value, known := vars[name]
		switch {
		case strings.HasPrefix(after, "$"):
			b.WriteByte('$')
			s = after[1:]
		case strings.HasPrefix(after, "(") && closed && known:
			b.WriteString(value)
			s = rest
		default:
			b.WriteByte('$')
			s = after
		}
	}
}
