package coordinator_test

import (
	"context"
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// uses are situations in which a coordinator uses each of its rights. Each may
// wait only for what happens without that right.
var uses = map[string]func(p *place, kubeconfig string){
	"list workqueues.sluice.dev": atWork, "watch workqueues.sluice.dev": atWork, "update workqueues/status.sluice.dev": atWork,
	"list jobs.batch": atWork, "watch jobs.batch": atWork, "create jobs.batch": atWork, "delete jobs.batch": withdrawing,
	"list pods": atWork, "watch pods": atWork, "get pods": inAPod, "get secrets": atWork, "list events": withoutPods,
	"create events.events.k8s.io": atWork, "patch events.events.k8s.io": withdrawing,
	"list cronjobs.batch": onSchedule, "watch cronjobs.batch": onSchedule, "create cronjobs.batch": onSchedule,
	"update cronjobs.batch": rescheduled, "delete cronjobs.batch": unscheduled,
	"list daemonsets.apps": onNodes, "watch daemonsets.apps": onNodes, "create daemonsets.apps": onNodes,
	"get daemonsets.apps": besideAStranger, "update daemonsets.apps": onNodesAnew,
	"list nodes": onNodes, "watch nodes": onNodes, "get nodes": afterANode,
	"create leases.coordination.k8s.io": leading, "get leases.coordination.k8s.io": leading, "update leases.coordination.k8s.io": leading,
	"create events": leading,
}

func atWork(p *place, kubeconfig string) {
	p.replica(kubeconfig)
	p.queue("film", "  scaling: {maxParallelism: 2}", "sleep 2")
	p.enqueue("film", "a", 1)
}

// Two Jobs are withdrawn in one look, so that the second event is a patch of the
// first.
func withdrawing(p *place, kubeconfig string) {
	p.queue("film", "  scaling: {maxParallelism: 2}", "true")
	p.replica(kubeconfig)
	selector := func(value string) {
		p.patch("film", `{"spec":{"jobTemplate":{"spec":{"template":{"spec":{"nodeSelector":{"nobody":"`+value+`"}}}}}}}`)
	}
	selector("has")
	for i := range 2 {
		p.enqueue("film", fmt.Sprint(i), 1)
		until(p.T, soon, func(ctx context.Context) error {
			jobs, err := kube.Client().BatchV1().Jobs(p.namespace).List(ctx, metav1.ListOptions{})
			if err == nil && len(jobs.Items) != i+1 {
				err = fmt.Errorf("%d Jobs were made, want %d", len(jobs.Items), i+1)
			}
			return err
		})
	}
	selector("wants")
}

func withoutPods(p *place, kubeconfig string) {
	p.quota("0")
	atWork(p, kubeconfig)
}

// In a pod it finds its own image.
func inAPod(p *place, kubeconfig string) {
	p.env = append(p.env, "SLUICE_POD_NAME=coordinator")
	p.replica(kubeconfig, "--image=")
}

func onSchedule(p *place, kubeconfig string) {
	p.replica(kubeconfig)
	p.queue("film", "  source: {list: [a]}\n  schedule: {schedule: "+never+"}", "true")
}

func rescheduled(p *place, kubeconfig string) {
	onSchedule(p, kubeconfig)
	p.condition("film", "Scheduled", "True", "Scheduled", soon)
	p.patch("film", `{"spec":{"schedule":{"schedule":"1 1 29 2 *"}}}`)
}

func unscheduled(p *place, kubeconfig string) {
	onSchedule(p, kubeconfig)
	p.condition("film", "Scheduled", "True", "Scheduled", soon)
	p.patch("film", `{"spec":{"schedule":null,"source":null}}`)
}

func onNodes(p *place, kubeconfig string) {
	p.replica(kubeconfig)
	p.make(strings.Replace(caches, "pool: residents", "nobody: has", 1))
}

func onNodesAnew(p *place, kubeconfig string) {
	onNodes(p, kubeconfig)
	p.condition("caches", "Scaling", "True", "PerNode", soon)
	p.patch("caches", `{"spec":{"jobTemplate":{"spec":{"template":{"spec":{"nodeSelector":{"nobody":"wants"}}}}}}}`)
}

// A DaemonSet that is not watched, since it has no WorkQueue, has the name.
func besideAStranger(p *place, kubeconfig string) {
	mark := map[string]string{"a": "stranger"}
	d := &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Name: "caches"}, Spec: appsv1.DaemonSetSpec{
		Selector: &metav1.LabelSelector{MatchLabels: mark},
		Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: mark}, Spec: corev1.PodSpec{
			NodeSelector: map[string]string{"nobody": "has"}, Containers: []corev1.Container{{Name: "main", Image: "any"}}}},
	}}
	if _, err := kube.Client().AppsV1().DaemonSets(p.namespace).Create(p.Context(), d, metav1.CreateOptions{}); err != nil {
		p.Fatal(err)
	}
	onNodes(p, kubeconfig)
}

// The queue of a node is there, and the node is not.
func afterANode(p *place, kubeconfig string) {
	p.enqueue("caches.node.ghost", "a", 1)
	onNodes(p, kubeconfig)
}

func leading(p *place, kubeconfig string) { p.replica(kubeconfig, "--leader-elect") }
