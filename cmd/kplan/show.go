package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"kplan/internal/migration"
	"kplan/internal/report"
)

func newShow(a *app) *cobra.Command {
	var full bool
	cmd := &cobra.Command{
		Use:   "show FILE",
		Short: "Show a plan that diff --out has saved; asks no cluster",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			saved, err := migration.ReadSaved(args[0])
			if err != nil {
				return err
			}
			if a.json {
				return printJSON(cmd.OutOrStdout(), saved)
			}
			if _, err := fmt.Fprintf(cmd.OutOrStdout(), "Saved by %s on %s at %s, plan %.12s, state serial %d.\n\n",
				saved.Who, saved.Host, saved.MadeAt.Format(time.RFC3339), saved.PlanHash, saved.Serial); err != nil {
				return err
			}
			return report.DiffText(cmd.OutOrStdout(), saved.Diff, report.Options{Full: full, Color: a.colored(cmd.OutOrStdout())})
		},
	}
	cmd.Flags().BoolVar(&full, "full", false, "list every object instead of counting equal ones")
	return cmd
}
