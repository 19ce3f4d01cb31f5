// Package proctest watches processes from outside, for tests of what is left
// behind. It works on Linux alone and shares no code with what it tests.
package proctest
