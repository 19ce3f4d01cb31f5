package proc

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// status is what /proc/PID/stat tells of a process.
type status struct {
	state  byte
	parent int
	group  int
	memory bool // it has an address space: no kernel thread, and not dead
	env    bool // its environment is in place: the last step of exec
}

// ended tells whether nothing of the process runs any more.
func (s status) ended() bool { return s.state == 'Z' || s.state == 'X' }

// pids lists the processes that exist. One that starts or ends meanwhile may
// or may not be among them.
func pids() ([]int, error) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	list := make([]int, 0, len(names))
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			list = append(list, pid)
		}
	}
	return list, nil
}

// readStatus fails for a process that is gone.
func readStatus(pid int) (status, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return status{}, err
	}
	return parseStatus(b)
}

// The fields that follow the command's name in /proc/PID/stat, counted from 0.
const (
	statState  = 0
	statParent = 1
	statGroup  = 2
	statVSize  = 20
	statEnvEnd = 48
)

func parseStatus(b []byte) (status, error) {
	// The name stands in parentheses and may itself hold any byte.
	var fields []string
	if i := bytes.LastIndexByte(b, ')'); i >= 0 {
		fields = strings.Fields(string(b[i+1:]))
	}
	if len(fields) <= statEnvEnd {
		return status{}, fmt.Errorf("proc: stat %.80q is not of the known form", b)
	}
	parent, err := strconv.Atoi(fields[statParent])
	if err != nil {
		return status{}, fmt.Errorf("proc: stat: parent: %w", err)
	}
	group, err := strconv.Atoi(fields[statGroup])
	if err != nil {
		return status{}, fmt.Errorf("proc: stat: group: %w", err)
	}
	return status{
		state:  fields[statState][0],
		parent: parent,
		group:  group,
		memory: fields[statVSize] != "0",
		env:    fields[statEnvEnd] != "0",
	}, nil
}

// environ is the environment that a process was started with. It is empty for
// one that has none, that is ending, or that is in the midst of exec. It fails
// for one that is gone or that is not ours to look at.
func environ(pid int) ([]byte, error) {
	return os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
}
