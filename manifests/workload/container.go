package workload

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
)

// checkFields checks what an API server refuses of a container besides what
// checkContainer does.
func (d *Document) checkFields(c *corev1.Container, path string) {
	d.checkEnv(c.Env, path+".env")
	d.checkPorts(c.Ports, path+".ports")
	d.checkResources(&c.Resources, path+".resources")
	mounted := make(map[string]bool)
	for i, m := range c.VolumeMounts {
		at := fmt.Sprintf("%s.volumeMounts[%d].mountPath", path, i)
		d.require(m.MountPath == "", at)
		if m.MountPath != "" && mounted[m.MountPath] {
			d.refuse(at, "duplicate: another volume is mounted at %s already", clip(m.MountPath))
		}
		mounted[m.MountPath] = true
	}
	for name, p := range map[string]*corev1.Probe{"livenessProbe": c.LivenessProbe, "readinessProbe": c.ReadinessProbe, "startupProbe": c.StartupProbe} {
		if p != nil {
			d.checkProbe(p, join(path, name))
		}
	}
}

// given are the names of the fields of a struct of pointers that are set.
func given(of any) (names []string) {
	v := reflect.ValueOf(of)
	for f, field := range v.Fields() {
		if field.Kind() == reflect.Pointer && !field.IsNil() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			names = append(names, name)
		}
	}
	return names
}

// checkOne refuses all but the first of what excludes each other.
func (d *Document) checkOne(names []string, path string) {
	for i, name := range names {
		if i > 0 {
			d.refuse(join(path, name), "%s is set already: one of the two is allowed", names[0])
		}
	}
}

// fieldPaths are what a variable can have of its pod, besides one entry of
// metadata.labels or metadata.annotations.
var fieldPaths = []string{
	"metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName",
	"status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs",
}

// fieldPath tells whether a variable can have a field of its pod.
func fieldPath(path string) bool {
	if slices.Contains(fieldPaths, path) || path == "spec.host" { // its old name is still taken
		return true
	}
	for _, of := range []string{"metadata.labels", "metadata.annotations"} {
		rest, ok := strings.CutPrefix(path, of+"['")
		key, closed := strings.CutSuffix(rest, "']")
		if of == "metadata.annotations" {
			key = strings.ToLower(key)
		}
		if ok && closed {
			return len(validation.IsQualifiedName(key)) == 0
		}
	}
	return false
}

func (d *Document) checkEnv(env []corev1.EnvVar, path string) {
	for i, v := range env {
		at := fmt.Sprintf("%s[%d]", path, i)
		d.require(v.Name == "", at+".name")
		if why := validation.IsRelaxedEnvVarName(v.Name); len(why) > 0 {
			d.refuse(at+".name", "%s is not a name: printable ASCII characters other than '=' are allowed", clip(v.Name))
		}
		if v.ValueFrom == nil {
			continue
		}
		from := at + ".valueFrom"
		sources := given(*v.ValueFrom)
		switch {
		case len(sources) == 0 && !d.broken(from):
			d.refuse(from, "empty: fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef or fileKeyRef is needed")
		case v.Value != "":
			d.refuse(from, "value is set already: one of the two is allowed")
		}
		d.checkOne(sources, from)
		if ref := v.ValueFrom.FieldRef; ref != nil {
			here := from + ".fieldRef.fieldPath"
			d.require(ref.FieldPath == "", here)
			if !fieldPath(ref.FieldPath) {
				d.refuse(here, "unknown field %s: metadata.labels['KEY'], metadata.annotations['KEY'], %s is allowed", clip(ref.FieldPath), anyOf(fieldPaths))
			}
		}
	}
}

