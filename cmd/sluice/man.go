package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

func manCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "man DIR",
		Short: "Write the manual pages, one a verb, into a folder",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			info, err := os.Stat(args[0])
			if err != nil || !info.IsDir() {
				return usagef("man %q: an existing folder is allowed", args[0])
			}
			root := cmd.Root()
			root.DisableAutoGenTag = true // the same pages every time
			if err := doc.GenManTree(root, &doc.GenManHeader{Title: "SLUICE", Section: "1", Source: "sluice " + buildVersion()}, args[0]); err != nil {
				return fmt.Errorf("man: %w", err)
			}
			return nil
		},
	}
}
