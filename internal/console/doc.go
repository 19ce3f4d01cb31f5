// Package console is what a person sees while a run goes on.
//
// Worker processes send the output of their items and a few events to the
// launcher over a pipe each, in frames: a FrameWriter in the worker, one
// ReadFrames for every worker in the launcher. The launcher's Console owns
// the terminal. It writes the output of one item at a time, keeps a progress
// line below it, and ends with a Summary.
package console
