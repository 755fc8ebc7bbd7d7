package migration

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"kplan/checks"
	"kplan/internal/cluster"
	"kplan/internal/endpoint"
	"kplan/internal/kafka"
	"kplan/plan"
)

// Listen asks every listener of both clusters, all at once: the source's
// first, each cluster's own before its further ones. The error names files of
// the plan that cannot be used.
func Listen(ctx context.Context, p *plan.Plan, waits ...kafka.Option) ([]cluster.Listening, error) {
	var endpoints []endpoint.Endpoint
	var errs []error
	for _, c := range []*plan.Cluster{p.Migration.Source, p.Migration.Target} {
		for _, l := range append([]*plan.Listener{&c.Listener}, c.Listeners...) {
			ep, err := endpoint.New(p.Dir, c, l)
			if err != nil {
				errs = append(errs, err)
			}
			endpoints = append(endpoints, ep)
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	seen := make([]cluster.Listening, len(endpoints))
	var g errgroup.Group
	for i, ep := range endpoints {
		g.Go(func() error {
			seen[i] = kafka.Probe(ctx, ep, waits...)
			return nil
		})
	}
	_ = g.Wait() // what failed is in the contacts
	if ctx.Err() != nil {
		return nil, fmt.Errorf("asking the listeners: %w", context.Cause(ctx))
	}
	return seen, nil
}

// Reachable judges what the listeners showed. A further listener has to lead to
// the cluster of the cluster's own one; that one to the plan's cluster_id.
func Reachable(p *plan.Plan, seen []cluster.Listening, now time.Time) []checks.Result {
	ids := map[string]string{}
	for _, c := range []*plan.Cluster{p.Migration.Source, p.Migration.Target} {
		ids[c.Name] = c.ClusterID
	}
	var all []checks.Result
	for _, l := range seen {
		all = append(all, checks.Listener(l, ids[l.Cluster], now)...)
		if ids[l.Cluster] == "" {
			ids[l.Cluster] = l.ClusterID
		}
	}
	return all
}
