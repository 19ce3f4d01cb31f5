package node

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func (p *pod) volumeDir() string { return filepath.Join(p.dir, "volumes") }

// prepareVolumes fills the pod's volumes, waiting for what they need. It is not
// ok if the pod is stopped before.
func (p *pod) prepareVolumes() bool {
	p.sources = map[string]string{}
	if err := os.MkdirAll(p.volumeDir(), 0o755); err != nil {
		p.node.log.Error("volumes", "pod", p.object.Name, "error", err)
	}
	for _, v := range p.object.Spec.Volumes {
		for {
			source, err := p.fill(&v)
			if err == nil {
				p.sources[v.Name] = source
				break
			}
			p.node.log.Warn("volume", "pod", p.object.Name, "volume", v.Name, "error", err)
			select {
			case <-time.After(time.Second):
			case <-p.stopping:
				return false
			}
		}
	}
	return true
}

// fill makes a volume and returns where it is on this machine.
func (p *pod) fill(v *corev1.Volume) (string, error) {
	dir := filepath.Join(p.volumeDir(), v.Name)
	write := func(files map[string]string, mode *int32, err error) error {
		if err != nil {
			return err
		}
		return writeFiles(dir, files, mode)
	}
	switch s := &v.VolumeSource; {
	case s.HostPath != nil:
		return s.HostPath.Path, hostPath(s.HostPath)
	case s.PersistentVolumeClaim != nil:
		return p.claim(s.PersistentVolumeClaim.ClaimName)
	case s.EmptyDir != nil:
		if err := os.MkdirAll(dir, 0o777); err != nil {
			return "", err
		}
		return dir, os.Chmod(dir, 0o777)
	case s.ConfigMap != nil:
		values, err := p.configMap(s.ConfigMap.Name, s.ConfigMap.Optional)
		return dir, write(pick(values, s.ConfigMap.Items), s.ConfigMap.DefaultMode, err)
	case s.Secret != nil:
		values, err := p.secret(s.Secret.SecretName, s.Secret.Optional)
		return dir, write(pick(values, s.Secret.Items), s.Secret.DefaultMode, err)
	case s.DownwardAPI != nil:
		values, err := p.downward(s.DownwardAPI.Items)
		return dir, write(values, s.DownwardAPI.DefaultMode, err)
	case s.Projected != nil:
		for i := range s.Projected.Sources {
			values, err := p.projection(&s.Projected.Sources[i])
			if err := write(values, s.Projected.DefaultMode, err); err != nil {
				return "", err
			}
		}
		return dir, nil
	}
	return "", fmt.Errorf("a volume of this kind is not known here")
}

func (p *pod) projection(s *corev1.VolumeProjection) (map[string]string, error) {
	switch {
	case s.ServiceAccountToken != nil:
		token, err := p.token(s.ServiceAccountToken)
		return map[string]string{s.ServiceAccountToken.Path: token}, err
	case s.ConfigMap != nil:
		values, err := p.configMap(s.ConfigMap.Name, s.ConfigMap.Optional)
		return pick(values, s.ConfigMap.Items), err
	case s.Secret != nil:
		values, err := p.secret(s.Secret.Name, s.Secret.Optional)
		return pick(values, s.Secret.Items), err
	case s.DownwardAPI != nil:
		return p.downward(s.DownwardAPI.Items)
	}
	return nil, fmt.Errorf("a projection of this kind is not known here")
}

// token is one of the pod's service account, bound to the pod. It is not
// renewed: no test lasts for the hour that it is valid.
func (p *pod) token(s *corev1.ServiceAccountTokenProjection) (token string, err error) {
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		ExpirationSeconds: s.ExpirationSeconds,
		BoundObjectRef:    &authenticationv1.BoundObjectReference{APIVersion: "v1", Kind: "Pod", Name: p.object.Name, UID: p.object.UID},
	}}
	if s.Audience != "" {
		request.Spec.Audiences = []string{s.Audience}
	}
	err = p.again(func() error {
		got, err := p.node.client.CoreV1().ServiceAccounts(p.object.Namespace).
			CreateToken(p.node.ctx, p.object.Spec.ServiceAccountName, request, metav1.CreateOptions{})
		if err == nil {
			token = got.Status.Token
		}
		return err
	})
	return token, err
}

func (p *pod) downward(items []corev1.DownwardAPIVolumeFile) (map[string]string, error) {
	values := map[string]string{}
	for _, item := range items {
		if item.FieldRef == nil {
			return nil, fmt.Errorf("%s: only a fieldRef is known here", item.Path)
		}
		value, err := p.field(item.FieldRef.FieldPath)
		if err != nil {
			return nil, err
		}
		values[item.Path] = value
	}
	return values, nil
}

// claim is the folder behind a claim that is bound to a volume of this machine.
func (p *pod) claim(name string) (path string, err error) {
	var (
		claim  *corev1.PersistentVolumeClaim
		volume *corev1.PersistentVolume
		client = p.node.client.CoreV1()
	)
	err = p.again(func() (err error) {
		if claim, err = client.PersistentVolumeClaims(p.object.Namespace).Get(p.node.ctx, name, metav1.GetOptions{}); err != nil {
			return err
		}
		volume, err = client.PersistentVolumes().Get(p.node.ctx, claim.Spec.VolumeName, metav1.GetOptions{})
		return err
	})
	if err != nil {
		return "", err
	}
	if volume.Spec.HostPath == nil {
		return "", fmt.Errorf("persistent volume %s: only a hostPath is known here", volume.Name)
	}
	return volume.Spec.HostPath.Path, hostPath(volume.Spec.HostPath)
}

func hostPath(s *corev1.HostPathVolumeSource) error {
	if s.Type != nil && *s.Type == corev1.HostPathDirectoryOrCreate {
		return os.MkdirAll(s.Path, 0o755)
	}
	_, err := os.Stat(s.Path)
	return err
}

// pick gives values the paths that items say; without items, their keys.
func pick(values map[string]string, items []corev1.KeyToPath) map[string]string {
	if len(items) == 0 {
		return values
	}
	picked := map[string]string{}
	for _, item := range items {
		if value, ok := values[item.Key]; ok {
			picked[item.Path] = value
		}
	}
	return picked
}

func writeFiles(dir string, files map[string]string, mode *int32) error {
	perm := os.FileMode(0o644)
	if mode != nil {
		perm = os.FileMode(*mode)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(content), perm); err != nil {
			return err
		}
	}
	return nil
}
