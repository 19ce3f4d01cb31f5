package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"sluice.dev/internal/redistest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"sluice": main})
}

// TestScripts runs the program as a person would: each file of testdata is a
// session in a folder of its own, and SLUICE_STORE a database of its own.
func TestScripts(t *testing.T) {
	const databases = 64
	server := redistest.Start(t, "--databases", fmt.Sprint(databases))
	var taken atomic.Int64
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			n := taken.Add(1) - 1
			if n == databases {
				return fmt.Errorf("more than %d scripts: give the server more databases", databases)
			}
			env.Setenv("GORACE", "atexit_sleep_ms=0") // a second at each exit of a race-built program
			env.Setenv("SLUICE_WORKER", "")           // a run may be another run's item
			env.Setenv("SLUICE_STORE", fmt.Sprintf("%s/%d", server.URL(), n))
			env.Setenv("SLUICE_CONFIG", filepath.Join(env.WorkDir, "config", "contexts.json"))
			env.Setenv("ADDRESS", server.Addr)
			return nil
		},
		Cmds:                map[string]func(*testscript.TestScript, bool, []string){"code": code},
		RequireExplicitExec: true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
	})
}

// code runs a program, as in "code 2 sluice get", which must end with that exit
// code.
func code(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code NUMBER program [args...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		got = e.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}
