package publish

import "fmt"

// BadOutput is an output that is not what was asked for. Running the item
// again may mend it.
type BadOutput struct {
	Path   string // in the staging folder
	Reason string // what follows the path in the message
}

func (e *BadOutput) Error() string { return fmt.Sprintf("output %q %s", e.Path, e.Reason) }

// Exists is a final path that holds something else than this item's output.
// Nothing was published over it.
type Exists struct{ Path string }

func (e *Exists) Error() string {
	return fmt.Sprintf("output %q exists and is not this item's: move it away, or use --existing skip or --existing replace", e.Path)
}

// Gone is a committed file that is neither in the staging folder nor in its
// place: the item has to run again.
type Gone struct{ Path string } // the final path

func (e *Gone) Error() string {
	return fmt.Sprintf("output %q was committed, but it is neither there nor in its staging folder", e.Path)
}
