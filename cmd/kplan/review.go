package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/hcl/v2"
	"golang.org/x/sync/errgroup"

	"kplan/checks"
	"kplan/executor"
	"kplan/executor/state"
	"kplan/internal/cluster"
	"kplan/internal/endpoint"
	"kplan/internal/kafka"
	"kplan/plan"
	"kplan/plan/diff"
	"kplan/plan/graph"
)

// review is one look at both clusters and what follows from it: the same for
// diff, apply and verify.
type review struct {
	source, target cluster.Snapshot
	selection      graph.Selection
	graph          *graph.Graph
	doc            diff.Doc
	diags          hcl.Diagnostics
}

// errMovedOn says that a cluster changed between reading it and asking it.
var errMovedOn = errors.New("the target changes while it is looked at: somebody else is at work there, or brokers still carry out what an earlier kplan asked for. Try again")

const (
	lookTries = 10
	lookPause = 500 * time.Millisecond
)

// look reads both clusters and computes the diff against the state, again while
// the target moves on under its eyes.
func look(ctx context.Context, p *plan.Plan, c *clusters, st state.State) (*review, error) {
	for try := 1; ; try++ {
		r, err := lookOnce(ctx, p, c, st)
		if !errors.Is(err, errMovedOn) || try == lookTries {
			return r, err
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(lookPause):
		}
	}
}

func lookOnce(ctx context.Context, p *plan.Plan, c *clusters, st state.State) (*review, error) {
	r := &review{}
	m := p.Migration
	var reached []checks.Result
	var brokers error
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		r.source, err = c.source.Snapshot(gctx, m.Topics.Selects)
		return err
	})
	g.Go(func() (err error) {
		r.target, err = c.target.Snapshot(gctx, m.Topics.Selects)
		return err
	})
	g.Go(func() error {
		// Not in the group's context: where a broker fails the snapshot, this says why.
		reached, brokers = connectivity(ctx, c, p)
		return nil
	})
	if err := errors.Join(g.Wait(), brokers); err != nil {
		if failed := checks.Failing(reached); len(failed) > 0 {
			return nil, &brokenError{checks: failed, err: err}
		}
		return nil, err
	}
	r.selection = graph.Select(m, r.source)
	r.graph, r.diags = graph.Build(m, r.selection, graph.Sides{}, graph.Everywhere(m, r.selection, cluster.Target))
	topics := diff.Topics(m, r.source, r.target, st.Owned, executor.Held(st))
	answers, err := ask(ctx, c.target, topics)
	if err != nil {
		return nil, err
	}
	var steps []diff.Change
	if r.graph != nil {
		steps = pending(r.graph, st)
	}
	left := diff.LeftOf(steps)
	changes := append(diff.Changes(topics, answers), diff.Inherited(m, r.source, r.target)...)
	changes = append(append(changes, left.Notes(m)...), steps...)
	lint, lintDiags := left.Lint(m, r.source)
	r.diags = append(r.diags, lintDiags...)
	asked := append(diff.Parity(m, topics), left.Retention(m, r.target, st.Owned)...)
	asked = append(asked, lint...)
	asked = append(asked, checks.Failing(append(reached, checks.Capacity(r.source, r.target)))...)
	asked = diff.Waive(m, asked)
	r.doc = diff.Doc{
		FormatVersion: diff.FormatVersion, Migration: m.Name, Scheme: string(m.Scheme.Kind), PlanHash: p.Hash(),
		ReadAt: diff.ReadAt(r.source, r.target),
		Clusters: diff.Clusters{
			Source: diff.ClusterRef{Name: m.Source.Name, ID: r.source.ClusterID},
			Target: diff.ClusterRef{Name: m.Target.Name, ID: r.target.ClusterID},
		},
		Changes: changes, Checks: asked, Diagnostics: diff.Diagnostics(r.diags), Summary: diff.Summarise(changes, asked),
	}
	return r, nil
}

// brokenError says which brokers keep a cluster from being read.
type brokenError struct {
	checks []checks.Result
	err    error
}

func (e *brokenError) Error() string { return failures(e.checks).Error() }
func (e *brokenError) Unwrap() error { return e.err }

