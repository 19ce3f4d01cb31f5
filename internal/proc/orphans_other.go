//go:build !linux

package proc

import "context"

// Orphans would be the descendants of this process whose parents have died. On
// this system they go to process 1, which reaps them.
type Orphans struct{}

// Adopt does nothing on this system.
func Adopt() (*Orphans, error) { return &Orphans{}, nil }

// Close does nothing on this system.
func (o *Orphans) Close() {}

// Kill kills nothing on this system.
func (o *Orphans) Kill(context.Context) (killed int, err error) { return 0, nil }
