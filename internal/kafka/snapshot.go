package kafka

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"kplan/internal/cluster"
)

// Snapshot observes the selected topics, every group of the cluster that reads
// any of them (R11: a reader outside the plan counts too), and the brokers.
// Topics whose configs are the same share one map, which must not be changed.
func (c *Client) Snapshot(ctx context.Context, want func(topic string) bool) (cluster.Snapshot, error) {
	snap := cluster.Snapshot{ClusterID: c.id, At: time.Now()}
	var seen view
	whole := c.waits.begin("reading its topics, groups and log ends")
	defer c.waits.end(whole)
	err := c.retry(ctx, "describing its topics", func() (err error) {
		seen, err = c.view(ctx, nil, want)
		return err
	})
	if err != nil {
		return snap, err
	}
	seen.leaveInternal()
	want = seen.wants(want)
	snap.Topics, snap.Controller, snap.Brokers, snap.Replicas = seen.topics, seen.controller, seen.brokers, seen.replicas
	snap.Others = slices.Sorted(slices.Values(seen.others))
	err = c.retry(ctx, "reading its config defaults", func() (err error) {
		snap.Defaults, err = c.defaults(ctx, seen)
		return err
	})
	if err != nil {
		return snap, err
	}
	// Positions first: under load a position read after the log's end could lie
	// beyond it.
	if snap.Groups, err = c.groupsReading(ctx, want); err != nil {
		return snap, err
	}
	names := slices.Sorted(maps.Keys(seen.topics))
	first := true
	err = c.retry(ctx, "reading the log ends", func() (err error) {
		before, told := seen.leaders, seen.told
		if !first { // a leader has moved: who leads now?
			if before, told, err = c.leaders(names); err != nil {
				return err
			}
		}
		first = false
		snap.LogEnds, err = c.endsBetween(before, told, names)
		return err
	})
	if err != nil {
		return snap, err
	}
	newest, err := c.keyed(ctx, snap.LogEnds, seen.leaders)
	if err != nil {
		return snap, fmt.Errorf("looking whether records carry keys: %w", err)
	}
	snap.Keyed, snap.Unread = newest.keyed, newest.unread
	return snap, nil
}
