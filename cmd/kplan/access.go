package main

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"kplan/checks"
	"kplan/executor"
	"kplan/executor/state"
	"kplan/internal/cluster"
	"kplan/internal/kafka"
	"kplan/plan"
	"kplan/plan/diff"
)

// readAccess asks both clusters, in the group, for their rules, which rights and
// fences are judged by in any case, and for what the plan compares of quotas and
// users.
func (r *review) readAccess(ctx context.Context, g *errgroup.Group, m *plan.Migration, c *clusters) {
	wants := kafka.AccessWants{ACLs: true, Quotas: m.Quotas != nil, Users: diff.WantsUsers(m)}
	g.Go(func() (err error) {
		r.access[0], err = c.source.Access(ctx, wants)
		return err
	})
	g.Go(func() (err error) {
		wants := wants
		wants.Own = m.ACLs != nil
		r.access[1], err = c.target.Access(ctx, wants)
		return err
	})
}

// takeAccess puts what was read into the snapshots, without the rules that kplan
// itself has added for a fence: they must not be denied on the target too.
func (r *review) takeAccess(st state.State) {
	r.source.Access, r.target.Access = r.access[0], r.access[1]
	r.source.Access.ACLs = diff.Without(r.access[0].ACLs, executor.FenceRules(st))
}

// compareAccess returns the rows and the checks of rules, quotas and users.
func (r *review) compareAccess(ctx context.Context, target *kafka.Client, g checks.Ground, st state.State) ([]diff.Change, []diff.Check, error) {
	m := g.Migration
	r.differ = diff.CompareAccess(m, r.source.Access, r.target.Access, st.Quotas)
	answers, err := askQuotas(ctx, target, r.differ.Quotas)
	if err != nil {
		return nil, nil, err
	}
	asked := append(r.differ.Checks(m, r.source.Access, r.target.Access), checks.Failing(checks.Rules(g, r.differ.ACLs))...)
	return r.differ.Rows(m, r.source.Access, answers), asked, nil
}

// askQuotas puts the quotas to the target's brokers with validateOnly. Rules and
// users cannot be asked about.
func askQuotas(ctx context.Context, target *kafka.Client, changes []diff.QuotaChange) (map[cluster.QuotaEntity]diff.Answer, error) {
	quotas := diff.QuotasToSet(changes)
	if len(quotas) == 0 {
		return nil, nil
	}
	refusals, err := target.SetQuotas(ctx, quotas, true)
	if err != nil {
		return nil, fmt.Errorf("asking the target's brokers about the quotas: %w", err)
	}
	answers := map[cluster.QuotaEntity]diff.Answer{}
	for _, q := range quotas {
		answers[q.Entity] = diff.Answer{Accepted: refusals[q.Entity] == nil}
		var refused *kafka.RefusedError
		switch err := refusals[q.Entity]; {
		case errors.As(err, &refused):
			answers[q.Entity] = diff.Answer{Reason: refused.Text}
		case err != nil:
			return nil, fmt.Errorf("asking the target's brokers about the quota of %s: %w", q.Entity, err)
		}
	}
	return answers, nil
}
