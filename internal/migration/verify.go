package migration

import (
	"context"
	"errors"
	"time"

	"kplan/checks"
	"kplan/executor"
	"kplan/executor/state"
	"kplan/plan"
	"kplan/plan/diff"
)

// Verdicts are what verify finds at a level: of both clusters, judged by the plan
// and the state.
type Verdicts struct {
	Migration string         `json:"migration"`
	Level     string         `json:"level"` // config or offsets
	At        time.Time      `json:"at"`
	Clusters  diff.Clusters  `json:"clusters"`
	Checks    []diff.Check   `json:"checks"`
	Summary   map[string]int `json:"summary"` // by verdict, waived ones apart
	Outcome   Outcome        `json:"-"`

	Assessment *Assessment `json:"-"` // nil: a broker keeps a cluster from being read
}

// Outcome is what verdicts come to.
type Outcome int

// The outcomes.
const (
	Passed       Outcome = iota
	Differs              // something fails
	Inconclusive         // nothing fails, and something is not known
)

// Verify looks at both clusters and judges. Where a broker keeps a cluster from
// being read, that is the finding, and nothing else is asked.
func Verify(ctx context.Context, p *plan.Plan, c *Clusters, st state.State, level string, now time.Time) (Verdicts, error) {
	m := p.Migration
	v := Verdicts{
		Migration: m.Name, Level: level, At: now.UTC(),
		Clusters: diff.Clusters{
			Source: diff.ClusterRef{Name: m.Source.Name, ID: c.Source.ClusterID()},
			Target: diff.ClusterRef{Name: m.Target.Name, ID: c.Target.ClusterID()},
		},
	}
	r, err := Assess(ctx, p, c, st)
	var broken *BrokenError
	switch {
	case errors.As(err, &broken):
		v.Checks = broken.Checks
	case err != nil:
		return v, err
	default:
		v.Assessment, v.At = r, r.Doc.ReadAt.UTC()
		if v.Checks, err = r.judge(ctx, c, st, level); err != nil {
			return v, err
		}
	}
	v.Checks = diff.Waive(m, v.Checks)
	v.Summary, v.Outcome = Tally(v.Checks)
	if v.Outcome == Passed && broken != nil {
		v.Outcome = Inconclusive
	}
	return v, nil
}

// judge asks what the level asks.
func (r *Assessment) judge(ctx context.Context, c *Clusters, st state.State, level string) ([]diff.Check, error) {
	all := append([]diff.Check{}, r.Doc.Checks...)
	all = append(all, checks.Parity(r.Selection.Topics, r.Doc.Changes, r.Doc.Checks)...)
	all = append(all, checks.Access(r.differ, r.Doc.Changes, r.Doc.Checks)...)
	all = append(all, checks.FromDiagnostics(r.Doc.Diagnostics)...)
	all = append(all, standingFences(r.access[0], st)...)
	if level == "offsets" {
		bounds, err := executor.Boundaries(st, r.Selection.Topics)
		if err != nil {
			return nil, err
		}
		finals, err := executor.FinalPositions(st, r.Selection.Groups)
		if err != nil {
			return nil, err
		}
		observed := checks.Observed{Migration: r.Plan.Migration, Source: r.Source, Target: r.Target, Sides: st, Boundary: bounds, Final: finals}
		all = append(all, checks.Positions(ctx, observed, c.Source)...)
	}
	return all, nil
}

// Tally counts verdicts, waived ones apart, and says what they come to.
func Tally(all []diff.Check) (map[string]int, Outcome) {
	sum := map[string]int{}
	for _, check := range all {
		verdict := string(check.Verdict)
		if check.Waived != "" {
			verdict = "waived"
		}
		sum[verdict]++
	}
	switch {
	case sum[string(diff.Fail)] > 0:
		return sum, Differs
	case sum[string(diff.Error)]+sum[string(diff.Unknown)] > 0:
		return sum, Inconclusive
	}
	return sum, Passed
}
