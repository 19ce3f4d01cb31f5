// Package proc sees to it that no process is left behind.
//
// A run is a tree: a launcher starts workers, workers start the processes of
// items. Any of them may be killed at any moment, by a person, by the kernel
// short of memory or by a node that goes down, and then nothing else of it may
// go on. Four things together hold that:
//
//   - a Lifeline, whose end tells every worker that the launcher is gone;
//   - marks in the environment (MarkVar, ProcessVar), which every process of
//     an item inherits, into new sessions and after its parents have died, and
//     by which Sweep finds and kills it;
//   - Orphans, by which the launcher becomes the parent of what a dead worker
//     leaves, reaps it, and in the end kills also what shed its mark;
//   - a guard, a small process that outlives the launcher to sweep after it
//     (package local has its main function).
//
// What escapes: a process that gave up its mark (env -i), its process group
// and every living marked ancestor, when the launcher is killed; and one whose
// environment the kernel does not show to us, such as a set-user-ID program
// outside its item's group.
//
// Sweep, Workers and Orphans are Linux's. Elsewhere a worker that is killed
// leaves its items' process groups behind; one that can still act on its
// lifeline does not.
package proc
