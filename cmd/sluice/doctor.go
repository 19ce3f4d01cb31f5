package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sluice.dev/internal/printer"
	"sluice.dev/queue"
	"sluice.dev/queue/natsqueue"
)

// doctorLimit is patience with a store that is looked at: a second of it is
// spent on its clock.
const doctorLimit = 30 * time.Second

func doctorCommand() *cobra.Command {
	var f storeFlags
	var o outputFlag
	var monitors []string
	cmd := &cobra.Command{
		Use: "doctor", Short: "Check a store before trusting it: what it would lose, and when", Args: words(),
		Long: `Check a store before trusting it: what it would lose, and when.

Looks at the settings and the state of a store and changes nothing. A line for
each check has a verdict:

  ok        nothing to do
  unknown   nobody who could be asked knows: no reason for trust
  warn      in a case that does happen something is lost, or stands still
  fault     not fit to keep a queue

A nats-server tells some of its settings, sync_interval among them, only at its
monitoring port: --monitor http://HOST:8222 says where that is.

Exit code 0, or 1 with a fault, 2 with bad usage, 3 when the store cannot be
reached.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := f.find()
			if err != nil {
				return err
			}
			diagnose, err := monitored(p, monitors)
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), doctorLimit)
			defer cancel()
			findings, err := diagnose(ctx, p.url)
			if err != nil {
				return &exitError{exitStore, err}
			}
			rows, worst := make([]printer.Row, len(findings)), queue.VerdictOK
			for i, f := range findings {
				rows[i] = printer.Row{Name: "check/" + f.Check, Cells: []string{f.Check, string(f.Verdict), f.Detail}, Value: f}
				if f.Verdict.Compare(worst) > 0 {
					worst = f.Verdict
				}
			}
			if err := o.printer(cmd, "CHECK", "VERDICT", "DETAIL").Print(rows); err != nil {
				return err
			}
			if worst == queue.VerdictFault {
				return &exitError{code: exitRefused}
			}
			return nil
		},
	}
	f.register(cmd.Flags())
	cmd.Flags().StringArrayVar(&monitors, "monitor", nil, "`URL` of a nats-server's monitoring port: http://HOST:8222; once for each server")
	o.register(cmd)
	return cmd
}

// monitored is what diagnoses a store, with what is told at monitoring ports.
func monitored(p place, monitors []string) (func(context.Context, string) ([]queue.Finding, error), error) {
	if len(monitors) == 0 {
		return p.driver.diagnose, nil
	}
	if scheme, _, _ := strings.Cut(p.url, "://"); scheme != "nats" && scheme != "tls" {
		return nil, usagef("--monitor %q: only the stores nats and tls have monitoring ports", monitors[0])
	}
	for _, m := range monitors {
		if err := natsqueue.CheckMonitor(m); err != nil {
			return nil, usagef("--%w", err)
		}
	}
	return func(ctx context.Context, url string) ([]queue.Finding, error) {
		return natsqueue.DiagnoseMonitored(ctx, url, monitors)
	}, nil
}
