// Package local launches workers as processes of this machine.
//
// A worker's process gets three descriptors: 3, the lifeline, whose end of
// file means that the launcher is gone; 4, from which it reads its
// configuration to the end; 5, into which it writes the frames of its items'
// output; and perhaps 6, Options.File. It runs in a process group of its own, so that a terminal's Ctrl-C
// reaches the launcher alone, which then decides.
//
// Nothing that a worker started outlives it: the launcher sweeps after each
// worker that ends, and a guard sweeps after the launcher. Package proc says
// how, and what that means on systems other than Linux.
package local
