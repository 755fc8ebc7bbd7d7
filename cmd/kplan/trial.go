package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"kplan/checks"
	"kplan/internal/migration"
	"kplan/plan"
	"kplan/plan/diff"
)

// trials are the parts of probe that write, each to a scratch topic of its own.
type trials struct {
	conformance bool
	load        bool
	yes         bool
	times       float64       // of the source's rate
	rate        string        // "": measured
	window      time.Duration // of the measurement
	lasting     time.Duration // of the load
}

func (t *trials) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVar(&t.conformance, "conformance", false, "try the mirror's techniques on a scratch topic of each cluster (R22); needs --yes")
	f.BoolVar(&t.load, "load", false, "write what the source is written, several times over, to a scratch topic on the target; needs --yes")
	f.BoolVar(&t.yes, "yes", false, "scratch topics may be created and deleted")
	f.Float64Var(&t.times, "times", 2, "with --load: how many times the source's rate")
	f.StringVar(&t.rate, "rate", "", "with --load: the source's peak, such as 80MiB a second, instead of measuring its rate now")
	f.DurationVar(&t.window, "window", 10*time.Second, "with --load: for how long the source's rate is measured")
	f.DurationVar(&t.lasting, "for", 10*time.Second, "with --load: how long to write")
}

// check refuses flags that make no sense, before anything is asked.
func (t *trials) check(cmd *cobra.Command) error {
	writes := t.conformance || t.load
	switch {
	case writes && !t.yes:
		return errors.New("probe --conformance and --load create a scratch topic, write to it, and delete it: add --yes to allow that")
	case t.yes && !writes:
		return errors.New("--yes is for probe --conformance and --load: probe alone writes nothing")
	}
	for _, name := range []string{"times", "rate", "window", "for"} {
		if cmd.Flags().Changed(name) && !t.load {
			return fmt.Errorf("--%s is for probe --load", name)
		}
	}
	switch {
	case t.times <= 0 || t.times > 1000:
		return fmt.Errorf("--times %v: want more than 0 and at most 1000", t.times)
	case t.window < time.Second || t.window > time.Hour:
		return fmt.Errorf("--window %s: want 1s to 1h", t.window)
	case t.lasting < time.Second || t.lasting > 10*time.Minute:
		return fmt.Errorf("--for %s: want 1s to 10m", t.lasting)
	}
	if t.rate != "" {
		if n, err := plan.ParseBytes(t.rate); err != nil || n < 1 {
			return fmt.Errorf("--rate %s: want bytes a second with a unit, such as 80MiB", t.rate)
		}
	}
	return nil
}

// run tries what was asked for and adds it to the document. Both clusters are
// opened first, which makes sure that they are those of the plan: what follows
// writes.
func (t *trials) run(ctx context.Context, a *app, p *plan.Plan, doc *probeDoc) (err error) {
	if !t.conformance && !t.load {
		return nil
	}
	c, err := a.open(ctx, p)
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, c.Close()); err != nil { // the document is not shown then
			err = errors.Join(err, migration.LeftOver(doc.Conformance, doc.Load))
		}
	}()
	tell := func(found ...checks.Result) {
		doc.Checks = append(doc.Checks, diff.Waive(p.Migration, found)...)
		doc.judge()
	}
	if t.conformance {
		for _, of := range []*plan.Cluster{p.Migration.Source, p.Migration.Target} {
			shown, err := migration.Conform(ctx, p, of, slow)
			if err != nil {
				return err
			}
			doc.Conformance = append(doc.Conformance, shown)
			tell(checks.Conformance(shown.Conformance)...)
		}
	}
	if t.load {
		shown, err := migration.Loading{Times: t.times, Rate: t.rate, Window: t.window, For: t.lasting}.Bear(ctx, p, c, slow)
		if err != nil {
			return err
		}
		doc.Load = &shown
		tell(checks.Load(shown.Load, shown.Rate, shown.How))
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}
