package kubelet

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"
)

// plan is what the first process is told, as the first line of its standard
// input. Then come orders, each of which it answers by a line with what went
// wrong, or "".
type plan struct {
	Dir  string
	Logs string // folder
}

// order has a program started, or killed, that is known by a name from then on.
type order struct {
	Start []string // with its arguments; nil: kill
	Name  string
}

// lockFD is the file by which a node is the only one of the machine.
const lockFD = 3

// first runs containerd and does what it is told. When its standard input ends
// it ends all that is in its namespaces and removes what they leave behind.
func first() int {
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	var p plan
	err := in.Decode(&p)
	if err == nil {
		err = seclude(p.Dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	c := adopt(p.Logs)
	answer := func(err error) {
		text := ""
		if err != nil {
			text = err.Error()
		}
		_ = out.Encode(text) // whoever does not hear it is gone, and the input too
	}
	answer(p.containerd(c))
	for {
		var o order
		if err := in.Decode(&o); err != nil {
			break
		}
		if o.Start != nil {
			answer(c.start(o.Name, o.Start...))
		} else {
			answer(c.kill(o.Name))
		}
	}
	c.killAll()
	if err := sweep(p.Dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// containerd starts it, and waits until it takes orders.
func (p plan) containerd(c *children) error {
	if err := c.start("containerd", "containerd", "--config", filepath.Join(p.Dir, "containerd.toml")); err != nil {
		return err
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	late := time.After(time.Minute)
	for {
		conn, err := (&net.Dialer{}).DialContext(context.Background(), "unix", filepath.Join(p.Dir, "containerd.sock"))
		if err == nil {
			return conn.Close()
		}
		select {
		case <-tick.C:
		case <-late:
			return fmt.Errorf("containerd is not ready: %w", err)
		}
	}
}
