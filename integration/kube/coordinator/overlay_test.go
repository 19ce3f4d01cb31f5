package coordinator_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
)

const (
	natsImage = "nats:2.15" // of the overlay
	password  = "s3cret"    // of its servers
)

// The servers of overlays/nats run as they are written there, but for what nodes
// without a network of pods lack: each has an address of loopback. One of them is
// killed under a burst.
func TestABurstOnTheNATSOverlay(t *testing.T) {
	t.Parallel()
	natsProgram(t)
	p := newPlace(t)
	net := fmt.Sprintf("127.%d.%d.", 128+rand.N(127), rand.N(256))
	p.overlay("nats", net)
	p.store("nats://" + password + "@" + net + "0:4222," + net + "1:4222," + net + "2:4222")
	until(t, soon, func(ctx context.Context) error {
		cmd := exec.CommandContext(ctx, program, "get", "queues")
		cmd.Env = append(os.Environ(), "SLUICE_STORE="+p.url)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("get queues: %w: %s", err, out)
		}
		return nil
	})
	p.coordinate()
	p.queue("film", "  scaling: {maxParallelism: 6}", "sleep 0.2")
	p.enqueue("film", "a", 100)
	p.begun(20)
	pods := kube.Client().CoreV1().Pods(p.namespace)
	if err := pods.Delete(t.Context(), "nats-0", metav1.DeleteOptions{GracePeriodSeconds: new(int64)}); err != nil {
		t.Fatal(err)
	}
	p.ended(100, soon)
	p.workers(0, soon)
	p.once(100)
	p.atMost(6)
	p.undisturbed()
}

// store has the place use another store.
func (p *place) store(url string) {
	p.Helper()
	p.url = url
	_, err := kube.Client().CoreV1().Secrets(p.namespace).Update(p.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "sluice-store"},
		StringData: map[string]string{"url": url, "password": password}}, metav1.UpdateOptions{})
	if err != nil {
		p.Fatal(err)
	}
}

// overlay makes the servers of an overlay, whose addresses begin with net.
func (p *place) overlay(name, net string) {
	p.Helper()
	text, err := os.ReadFile(filepath.Join(manifests, "overlays", name, name+".yaml"))
	if err != nil {
		p.Fatal(err)
	}
	for d := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text))); ; {
		doc, err := d.Read()
		if errors.Is(err, io.EOF) {
			return
		}
		var kind metav1.PartialObjectMetadata
		if err := errors.Join(err, yaml.Unmarshal(doc, &kind)); err != nil {
			p.Fatal(err)
		}
		switch kind.Kind {
		case "ConfigMap":
			var c corev1.ConfigMap
			if err = yaml.UnmarshalStrict(doc, &c); err == nil {
				for file, conf := range c.Data {
					c.Data[file] = onLoopback(conf, net)
				}
				c.Namespace = p.namespace
				_, err = kube.Client().CoreV1().ConfigMaps(p.namespace).Create(p.Context(), &c, metav1.CreateOptions{})
			}
		case "StatefulSet":
			var s appsv1.StatefulSet
			if err = yaml.UnmarshalStrict(doc, &s); err == nil {
				s.Namespace = p.namespace
				serveOnLoopback(&s, net)
				p.disks(&s)
				_, err = kube.Client().AppsV1().StatefulSets(p.namespace).Create(p.Context(), &s, metav1.CreateOptions{})
			}
		}
		if err != nil {
			p.Fatal(err)
		}
	}
}

// onLoopback has a server listen at its own address, and know those of the others.
func onLoopback(conf, net string) string {
	for i := range 3 {
		conf = strings.ReplaceAll(conf, fmt.Sprintf("nats-%d.nats.renders.svc", i), fmt.Sprint(net, i))
	}
	return strings.NewReplacer("port: 4222", "listen: $CLIENTS", "port: 6222", "listen: $ROUTES", "http: 8222", "http: $MONITOR").Replace(conf)
}

func serveOnLoopback(s *appsv1.StatefulSet, net string) {
	env := []corev1.EnvVar{{Name: "INDEX", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.labels['" + appsv1.PodIndexLabel + "']"}}}}
	for name, port := range map[string]string{"CLIENTS": "4222", "ROUTES": "6222", "MONITOR": "8222"} {
		env = append(env, corev1.EnvVar{Name: name, Value: net + "$(INDEX):" + port})
	}
	c := &s.Spec.Template.Spec.Containers[0]
	c.Env = append(env, c.Env...)
}

// disks has a folder of this machine for each claim of a StatefulSet.
func (p *place) disks(s *appsv1.StatefulSet) {
	p.Helper()
	volumes := kube.Client().CoreV1().PersistentVolumes()
	claim := &s.Spec.VolumeClaimTemplates[0]
	for i := range int(*s.Spec.Replicas) {
		v := &corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("%s-%d", p.namespace, i)}, Spec: corev1.PersistentVolumeSpec{
			Capacity: corev1.ResourceList{corev1.ResourceStorage: claim.Spec.Resources.Requests[corev1.ResourceStorage]}, AccessModes: claim.Spec.AccessModes,
			ClaimRef:               &corev1.ObjectReference{Namespace: p.namespace, Name: fmt.Sprintf("%s-%s-%d", claim.Name, s.Name, i)},
			PersistentVolumeSource: corev1.PersistentVolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: p.TempDir()}},
		}}
		if _, err := volumes.Create(p.Context(), v, metav1.CreateOptions{}); err != nil {
			p.Fatal(err)
		}
		p.Cleanup(func() { _ = volumes.Delete(context.Background(), v.Name, metav1.DeleteOptions{}) })
	}
}
