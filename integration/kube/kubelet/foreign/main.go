// foreign is the one file of an image that knows nothing of sluice and has no
// shell. What it does is said by its first argument, up to a dash:
//
//	frame N OUT        write the frame N
//	join FRAMES OUT    put the frames of a folder together
//	fine               nothing
//	hog                take memory until that kills somebody
//	hog-first          the same, having offered process 1
//	gate DIR ITEM      say in DIR that the item has begun, and end it when DIR has a file "open"
//	orphans            leave behind processes that end after it
//	dead               count the processes that have ended and were not waited for
package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "foreign:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("what to do is missing")
	}
	verb, rest := args[0], append(args[1:], "", "")
	fmt.Println(strings.Join(args, " "), "as user", os.Getuid())
	switch {
	case verb == "frame":
		return os.WriteFile(rest[1], []byte("frame "+rest[0]+"\n"), 0o644)
	case verb == "join":
		return join(rest[0], rest[1])
	case verb == "gate":
		return gate(rest[0], rest[1])
	case verb == "hog-first":
		if err := os.WriteFile("/proc/1/oom_score_adj", []byte("1000"), 0); err != nil {
			return err
		}
		return hog()
	case verb == "hog":
		return hog()
	case verb == "orphans":
		return orphans(3)
	case verb == "orphan":
		_, err := io.Copy(io.Discard, os.Stdin)
		return err
	case verb == "dead":
		return dead()
	case strings.HasPrefix(verb, "fine"):
		return nil
	}
	return fmt.Errorf("%q: no such thing to do", verb)
}

func join(dir, out string) error {
	frames, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		return err
	}
	var film bytes.Buffer
	for _, name := range frames {
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		film.Write(b)
	}
	return os.WriteFile(out, film.Bytes(), 0o644)
}

// hog touches memory for as long as it lives.
func hog() error {
	var all [][]byte
	for range 4096 {
		b := make([]byte, 1<<20)
		for i := range len(b) / 4096 {
			b[i*4096] = 1
		}
		all = append(all, b)
	}
	return fmt.Errorf("there were %d MiB for it", len(all))
}

func gate(dir, item string) error {
	pod, err := os.Hostname()
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "begin "+item+" "+pod), nil, 0o644); err != nil {
		return err
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		if _, err := os.Stat(filepath.Join(dir, "open")); err == nil {
			break
		}
	}
	return os.WriteFile(filepath.Join(dir, "end "+item+" "+pod), nil, 0o644)
}

// orphans starts processes, in groups of their own, that end when this one has.
func orphans(n int) error {
	for range n {
		cmd := exec.Command("/proc/self/exe", "orphan")
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if _, err := cmd.StdinPipe(); err != nil {
			return err
		}
		if err := cmd.Start(); err != nil {
			return err
		}
	}
	return nil
}

// dead prints a line for each process, and how many of them are dead.
func dead() error {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return err
	}
	n := 0
	for _, name := range stats {
		b, err := os.ReadFile(name)
		if err != nil {
			continue // it has gone meanwhile
		}
		_, after, _ := strings.Cut(string(b), ") ")
		if strings.HasPrefix(after, "Z") {
			n++
		}
		fmt.Print(string(b))
	}
	fmt.Println("dead:", n)
	return nil
}
