package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"sluice.dev/manifests/workload"
)

func validateCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "validate FILE...",
		Short: "Check files of WorkQueues and Kubernetes objects",
		Long: `Check files of WorkQueues and Kubernetes objects, strictly, without a cluster.

A file has YAML or JSON documents: WorkQueue (sluice.dev/v1alpha1), Job and
CronJob (batch/v1), DaemonSet and Deployment (apps/v1), ConfigMap (v1). Every
fault is told, a line each, as FILE:LINE:COLUMN: FIELD: what is wrong and what
is allowed. The files are one set: a WorkQueue may follow one of another file.
- is standard input.

Exit code: 0 all is well, 2 something is wrong.`,
		Example: `  sluice validate render.yaml
  kubectl get cronjob nightly -o yaml | sluice validate -`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("no file: name one or more; - is standard input")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			file, errs := workload.Load(cmd.InOrStdin(), args...)
			for _, e := range errs {
				fmt.Fprintln(cmd.ErrOrStderr(), e)
			}
			if len(errs) > 0 {
				return &exitError{code: exitUsage}
			}
			for _, d := range file.Documents {
				fmt.Fprintf(cmd.OutOrStdout(), "%s: %s/%s ok\n", d.File, d.Kind, d.Name)
			}
			return nil
		},
	}
}
