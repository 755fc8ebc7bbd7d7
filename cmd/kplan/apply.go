package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"kplan/internal/migration"
	"kplan/internal/report"
	"kplan/plan"
)

type applyFlags struct {
	yes      bool
	maxAge   string
	saved    *migration.Saved // nil: apply what is seen now
	sabotage string
	scope    migration.Scope
	dryRun   bool
	found    *report.Findings // for the reports
}

func newApply(a *app) *cobra.Command {
	var f applyFlags
	cmd := &cobra.Command{
		Use:   "apply [FILE]",
		Short: "Carry the plan out, or what diff --out has saved, or go on where the last apply ended",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.reported(cmd, func(cmd *cobra.Command, found *report.Findings) error {
				f.found = found
				if f.dryRun {
					return a.dryRun(cmd, f, args)
				}
				return a.leftStopped(cmd.Context(), a.applyArgs(cmd, f, args))
			})
		},
	}
	cmd.Flags().BoolVar(&f.yes, "yes", false, "do not ask; needed where nobody can be asked")
	cmd.Flags().StringVar(&f.maxAge, "max-age", "", "refuse a saved plan that is older, such as 24h")
	cmd.Flags().StringVar(&f.scope.Until, "until", "", "carry out the steps up to a phase (prepare, mirror, switch) or a gate, inclusive, and end with 0")
	cmd.Flags().StringVar(&f.scope.Service, "service", "", "carry out what moves one service, and what that needs")
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "show the diff, and the steps in the order in which they would run; writes nothing and takes no lock")
	cmd.Flags().StringVar(&f.sabotage, "sabotage", "", "leave a safeguard out, to see what it is for: skip-placement, start-before-drain, no-quiet or no-fence")
	cmd.Flags().Lookup("sabotage").Hidden = true
	return cmd
}

func (a *app) applyArgs(cmd *cobra.Command, f applyFlags, args []string) (err error) {
	if len(args) == 1 {
		if f.saved, err = migration.ReadSaved(args[0]); err != nil {
			return err
		}
	}
	return a.apply(cmd.Context(), cmd, f)
}

// age is how old a saved plan may be; zero: any age.
func (f applyFlags) age() (time.Duration, error) {
	switch {
	case f.maxAge == "":
		return 0, nil
	case f.saved == nil:
		return 0, errors.New("--max-age is about a saved plan: give its file")
	}
	age, err := plan.ParseDuration(f.maxAge)
	if err != nil {
		return 0, fmt.Errorf("--max-age: %w", err)
	}
	return age, nil
}

// apply takes the lock, shows the diff, asks, looks again, and runs.
func (a *app) apply(ctx context.Context, cmd *cobra.Command, f applyFlags) (err error) {
	if !f.yes && f.saved == nil && !a.interactive() {
		return fmt.Errorf("nobody can be asked here: give --yes, after a look at %s, or a plan that %s has saved", a.command("diff"), a.command("diff", "--out", "FILE"))
	}
	maxAge, err := f.age()
	if err != nil {
		return err
	}
	p, _, sources, err := a.load(cmd)
	if err != nil {
		return err
	}
	c, err := a.open(ctx, p)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	s, err := a.begin(ctx, p, cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.End()) }()
	if err := c.Belongs(s.State, p, s.Backend.Where()); err != nil {
		return err
	}
	if f.saved != nil {
		if err := f.saved.Fits(p, s.State, maxAge, time.Now()); err != nil {
			return err
		}
	}
	r, err := migration.Assess(ctx, p, c, s.State)
	if err != nil {
		return err
	}
	foundDiff(f.found, r, sources, false)
	if err := a.say(cmd.ErrOrStderr(), sources, r.Diagnostics); err != nil {
		return err
	}
	shown := cmd.OutOrStdout()
	if a.json {
		shown = cmd.ErrOrStderr() // the document comes at the end; a person sees first what they are asked about
	}
	if err := report.DiffText(shown, r.Doc, report.Options{Color: a.colored(shown)}); err != nil {
		return err
	}
	if err := errors.Join(r.Blocked(), migration.Continues(s.State, p, r.Graph)); err != nil {
		return &blockedError{err: err, diagnostics: r.Doc.Diagnostics}
	}
	if f.saved != nil {
		if err := f.saved.Still(r, p); err != nil {
			return err
		}
	}
	if _, err := f.scope.Of(r.Graph); err != nil {
		return err
	}
	if r.Doc.Empty() {
		if err := s.Conclude(); err != nil {
			return err
		}
		return a.finish(cmd, applyDoc{Migration: p.Migration.Name, Outcome: "nothing to do", Diff: r.Doc}, nil, f.found)
	}
	if !f.yes && f.saved == nil {
		if err := confirm(ctx, cmd.InOrStdin(), cmd.ErrOrStderr()); err != nil {
			return err
		}
	}
	if r, err = r.Again(ctx, p, c, s.State); err != nil {
		return err
	}
	return a.run(ctx, cmd, r.Plan, c, s, r, f)
}

// dryRun shows what apply would change, and the steps in the order in which they
// would run. It asks nothing and takes no lock.
func (a *app) dryRun(cmd *cobra.Command, f applyFlags, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("--dry-run looks at the clusters as they are now; what %s shows, %s prints", args[0], a.command("show", args[0]))
	}
	return a.onScene(cmd, func(s scene) error {
		r, err := migration.Assess(cmd.Context(), s.plan, s.clusters, s.state)
		if err != nil {
			return err
		}
		foundDiff(f.found, r, s.sources, false)
		if err := a.say(cmd.ErrOrStderr(), s.sources, r.Diagnostics); err != nil {
			return err
		}
		if err := a.writeDiff(cmd.OutOrStdout(), r, false); err != nil {
			return err
		}
		if err := errors.Join(r.Blocked(), migration.Continues(s.state, s.plan, r.Graph)); err != nil {
			return &blockedError{err: err, diagnostics: r.Doc.Diagnostics}
		}
		part, err := f.scope.Of(r.Graph)
		if err != nil || a.json { // the document has the steps
			return err
		}
		return report.StepsText(cmd.OutOrStdout(), r.Graph, r.Left(part, s.state))
	})
}
