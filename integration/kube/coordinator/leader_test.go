package coordinator_test

import (
	"context"
	"fmt"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
)

const (
	// system is the namespace of manifests/base, where replicas have their Lease.
	system = "sluice-system"
	// leaseTime is that of the Lease, which is controller-runtime's own, with the
	// two seconds between two looks of who waits for it.
	leaseTime = 17 * time.Second
	// slack is what a machine with too much to do may add.
	slack = 20 * time.Second
)

// Of two replicas one acts. The leader is killed, the next one hangs, the one
// after that is told to stop: each time the other takes over, and no worker is
// launched twice.
func TestTheOtherReplicaTakesOver(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.queue("film", "  scaling: {maxParallelism: 4}", "sleep 0.5")
	kubeconfig := inNamespace(t, config, system)
	join := func() *replica { return p.replica(kubeconfig, "--leader-elect") }

	first := join()
	p.enqueue("film", "a", 8)
	p.ended(8, soon)
	leader := p.leader("")
	second := join()
	p.workers(0, soon)
	first.kill()
	killed := time.Now()
	p.enqueue("film", "b", 8) // nobody is there to do them
	p.begun(9)
	p.took("killed", killed, leaseTime+slack)
	leader = p.leader(leader)
	p.ended(16, soon)
	p.workers(0, soon)
	p.launched(8)

	third := join()
	p.enqueue("film", "c", 40)
	p.begun(17)
	second.signal(t, syscall.SIGSTOP)
	stopped := time.Now()
	leader = p.leader(leader)
	p.took("stopped", stopped, leaseTime+slack)
	p.ended(56, soon)
	p.workers(0, soon)
	p.enqueue("film", "d", 8)
	second.signal(t, syscall.SIGCONT) // it believes that it leads still
	if code := second.code(t); code != 3 {
		t.Errorf("who leads no longer ended with exit code %d, want 3", code)
	}
	p.ended(64, soon)
	p.workers(0, soon)
	p.launched(16)

	join()
	third.signal(t, syscall.SIGTERM)
	told := time.Now()
	p.leader(leader)
	p.took("told to stop", told, slack)
	if code := third.code(t); code != 0 {
		t.Errorf("who was told to stop ended with exit code %d, want 0", code)
	}
	p.enqueue("film", "e", 8)
	p.ended(72, soon)
	p.workers(0, soon)
	p.launched(20)
	p.once(72)
	p.atMost(4)
	p.undisturbed()
}

// inNamespace is a kubeconfig with a namespace that is meant where none is said.
func inNamespace(t *testing.T, kubeconfig, namespace string) (file string) {
	t.Helper()
	c, err := clientcmd.LoadFromFile(kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	c.Contexts[c.CurrentContext].Namespace = namespace
	file = filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*c, file); err != nil {
		t.Fatal(err)
	}
	return file
}

// leader waits until another than before holds the Lease.
func (p *place) leader(before string) (now string) {
	p.Helper()
	until(p.T, soon, func(ctx context.Context) error {
		l, err := kube.Client().CoordinationV1().Leases(system).Get(ctx, "sluice-coordinator", metav1.GetOptions{})
		if err != nil {
			return err
		}
		if holder := l.Spec.HolderIdentity; holder != nil {
			now = *holder
		}
		if now == "" || now == before {
			return fmt.Errorf("%q leads", now)
		}
		return nil
	})
	return now
}

// took tells how long it was until another acted.
func (p *place) took(what string, since time.Time, most time.Duration) {
	p.Helper()
	d := time.Since(since).Round(100 * time.Millisecond)
	p.Logf("a leader was %s: after %s another led", what, d)
	if d > most {
		p.Errorf("a leader was %s, and another led after %s, want %s at the most", what, d, most)
	}
}
