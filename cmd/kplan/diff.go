package main

import (
	"errors"
	"io"

	"github.com/spf13/cobra"

	"kplan/executor/state"
	"kplan/internal/report"
)

func newDiff(a *app) *cobra.Command {
	var full, detailed bool
	cmd := &cobra.Command{
		Use:   "diff",
		Short: "Show what apply would change and run; reads both clusters and writes to neither",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			p, _, sources, err := a.load(cmd)
			if err != nil {
				return err
			}
			c, err := a.open(cmd.Context(), p)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, c.close()) }()
			dir := a.stateDir(p)
			st, err := state.Read(dir)
			if err != nil {
				return err
			}
			if err := belongs(st, p, c, dir); err != nil {
				return err
			}
			r, err := look(cmd.Context(), p, c, st)
			if err != nil {
				return err
			}
			if err := a.say(cmd.ErrOrStderr(), sources, r.diags); err != nil {
				return err
			}
			if err := a.writeDiff(cmd.OutOrStdout(), r, full); err != nil {
				return err
			}
			if err := continues(st, p, r.graph); err != nil {
				return err
			}
			switch {
			case r.diags.HasErrors():
				return &codedError{code: exitError}
			case detailed && (!r.doc.Empty() || r.doc.Drift()):
				return &codedError{code: exitDifferences}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&full, "full", false, "list every object instead of counting equal ones")
	cmd.Flags().BoolVar(&detailed, "detailed-exitcode", false, "exit with 2 when there is anything to change, any drift or any pending step")
	return cmd
}

func (a *app) writeDiff(w io.Writer, r *review, full bool) error {
	if a.json {
		return report.DiffJSON(w, r.doc)
	}
	return report.DiffText(w, r.doc, report.Options{Full: full, Color: a.colored(w)})
}
