package migration

import (
	"context"
	"errors"
	"fmt"

	"kplan/executor/state"
	"kplan/internal/endpoint"
	"kplan/internal/kafka"
	"kplan/plan"
)

// Clusters are the two open clusters of a migration.
type Clusters struct {
	Source, Target *kafka.Client

	waits []kafka.Option
}

// Open connects to both clusters and reports the problems of both. waits are for
// every connection that is made on the migration's behalf.
func Open(ctx context.Context, p *plan.Plan, waits ...kafka.Option) (*Clusters, error) {
	c := &Clusters{waits: waits}
	var errs []error
	for _, one := range []struct {
		of *plan.Cluster
		at **kafka.Client
	}{{p.Migration.Source, &c.Source}, {p.Migration.Target, &c.Target}} {
		ep, err := endpoint.Own(p.Dir, one.of)
		if err == nil {
			var client *kafka.Client
			if client, err = kafka.Open(ctx, ep, one.of.ClusterID, waits...); err == nil {
				*one.at = client
			}
		}
		if err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) == 0 && c.Source.ClusterID() == c.Target.ClusterID() {
		errs = append(errs, fmt.Errorf("clusters %q and %q are the same cluster (id %s): the source's and the target's bootstrap lead to the same brokers",
			p.Migration.Source.Name, p.Migration.Target.Name, c.Source.ClusterID()))
	}
	if len(errs) > 0 {
		return nil, errors.Join(append(errs, c.Close())...)
	}
	return c, nil
}

// Close ends the connections.
func (c *Clusters) Close() error {
	var errs []error
	for _, k := range []*kafka.Client{c.Source, c.Target} {
		if k != nil {
			errs = append(errs, k.Close())
		}
	}
	return errors.Join(errs...)
}

// Belongs refuses the state of another plan. where names the state.
func (c *Clusters) Belongs(st state.State, p *plan.Plan, where string) error {
	b := st.Began
	if b == nil {
		return nil
	}
	if b.Migration != p.Migration.Name {
		return fmt.Errorf("the state in %s is that of migration %q, and the plan is migration %q. Give the plan a state path of its own, or rename the migration back", where, b.Migration, p.Migration.Name)
	}
	if b.Source != c.Source.ClusterID() || b.Target != c.Target.ClusterID() {
		return fmt.Errorf("the state in %s belongs to a migration from cluster %s to cluster %s, and the plan now leads from %s to %s. Correct the clusters' addresses; if the clusters were rebuilt on purpose, move the state away",
			where, b.Source, b.Target, c.Source.ClusterID(), c.Target.ClusterID())
	}
	return nil
}
