// Package workload reads the files in which a person writes down work: sluice's
// own WorkQueue beside the Kubernetes objects that go with it.
//
//	file, errs := workload.Load(os.Stdin, "render.yaml")
//	for _, e := range errs {
//		fmt.Fprintln(os.Stderr, e) // render.yaml:9:7: spec.scaling.maxParalellism: unknown field: did you mean "maxParallelism"?
//	}
//
// Files are read strictly, and every fault of a file is told at once: what
// Kubernetes would drop, guess or refuse only later is an error with its place
// here. Nothing is filled in; Defaults does that on request.
//
// +groupName=sluice.dev
// +versionName=v1alpha1
package workload
