package migration

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"kplan/checks"
	"kplan/internal/cluster"
	"kplan/internal/kafka"
	"kplan/plan"
	"kplan/plan/diff"
)

// seen is what was read of one cluster, as far as it could be.
type seen struct {
	client   *kafka.Client
	snapshot cluster.Snapshot
	nodes    []cluster.Node
	whole    bool // nothing failed: every group could be described, and access was read
	access   cluster.Access
	fences   []cluster.ACL // rules that kplan itself has added, and that do not move
}

// rights asks both clusters what kplan may do there, and judges that and what
// the services may do on the target.
func rights(ctx context.Context, p *plan.Plan, source, target seen) ([]checks.Result, error) {
	m := p.Migration
	ground := checks.RightsGround{Plan: p}
	var told [2]checks.Told
	var lists, strict [2]bool
	g, gctx := errgroup.WithContext(ctx)
	for i, s := range []seen{source, target} {
		g.Go(func() (err error) {
			known := []*checks.Known{&ground.Source, &ground.Target}[i]
			if !s.whole {
				if s.nodes, err = s.client.Nodes(gctx, m.Topics.Selects); err != nil {
					return err
				}
				if known.Groups, err = s.client.GroupNames(gctx); err != nil {
					return err
				}
			}
			known.Topics = append(checks.LoggedTopics(s.nodes), slices.Collect(maps.Keys(s.snapshot.Topics))...)
			told[i].Everyone = checks.AllowsEveryone(s.nodes)
			lists[i], strict[i] = checks.ListsTransactions(s.nodes), checks.StrictIDs(s.nodes)
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	ground.Transactions, ground.StrictIDs = lists[0], strict[1]
	if source.whole && target.whole {
		for _, w := range diff.Wants(m, source.snapshot, target.snapshot) {
			if _, there := target.snapshot.Topics[w.Name]; !there {
				ground.Target.Missing = append(ground.Target.Missing, w.Name)
			}
		}
	}
	places := []string{checks.OnSource, checks.OnTarget}
	on := []*plan.Cluster{m.Source, m.Target}
	keeps := slices.Index(on, p.State.Cluster) // where the state topic is; -1: elsewhere, or in files
	if p.State.Cluster == nil || p.State.Backend != "kafka" {
		keeps = -1
	}
	if keeps >= 0 {
		absent := func(name string) bool {
			topics, err := []seen{source, target}[keeps].client.TopicsNamed(ctx, []string{name})
			return err == nil && len(topics) == 0 // an error: what is missing is found below
		}
		ground.NewState = absent(kafka.StateTopic(m.Name))
		ground.NewShelf = m.Mirror != nil && absent(kafka.ShelfTopic(m.Name))
	}
	g, gctx = errgroup.WithContext(ctx)
	for i, s := range []seen{source, target} {
		g.Go(func() error {
			topics, groups := ground.Asks(places[i])
			if i == keeps {
				more, _ := ground.Asks(checks.OnState)
				topics = append(topics, more...)
			}
			t := &told[i]
			t.Rights, t.Err = s.client.Rights(gctx, topics, groups)
			if t.Rules, t.NoRules = s.access.ACLs, s.access.ACLsErr; !s.whole {
				t.Rules, t.NoRules = s.client.ACLs(gctx)
			}
			if errors.Is(t.NoRules, cluster.ErrNoAuthorizer) || errors.Is(t.NoRules, cluster.ErrNotAllowed) {
				return nil
			}
			return t.NoRules
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	var all []checks.Result
	for i := range told {
		all = append(all, checks.Rights(ground, places[i], on[i], told[i])...)
		if i == keeps {
			all = append(all, checks.Rights(ground, checks.OnState, on[i], told[i])...)
		}
	}
	told[0].Rules = diff.Without(told[0].Rules, source.fences)
	return append(all, checks.ServiceRights(m, told[0], told[1])...), nil
}

// Lacking are the failed checks of kplan's and the services' rights.
func Lacking(all []checks.Result) []checks.Result {
	return slices.DeleteFunc(slices.Clone(all), func(c checks.Result) bool {
		return c.Verdict != diff.Fail || c.Waived != "" || !strings.HasPrefix(c.Name, "rights.")
	})
}
