//go:build kubelet

package kubelet_test

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// restricted has what the restricted Pod Security Standard asks of a pod.
const restricted = `{securityContext: {runAsNonRoot: true, runAsUser: 1000, seccompProfile: {type: RuntimeDefault}},
  containers: [{name: work, image: foreign:1, command: [/foreign, frame, "{}", "{out}"],
    securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}},
    volumeMounts: [{name: out, mountPath: /out}]}], volumes: [{name: out, emptyDir: {}}]}`

func TestWorkersOfARestrictedNamespace(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	label := `{"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}`
	if _, err := kube.Client().CoreV1().Namespaces().Patch(t.Context(), p.namespace, types.MergePatchType, []byte(label), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	p.queue("careless", "  source: {list: [a]}\n", bounded)
	p.queue("film", "  source: {list: [a, b]}\n  itemPolicy: {output: '/out/{}'}\n", restricted)
	p.condition("film", "Complete", "True", "Complete", "")
	pod := p.pods("film")[0]
	p.said(pod.Name, "frame a /out/.sluice-")
	p.said(pod.Name, "as user 1000")
	p.condition("careless", "Scaling", "False", "NoPods", `violates PodSecurity "restricted:latest": allowPrivilegeEscalation`)
}

func TestAnImageThatIsNeverPulled(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.queue("film", "  source: {list: [a, b, c]}\n  scaling: {maxParallelism: 3}\n", strings.Replace(bounded, "foreign:1", "nowhere:1, imagePullPolicy: Never", 1))
	p.condition("film", "Scaling", "False", "ImageError", "image nowhere:1: ErrImageNeverPull")
	if n := len(p.pods("film")); n != 3 {
		t.Logf("%d pods", n)
	}
}
