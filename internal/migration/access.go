package migration

import (
	"context"

	"golang.org/x/sync/errgroup"

	"kplan/checks"
	"kplan/executor"
	"kplan/executor/state"
	"kplan/internal/kafka"
	"kplan/plan"
	"kplan/plan/diff"
)

// readAccess asks both clusters, in the group, for their rules, which rights and
// fences are judged by in any case, and for what the plan compares of quotas and
// users.
func (r *Assessment) readAccess(ctx context.Context, g *errgroup.Group, m *plan.Migration, c *Clusters) {
	wants := kafka.AccessWants{ACLs: true, Quotas: m.Quotas != nil, Users: diff.WantsUsers(m)}
	g.Go(func() (err error) {
		r.access[0], err = c.Source.Access(ctx, wants)
		return err
	})
	g.Go(func() (err error) {
		wants := wants
		wants.Own = m.ACLs != nil
		r.access[1], err = c.Target.Access(ctx, wants)
		return err
	})
}

// takeAccess puts what was read into the snapshots, without the rules that kplan
// itself has added for a fence: they must not be denied on the target too.
func (r *Assessment) takeAccess(st state.State) {
	r.Source.Access, r.Target.Access = r.access[0], r.access[1]
	r.Source.Access.ACLs = diff.Without(r.access[0].ACLs, executor.FenceRules(st))
}

// compareAccess returns the rows and the checks of rules, quotas and users.
func (r *Assessment) compareAccess(ctx context.Context, target *kafka.Client, g checks.Ground, st state.State) ([]diff.Change, []diff.Check, error) {
	m := g.Migration
	r.differ = diff.CompareAccess(m, r.Source.Access, r.Target.Access, st.Quotas)
	answers, err := askQuotas(ctx, target, r.differ.Quotas)
	if err != nil {
		return nil, nil, err
	}
	asked := append(r.differ.Checks(m, r.Source.Access, r.Target.Access), checks.Failing(checks.Rules(g, r.differ.ACLs))...)
	return r.differ.Rows(m, r.Source.Access, answers), asked, nil
}
