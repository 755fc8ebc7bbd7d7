package main

import (
	"io"

	"github.com/spf13/cobra"

	"kplan/internal/report"
)

func newDiff(a *app) *cobra.Command {
	var full, detailed bool
	var out string
	cmd := &cobra.Command{
		Use:   "diff",
		Short: "Show what apply would change and run; reads both clusters and writes to neither",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.reported(cmd, func(cmd *cobra.Command, found *report.Findings) error {
				return a.onScene(cmd, func(s scene) error { return a.diff(cmd, s, found, full, detailed, out) })
			})
		},
	}
	cmd.Flags().BoolVar(&full, "full", false, "list every object instead of counting equal ones")
	cmd.Flags().BoolVar(&detailed, "detailed-exitcode", false, "exit with 2 when there is anything to change, any drift or any pending step")
	cmd.Flags().StringVar(&out, "out", "", "save what is shown, for apply FILE")
	return cmd
}

func (a *app) diff(cmd *cobra.Command, s scene, found *report.Findings, full, detailed bool, out string) error {
	r, err := look(cmd.Context(), s.plan, s.clusters, s.state)
	if err != nil {
		return err
	}
	foundDiff(found, r, s.sources, full)
	if err := a.say(cmd.ErrOrStderr(), s.sources, r.diags); err != nil {
		return err
	}
	if err := a.writeDiff(cmd.OutOrStdout(), r, full); err != nil {
		return err
	}
	if err := continues(s.state, s.plan, r.graph); err != nil {
		return err
	}
	if out != "" && !r.diags.HasErrors() {
		if err := r.save(out, s.plan, s.state); err != nil {
			return err
		}
	}
	switch {
	case r.diags.HasErrors(), len(lacking(r.doc.Checks)) > 0, r.doc.Summary.Rejected > 0:
		return &codedError{code: exitError}
	case detailed && (!r.doc.Empty() || r.doc.Drift()):
		return &codedError{code: exitDifferences}
	}
	return nil
}

func (a *app) writeDiff(w io.Writer, r *review, full bool) error {
	if a.json {
		return report.DiffJSON(w, r.doc)
	}
	return report.DiffText(w, r.doc, report.Options{Full: full, Color: a.colored(w)})
}