// failures says what each failed check saw and what to do.
func failures(failed []checks.Result) error {
	var errs []error
	for _, c := range failed {
		errs = append(errs, fmt.Errorf("check %s fails for %s %s: %s. %s", c.Name, c.Object.Kind, c.Object.Name, c.Saw, c.Advice))
	}
	return errors.Join(errs...)
}

// connectivity asks every broker of both clusters at the address that it
// advertises.
func connectivity(ctx context.Context, c *clusters, p *plan.Plan) ([]checks.Result, error) {
	var all []checks.Result
	for _, side := range []cluster.Side{cluster.Source, cluster.Target} {
		name := p.Migration.Source.Name
		if side == cluster.Target {
			name = p.Migration.Target.Name
		}
		reached, err := c.on(side).Reach(ctx)
		if err != nil {
			return nil, err
		}
		for _, r := range reached {
			why, advice := reason(r.Err)
			all = append(all, checks.Connect(name, r.Broker, why, advice))
		}
	}
	return all, nil
}

// reason takes an error of reaching a broker apart.
func reason(err error) (why, advice string) {
	var unreachable *endpoint.UnreachableError
	switch {
	case err == nil:
		return "", ""
	case errors.As(err, &unreachable):
		return unreachable.Why, unreachable.Do
	default:
		return err.Error(), "Check the broker and its advertised.listeners."
	}
}

// ask puts the changes of topics to the target's brokers with validateOnly.
func ask(ctx context.Context, target *kafka.Client, topics []diff.TopicChange) (map[string]diff.Answer, error) {
	var specs []cluster.TopicSpec
	configs := map[string]map[string]*string{}
	totals := map[string]int{}
	answers := map[string]diff.Answer{}
	for _, t := range topics {
		switch t.Action {
		case diff.Create:
			specs = append(specs, cluster.TopicSpec{
				Name: t.Want.Name, Partitions: int(t.Want.Partitions), ReplicationFactor: int(t.Want.ReplicationFactor), Configs: t.Want.Configs,
			})
		case diff.Update:
			configs[t.Topic] = t.Alterations()
			if t.Partitions > 0 {
				totals[t.Topic] = int(t.Partitions)
			}
		default:
			continue
		}
		answers[t.Topic] = diff.Answer{Accepted: true}
	}
	creating, err1 := target.CreateTopics(ctx, specs, true)
	altering, err2 := target.AlterTopics(ctx, configs, true)
	growing, err3 := target.GrowTopics(ctx, totals, true)
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, fmt.Errorf("asking the target's brokers about the changes: %w", err)
	}
	for _, refusals := range []map[string]error{growing, altering, creating} {
		for topic, err := range refusals {
			var refused *kafka.RefusedError
			if errors.Is(err, cluster.ErrTopicExists) {
				return nil, fmt.Errorf("topic %q: %w", topic, errMovedOn)
			}
			if !errors.As(err, &refused) {
				return nil, fmt.Errorf("asking the target's brokers about the changes: %w", err)
			}
			answers[topic] = diff.Answer{Reason: refused.Text}
		}
	}
	return answers, nil
}

// pending keeps the steps that the journal does not show as done.
func pending(g *graph.Graph, st state.State) []diff.Change {
	var out []diff.Change
	for _, c := range diff.Steps(g) {
		if st.Steps[c.Address].Status != state.Done {
			out = append(out, c)
		}
	}
	return out
}

// blocked says why apply must not begin, or nil.
func (r *review) blocked() error {
	var errs []error
	if r.diags.HasErrors() || r.graph == nil {
		errs = append(errs, errors.New("the plan does not fit the clusters: see the errors above"))
	}
	var failed []checks.Result
	for _, c := range r.doc.Checks {
		if c.Waived == "" && (c.Verdict == diff.Fail || c.Verdict == diff.Error) {
			failed = append(failed, c)
		}
	}
	errs = append(errs, failures(failed))
	for _, c := range r.doc.Changes {
		if c.Broker == diff.Rejected {
			errs = append(errs, fmt.Errorf("the target's brokers refuse %s %s: %s", c.Action, c.Address, c.Reason))
		}
	}
	return errors.Join(errs...)
}
