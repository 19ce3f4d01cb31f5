//go:build !linux

package publish

import (
	"errors"
	"os"
)

// system has neither rename: link and unlink, and renames one after the other,
// stand in for them.
var system = mover{
	noReplace: func(string, string) error { return errors.ErrUnsupported },
	link:      os.Link,
	exchange:  func(string, string) error { return errors.ErrUnsupported },
}
