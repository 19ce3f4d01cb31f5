package node

import (
	"fmt"
	"maps"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// variables are a container's environment: where the API server is, then what
// envFrom and env say, each expanded by those before it.
func (c *container) variables() (map[string]string, error) {
	vars := map[string]string{
		"KUBERNETES_SERVICE_HOST": c.pod.node.api.IP.String(),
		"KUBERNETES_SERVICE_PORT": strconv.Itoa(c.pod.node.api.Port),
	}
	for _, from := range c.spec.EnvFrom {
		values, err := c.pod.envFrom(&from)
		if err != nil {
			return nil, err
		}
		for name, value := range values {
			vars[from.Prefix+name] = value
		}
	}
	for _, v := range c.spec.Env {
		if v.ValueFrom == nil {
			vars[v.Name] = expand(v.Value, vars)
			continue
		}
		value, set, err := c.valueFrom(v.ValueFrom)
		if err != nil {
			return nil, fmt.Errorf("env %s: %w", v.Name, err)
		}
		if set {
			vars[v.Name] = value
		}
	}
	return vars, nil
}

func (p *pod) envFrom(from *corev1.EnvFromSource) (map[string]string, error) {
	switch {
	case from.ConfigMapRef != nil:
		return p.configMap(from.ConfigMapRef.Name, from.ConfigMapRef.Optional)
	case from.SecretRef != nil:
		return p.secret(from.SecretRef.Name, from.SecretRef.Optional)
	}
	return nil, nil
}

func (c *container) valueFrom(from *corev1.EnvVarSource) (value string, set bool, err error) {
	var (
		values   map[string]string
		key, of  string
		optional *bool
	)
	switch {
	case from.FieldRef != nil:
		value, err = c.pod.field(from.FieldRef.FieldPath)
		return value, err == nil, err
	case from.ResourceFieldRef != nil:
		value, err = resourceField(c.spec, from.ResourceFieldRef)
		return value, err == nil, err
	case from.ConfigMapKeyRef != nil:
		ref := from.ConfigMapKeyRef
		key, of, optional = ref.Key, "configmap "+ref.Name, ref.Optional
		values, err = c.pod.configMap(ref.Name, ref.Optional)
	case from.SecretKeyRef != nil:
		ref := from.SecretKeyRef
		key, of, optional = ref.Key, "secret "+ref.Name, ref.Optional
		values, err = c.pod.secret(ref.Name, ref.Optional)
	default:
		return "", false, fmt.Errorf("this node has no such source")
	}
	if err != nil {
		return "", false, err
	}
	value, set = values[key]
	if !set && (optional == nil || !*optional) {
		return "", false, fmt.Errorf("couldn't find key %s in %s", key, of)
	}
	return value, set, nil
}

// configMap is what is in one. One that is missing and optional is empty.
func (p *pod) configMap(name string, optional *bool) (values map[string]string, err error) {
	err = p.again(func() error {
		o, err := p.node.client.CoreV1().ConfigMaps(p.object.Namespace).Get(p.node.ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		values = map[string]string{}
		maps.Copy(values, o.Data)
		for key, value := range o.BinaryData {
			values[key] = string(value)
		}
		return nil
	})
	return values, unlessOptional(err, optional)
}

// secret is as configMap.
func (p *pod) secret(name string, optional *bool) (values map[string]string, err error) {
	err = p.again(func() error {
		o, err := p.node.client.CoreV1().Secrets(p.object.Namespace).Get(p.node.ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		values = map[string]string{}
		for key, value := range o.Data {
			values[key] = string(value)
		}
		return nil
	})
	return values, unlessOptional(err, optional)
}

func unlessOptional(err error, optional *bool) error {
	if apierrors.IsNotFound(err) && optional != nil && *optional {
		return nil
	}
	return err
}

// field is a pod's field, as the downward API has it.
func (p *pod) field(path string) (string, error) {
	switch path {
	case "metadata.name":
		return p.object.Name, nil
	case "metadata.namespace":
		return p.object.Namespace, nil
	case "metadata.uid":
		return string(p.object.UID), nil
	case "metadata.labels":
		return lines(p.object.Labels), nil
	case "metadata.annotations":
		return lines(p.object.Annotations), nil
	case "spec.nodeName":
		return p.object.Spec.NodeName, nil
	case "spec.serviceAccountName":
		return p.object.Spec.ServiceAccountName, nil
	case "status.podIP", "status.podIPs":
		return p.ip, nil
	case "status.hostIP", "status.hostIPs":
		return loopback, nil
	}
	for prefix, values := range map[string]map[string]string{
		"metadata.labels": p.object.Labels, "metadata.annotations": p.object.Annotations,
	} {
		if rest, ok := strings.CutPrefix(path, prefix+"['"); ok {
			return values[strings.TrimSuffix(rest, "']")], nil
		}
	}
	return "", fmt.Errorf("fieldPath %q is not one that this node knows", path)
}

func lines(values map[string]string) string {
	var b strings.Builder
	for key, value := range values {
		fmt.Fprintf(&b, "%s=%q\n", key, value)
	}
	return b.String()
}

// resourceField is a request or limit in units of the divisor, rounded up.
func resourceField(c *corev1.Container, ref *corev1.ResourceFieldSelector) (string, error) {
	kind, name, _ := strings.Cut(ref.Resource, ".")
	list := map[string]corev1.ResourceList{"limits": c.Resources.Limits, "requests": c.Resources.Requests}[kind]
	if list == nil && kind != "limits" && kind != "requests" {
		return "", fmt.Errorf("resource %q: limits.NAME or requests.NAME is allowed", ref.Resource)
	}
	q, divisor := list[corev1.ResourceName(name)], ref.Divisor
	if divisor.IsZero() {
		divisor = resource.MustParse("1")
	}
	// Thousandths are exact for processors, and enough for bytes.
	each := divisor.MilliValue()
	return strconv.FormatInt((q.MilliValue()+each-1)/each, 10), nil
}
