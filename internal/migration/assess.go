package migration

import (
	"context"
	"errors"
	"slices"
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

// Assessment is one look at both clusters and what follows from it: the same for
// diff, apply and verify. It does not change after Assess has returned it.
type Assessment struct {
	Plan           *plan.Plan // with what groups have committed on (R11)
	Source, Target cluster.Snapshot
	Selection      graph.Selection
	Graph          *graph.Graph // nil: the plan does not fit the clusters, see Diagnostics
	Doc            diff.Doc
	Diagnostics    hcl.Diagnostics
	Capped         bool // checks.CapsInSync of the target

	access [2]cluster.Access // of source and target, as they were read
	differ diff.Access       // in rules, quotas and users
}

// errMovedOn says that a cluster changed between reading it and asking it.
var errMovedOn = errors.New("the target changes while it is looked at: somebody else is at work there, or brokers still carry out what an earlier kplan asked for. Try again")

const (
	tries = 10
	pause = 500 * time.Millisecond
)

// Assess reads both clusters and computes the diff against the state, again while
// the target changes under its eyes. It writes to neither. Where brokers or rights
// keep a cluster from being read the error is a *BrokenError.
func Assess(ctx context.Context, p *plan.Plan, c *Clusters, st state.State) (*Assessment, error) {
	for try := 1; ; try++ {
		r, err := assessOnce(ctx, p, c, st)
		if !errors.Is(err, errMovedOn) || try == tries {
			return r, err
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(pause):
		}
	}
}

// read asks both clusters everything that needs no answer of the other questions.
func (r *Assessment) read(ctx context.Context, p *plan.Plan, c *Clusters) (nodes [2][]cluster.Node, reached []checks.Result, err error) {
	m := p.Migration
	var listening []cluster.Listening
	var asking error
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		r.Source, err = c.Source.Snapshot(gctx, m.Topics.Selects)
		return err
	})
	g.Go(func() (err error) {
		r.Target, err = c.Target.Snapshot(gctx, m.Topics.Selects)
		return err
	})
	for i, client := range []*kafka.Client{c.Source, c.Target} {
		g.Go(func() (err error) {
			nodes[i], err = client.Nodes(gctx, m.Topics.Selects)
			return err
		})
	}
	r.readAccess(gctx, g, m, c)
	g.Go(func() error {
		// Not in the group's context: where a broker fails the snapshot, this says why.
		listening, asking = Listen(ctx, p, c.waits...)
		return nil
	})
	err = errors.Join(g.Wait(), asking)
	reached = Reachable(p, listening, time.Now())
	if err != nil {
		err = unread(ctx, p, c, reached, err)
	}
	return nodes, reached, err
}

func assessOnce(ctx context.Context, p *plan.Plan, c *Clusters, st state.State) (*Assessment, error) {
	r := &Assessment{}
	nodes, reached, err := r.read(ctx, p, c)
	if err != nil {
		return nil, err
	}
	allowed, err := rights(ctx, p, seen{c.Source, r.Source, nodes[0], true, r.access[0], executor.FenceRules(st)}, seen{c.Target, r.Target, nodes[1], true, r.access[1], nil})
	if err != nil {
		return nil, err
	}
	r.takeAccess(st)
	r.Capped = checks.CapsInSync(nodes[1])
	r.draw(p, st)
	m := r.Plan.Migration
	topics := diff.Topics(m, r.Source, r.Target, st.Owned, executor.Held(st))
	answers, err := askTopics(ctx, c.Target, topics)
	if err != nil {
		return nil, err
	}
	ground := checks.Ground{
		Migration: m, Source: r.Source, Target: r.Target, SourceNodes: nodes[0], TargetNodes: nodes[1],
		Wants: diff.Wants(m, r.Source, r.Target), Selected: r.Selection.Groups,
	}
	rows, granted, err := r.compareAccess(ctx, c.Target, ground, st)
	if err != nil {
		return nil, err
	}
	judged := slices.Concat(granted, checks.Failing(slices.Concat(
		reached, allowed, checks.Capacity(ground), checks.Brokers(ground), checks.StateTopics(ground), checks.Writable(ground, st.Owned), checks.MirrorTarget(ground, CopyBegun(st), st.Owned),
		openTransactions(ctx, c.Source, ground, st), fenceChecks(r.access[0], m, r.Graph, st, nodes[0]),
	)))
	if note := checks.OldClients(ground); note != nil {
		rows = append(rows, *note)
	}
	r.document(st, topics, answers, rows, judged)
	return r, nil
}

// draw selects what the plan is about, and builds the steps.
func (r *Assessment) draw(p *plan.Plan, st state.State) {
	m := p.Migration
	r.Selection = graph.Select(m, r.Source)
	r.Selection.Reads = pinnedReads(m, r.Selection.Reads, st)
	r.Plan = p.Reading(r.Selection.Reads)
	m = r.Plan.Migration
	r.Graph, r.Diagnostics = graph.Build(m, r.Selection, graph.Sides{}, graph.Everywhere(m, r.Selection, cluster.Target))
}

// document writes down what was found: what the brokers answered about the topics,
// the rows about access rules, and the checks of both clusters.
func (r *Assessment) document(st state.State, topics []diff.TopicChange, answers map[string]diff.Answer, rows []diff.Change, judged []checks.Result) {
	m := r.Plan.Migration
	var steps []diff.Change
	if r.Graph != nil {
		steps = pending(r.Graph, st)
	}
	left := diff.LeftOf(steps)
	lint, lintDiags := left.Lint(m, r.Source)
	r.Diagnostics = append(r.Diagnostics, lintDiags...)
	asked := diff.Waive(m, slices.Concat(diff.Parity(m, topics), left.Retention(m, r.Target, st.Owned), lint, judged))
	changes, notes := diff.Apart(slices.Concat(
		diff.Changes(topics, answers), diff.Inherited(m, r.Source, r.Target), diff.UnreadNotes(r.Source), left.Notes(m), diff.MirrorNotes(m, r.Graph, steps), steps, rows,
	))
	r.Doc = diff.Doc{
		FormatVersion: diff.FormatVersion, Migration: m.Name, Scheme: string(m.Scheme.Kind), PlanHash: r.Plan.Hash(),
		ReadAt: diff.ReadAt(r.Source, r.Target),
		Clusters: diff.Clusters{
			Source: diff.ClusterRef{Name: m.Source.Name, ID: r.Source.ClusterID},
			Target: diff.ClusterRef{Name: m.Target.Name, ID: r.Target.ClusterID},
		},
		Changes: changes, Notes: notes, Checks: asked, Diagnostics: diff.Diagnostics(r.Diagnostics), Summary: diff.Summarise(changes, notes, asked),
	}
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

// CopyBegun reports whether the mirror may have written anything: workers begin
// as soon as topics are ready for it.
func CopyBegun(st state.State) bool {
	return st.Steps[graph.MirrorAddress("", "override")].Attempt > 0
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
