package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"golang.org/x/sync/errgroup"

	"kplan/checks"
	"kplan/executor"
	"kplan/executor/state"
	"kplan/internal/cluster"
	"kplan/internal/kafka"
	"kplan/plan"
	"kplan/plan/diff"
	"kplan/plan/graph"
)

// review is one look at both clusters and what follows from it: the same for
// diff, apply and verify.
type review struct {
	plan           *plan.Plan // with what groups have committed on (R11)
	source, target cluster.Snapshot
	selection      graph.Selection
	graph          *graph.Graph
	doc            diff.Doc
	diags          hcl.Diagnostics

	access [2]cluster.Access // of source and target, as they were read
	differ diff.Access       // in rules, quotas and users
	capped bool              // checks.CapsInSync of the target
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

// read asks both clusters everything that needs no answer of the other questions.
func (r *review) read(ctx context.Context, p *plan.Plan, c *clusters) (nodes [2][]cluster.Node, reached []checks.Result, err error) {
	m := p.Migration
	var listening []cluster.Listening
	var asking error
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		r.source, err = c.source.Snapshot(gctx, m.Topics.Selects)
		return err
	})
	g.Go(func() (err error) {
		r.target, err = c.target.Snapshot(gctx, m.Topics.Selects)
		return err
	})
	for i, client := range []*kafka.Client{c.source, c.target} {
		g.Go(func() (err error) {
			nodes[i], err = client.Nodes(gctx, m.Topics.Selects)
			return err
		})
	}
	r.readAccess(gctx, g, m, c)
	g.Go(func() error {
		// Not in the group's context: where a broker fails the snapshot, this says why.
		listening, asking = listenings(ctx, p)
		return nil
	})
	err = errors.Join(g.Wait(), asking)
	reached = reachable(p, listening, time.Now())
	if err != nil {
		err = unread(ctx, p, c, reached, err)
	}
	return nodes, reached, err
}

func lookOnce(ctx context.Context, p *plan.Plan, c *clusters, st state.State) (*review, error) {
	r := &review{}
	m := p.Migration
	nodes, reached, err := r.read(ctx, p, c)
	if err != nil {
		return nil, err
	}
	allowed, err := rights(ctx, p, seen{c.source, r.source, nodes[0], true, r.access[0], executor.FenceRules(st)}, seen{c.target, r.target, nodes[1], true, r.access[1], nil})
	if err != nil {
		return nil, err
	}
	r.takeAccess(st)
	r.capped = checks.CapsInSync(nodes[1])
	r.selection = graph.Select(m, r.source)
	r.selection.Reads = pinnedReads(m, r.selection.Reads, st)
	p = p.Reading(r.selection.Reads)
	r.plan, m = p, p.Migration
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
	changes = slices.Concat(changes, diff.UnreadNotes(r.source), left.Notes(m), diff.MirrorNotes(m, r.graph, steps), steps)
	lint, lintDiags := left.Lint(m, r.source)
	r.diags = append(r.diags, lintDiags...)
	asked := append(diff.Parity(m, topics), left.Retention(m, r.target, st.Owned)...)
	asked = append(asked, lint...)
	ground := checks.Ground{
		Migration: m, Source: r.source, Target: r.target, SourceNodes: nodes[0], TargetNodes: nodes[1],
		Wants: diff.Wants(m, r.source, r.target), Selected: r.selection.Groups,
	}
	rows, granted, err := r.compareAccess(ctx, c.target, ground, st)
	if err != nil {
		return nil, err
	}
	changes, asked = append(changes, rows...), append(asked, granted...)
	asked = append(asked, checks.Failing(slices.Concat(reached, allowed, checks.Capacity(ground), checks.Brokers(ground), checks.StateTopics(ground), checks.Writable(ground, st.Owned),
		checks.MirrorTarget(ground, copyBegun(st), st.Owned)))...)
	asked = append(asked, checks.Failing(openTransactions(ctx, c.source, ground, st))...)
	asked = diff.Waive(m, append(asked, checks.Failing(fenceChecks(r.access[0], m, r.graph, st, nodes[0]))...))
	if note := checks.OldClients(ground); note != nil {
		changes = append(changes, *note)
	}
	changes, notes := diff.Apart(changes)
	r.doc = diff.Doc{
		FormatVersion: diff.FormatVersion, Migration: m.Name, Scheme: string(m.Scheme.Kind), PlanHash: p.Hash(),
		ReadAt: diff.ReadAt(r.source, r.target),
		Clusters: diff.Clusters{
			Source: diff.ClusterRef{Name: m.Source.Name, ID: r.source.ClusterID},
			Target: diff.ClusterRef{Name: m.Target.Name, ID: r.target.ClusterID},
		},
		Changes: changes, Notes: notes, Checks: asked, Diagnostics: diff.Diagnostics(r.diags), Summary: diff.Summarise(changes, notes, asked),
	}
	return r, nil
}

// pinnedReads adds what an earlier apply has pinned to what groups have committed
// on: a source forgets commits. Once a group's offsets are placed, nothing joins.
func pinnedReads(m *plan.Migration, now map[string][]string, st state.State) map[string][]string {
	if st.Selection == nil {
		return now
	}
	all := map[string][]string{}
	for group, topics := range now {
		if st.Steps[graph.GroupAddress(group, "place")].Status != state.Done {
			all[group] = topics
		}
	}
	for group, topics := range st.Selection.Reads {
		all[group] = slices.Concat(all[group], topics)
	}
	return m.Unlisted(all)
}

// openTransactions asks who keeps transactions open on the source.
func openTransactions(ctx context.Context, source *kafka.Client, g checks.Ground, st state.State) []checks.Result {
	var open []cluster.OpenTransaction
	var err error
	if held := checks.HeldBack(g, st.TopicSide); len(held) > 0 {
		open, err = source.OpenTransactions(ctx, held)
	}
	return checks.Transactions(g, open, err, time.Now(), func(t cluster.OpenTransaction) string { return executor.AbortCommand(g.Migration.Source, t) })
}

// copyBegun reports whether the mirror may have written anything: workers begin
// as soon as topics are ready for it.
func copyBegun(st state.State) bool {
	return st.Steps[graph.MirrorAddress("", "override")].Attempt > 0
}

// unread says why the clusters could not be read: brokers that cannot be
// reached, rights that are missing, or the error itself.
func unread(ctx context.Context, p *plan.Plan, c *clusters, reached []checks.Result, err error) error {
	if failed := checks.Failing(reached); len(failed) > 0 {
		return &brokenError{checks: failed, err: err}
	}
	if kafka.NotAllowed(err) {
		allowed, unasked := rights(ctx, p, seen{client: c.source}, seen{client: c.target})
		if failed := lacking(diff.Waive(p.Migration, allowed)); len(failed) > 0 {
			return &brokenError{checks: failed, err: err}
		}
		err = errors.Join(err, unasked)
	}
	return err
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
			err := fmt.Errorf("the target's brokers refuse %s %s: %s", c.Action, c.Address, strings.TrimSuffix(c.Reason, "."))
			if c.Advice != "" {
				err = fmt.Errorf("%w. What the plan can say: %s", err, c.Advice)
			}
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
