package main

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"kplan/internal/report"
)

type applyFlags struct {
	yes      bool
	sabotage string
}

func newApply(a *app) *cobra.Command {
	var f applyFlags
	cmd := &cobra.Command{
		Use:   "apply",
		Short: "Carry the plan out, or go on where the last apply ended",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.apply(cmd.Context(), cmd, f)
		},
	}
	cmd.Flags().BoolVar(&f.yes, "yes", false, "do not ask; needed where nobody can be asked")
	cmd.Flags().StringVar(&f.sabotage, "sabotage", "", "leave a safeguard out, to see what it is for: skip-placement, start-before-drain or no-quiet")
	cmd.Flags().Lookup("sabotage").Hidden = true
	return cmd
}

// apply takes the lock, shows the diff, asks, looks again, and runs.
func (a *app) apply(ctx context.Context, cmd *cobra.Command, f applyFlags) (err error) {
	if !f.yes && !a.interactive() {
		return errors.New("nobody can be asked here: give --yes, after a look at kplan diff")
	}
	p, _, sources, err := a.load(cmd)
	if err != nil {
		return err
	}
	c, err := a.open(ctx, p)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	s, err := a.begin(p, cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.end()) }()
	if err := belongs(s.state, p, c, s.dir); err != nil {
		return err
	}
	r, err := look(ctx, p, c, s.state)
	if err != nil {
		return err
	}
	if err := a.say(cmd.ErrOrStderr(), sources, r.diags); err != nil {
		return err
	}
	shown := cmd.OutOrStdout()
	if a.json {
		shown = cmd.ErrOrStderr() // the document comes at the end; a person sees first what they are asked about
	}
	if err := report.DiffText(shown, r.doc, report.Options{Color: a.colored(shown)}); err != nil {
		return err
	}
	if err := errors.Join(r.blocked(), continues(s.state, p, r.graph)); err != nil {
		if a.json {
			doc := errorDoc{FormatVersion: formatVersion, Errors: strings.Split(err.Error(), "\n"), Diagnostics: r.doc.Diagnostics, ExitCode: exitError}
			err = errors.Join(err, printJSON(cmd.OutOrStdout(), doc))
		}
		return err
	}
	if r.doc.Empty() {
		if err := s.close(); err != nil {
			return err
		}
		return a.finish(cmd, applyDoc{Migration: p.Migration.Name, Outcome: "nothing to do", Diff: r.doc}, nil)
	}
	if !f.yes {
		if err := confirm(ctx, cmd.InOrStdin(), cmd.ErrOrStderr()); err != nil {
			return err
		}
	}
	if r, err = lookAgain(ctx, p, c, s.state, r); err != nil {
		return err
	}
	return a.run(ctx, cmd, p, c, s, r, f)
}