func (d *Document) checkPorts(ports []corev1.ContainerPort, path string) {
	names := make(map[string]bool)
	for i, p := range ports {
		at := fmt.Sprintf("%s[%d]", path, i)
		if !d.has(at + ".containerPort") {
			d.refuse(at+".containerPort", "required: 1 to 65535 is allowed")
		}
		d.checkPort(p.ContainerPort, at+".containerPort")
		if p.HostPort != 0 { // which is none
			d.checkPort(p.HostPort, at+".hostPort")
		}
		switch {
		case p.Name == "":
		case len(validation.IsValidPortName(p.Name)) > 0:
			d.refuse(at+".name", "%s is not a name of a port: up to 15 of a-z, 0-9 and '-' are allowed, with a letter", clip(p.Name))
		case names[p.Name]:
			d.refuse(at+".name", "duplicate: another port is %q already", p.Name)
		}
		names[p.Name] = true
	}
}

func (d *Document) checkPort(n int32, path string) {
	if n < 1 || n > 65535 {
		d.refuse(path, "%d is out of range: 1 to 65535 is allowed", n)
	}
}

func (d *Document) checkProbe(p *corev1.Probe, path string) {
	handlers := given(p.ProbeHandler)
	if len(handlers) == 0 && !d.broken(path) {
		d.refuse(path, "exec, httpGet, tcpSocket or grpc is needed")
	}
	d.checkOne(handlers, path)
	if p.HTTPGet != nil {
		d.checkTarget(p.HTTPGet.Port, path+".httpGet.port")
	}
	if p.TCPSocket != nil {
		d.checkTarget(p.TCPSocket.Port, path+".tcpSocket.port")
	}
}

// checkTarget checks a port that is a number or a container's name for one.
func (d *Document) checkTarget(port intstr.IntOrString, path string) {
	switch {
	case !d.has(path):
		d.refuse(path, "required: 1 to 65535 or the name of a port is allowed")
	case port.Type == intstr.Int:
		d.checkPort(port.IntVal, path)
	case len(validation.IsValidPortName(port.StrVal)) > 0:
		d.refuse(path, "%s is not a port: 1 to 65535 or the name of a port is allowed", clip(port.StrVal))
	}
}

// plainResources are the resources of a container that need no prefix.
var plainResources = []string{"cpu", "memory", "ephemeral-storage"}

func (d *Document) checkResources(r *corev1.ResourceRequirements, path string) {
	for of, list := range map[string]corev1.ResourceList{"limits": r.Limits, "requests": r.Requests} {
		for _, name := range slices.Sorted(maps.Keys(list)) {
			quantity := list[name]
			d.checkResource(string(name), quantity, index(join(path, of), string(name)))
		}
	}
	for name, wanted := range r.Requests {
		at := index(path+".requests", string(name))
		limit, limited := r.Limits[name]
		limitAt := index(path+".limits", string(name))
		_, huge := strings.CutPrefix(string(name), corev1.ResourceHugePagesPrefix)
		exact := huge || strings.Contains(string(name), "/") && !strings.Contains(string(name), corev1.ResourceDefaultNamespacePrefix)
		switch {
		case limited && wanted.Cmp(limit) > 0:
			d.refuse(at, "%s is more than its limit: up to %s is allowed", wanted.String(), limit.String())
		case limited && exact && wanted.Cmp(limit) < 0:
			d.refuse(at, "%s is less than its limit: %s is allowed", wanted.String(), limit.String())
		case !limited && exact && !d.has(limitAt) && !d.meant[path+".limits"]:
			d.refuse(at, "only with a limit that is the same: say %s", limitAt)
		}
	}
}

func (d *Document) checkResource(name string, quantity resource.Quantity, path string) {
	plain := slices.Contains(plainResources, name) || strings.HasPrefix(name, corev1.ResourceHugePagesPrefix)
	switch {
	case !plain && !strings.Contains(name, "/"):
		d.refuse(path, "unknown resource: %s, hugepages-SIZE or one with a domain such as example.com/gpu is allowed", strings.Join(plainResources, ", "))
	case len(validation.IsQualifiedName(name)) > 0:
		d.refuse(path, "not a name of a resource: one with a domain such as example.com/gpu is allowed")
	case quantity.Sign() < 0:
		d.refuse(path, "%s is out of range: 0 or more is allowed", quantity.String())
	}
}
