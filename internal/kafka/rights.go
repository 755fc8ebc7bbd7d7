package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/IBM/sarama"
	"golang.org/x/sync/errgroup"

	"kplan/internal/cluster"
)

// withRights is the last version of Metadata that also tells the rights on the
// cluster: KIP-700 took them out of the next one.
const withRights = 10

// Rights asks what the client's principal may do on the cluster, on these topics
// and with these groups, whether those exist or not (KIP-430; brokers from 2.3).
// What may not be described is absent; without Describe on the cluster the
// rights on it are an empty map, whatever else is allowed. Where there is no
// authorizer everything is allowed. Topics may share a map, which must not be
// changed. A cluster
// that never had a consumer group would make its topic of offsets if it were
// asked about one: it is not, see cluster.Rights.NoGroups.
func (c *Client) Rights(ctx context.Context, topics, groups []string) (cluster.Rights, error) {
	r := cluster.Rights{Cluster: map[string]bool{}, Topics: map[string]map[string]bool{}, Groups: map[string]map[string]bool{}}
	todo := chunks(topics, describeTopics)
	if len(todo) == 0 {
		todo = [][]string{{}}
	}
	var mu sync.Mutex
	shared := map[int32]map[string]bool{}
	err := c.retry(ctx, "asking what kplan may do", func() error {
		return c.spread(ctx, len(todo), func(b *sarama.Broker, question int) error {
			resp, err := b.GetMetadata(&sarama.MetadataRequest{
				Version: withRights, Topics: todo[question], IncludeClusterAuthorizedOperations: true, IncludeTopicAuthorizedOperations: true,
			})
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			return noteRights(&r, resp, shared)
		})
	})
	if err != nil {
		return r, fmt.Errorf("asking %s what this principal may do: %w", c.ep.Name(), err)
	}
	if len(groups) == 0 {
		return r, nil
	}
	err = c.retry(ctx, "asking whether there are groups", func() error {
		there, err := c.hasOffsets()
		r.NoGroups = !there
		return err
	})
	if err != nil || r.NoGroups {
		return r, err
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(parallelGroups)
	for _, group := range groups {
		g.Go(func() error {
			operations, err := c.groupRights(gctx, group)
			if err != nil {
				return fmt.Errorf("asking %s what this principal may do with group %q: %w", c.ep.Name(), group, err)
			}
			if operations != nil {
				mu.Lock()
				defer mu.Unlock()
				r.Groups[group] = operations
			}
			return nil
		})
	}
	return r, g.Wait()
}

// hasOffsets reports whether the cluster's topic of offsets is known to be there.
// One that may not be described shows among the logs on the brokers' disks.
func (c *Client) hasOffsets() (bool, error) {
	meta, err := c.metadata([]string{offsetsTopic})
	if err != nil {
		return false, fmt.Errorf("asking %s for its topic of offsets: %w", c.ep.Name(), err)
	}
	for _, t := range meta.Topics {
		if !errors.Is(t.Err, sarama.ErrTopicAuthorizationFailed) {
			return len(t.Partitions) > 0, nil
		}
	}
	brokers, err := c.brokers()
	if err != nil {
		return false, err
	}
	for _, b := range brokers {
		dirs, err := b.DescribeLogDirs(&sarama.DescribeLogDirsRequest{Version: 4})
		if err != nil {
			return false, fmt.Errorf("asking broker %d for its log directories: %w", b.ID(), err)
		}
		for _, dir := range dirs.LogDirs {
			if slices.ContainsFunc(dir.Topics, func(t sarama.DescribeLogDirsResponseTopic) bool { return t.Topic == offsetsTopic }) {
				return true, nil
			}
		}
	}
	return false, nil
}

// GroupNames lists every group of the cluster, also those that may not be
// described; without Describe on the cluster, only those that may.
func (c *Client) GroupNames(ctx context.Context) ([]string, error) {
	names := map[string]bool{}
	err := c.retry(ctx, "listing the groups", func() error {
		brokers, err := c.brokers()
		if err != nil {
			return err
		}
		for _, b := range brokers {
			groups, err := listGroups(b)
			if err != nil {
				return fmt.Errorf("broker %d: %w", b.ID(), err)
			}
			for id := range groups {
				names[id] = true
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("listing the groups of %s: %w", c.ep.Name(), err)
	}
	return slices.Sorted(maps.Keys(names)), nil
}

// noteRights takes the rights out of an answer. Topics with the same ones share a
// map: of ten thousand most do.
func noteRights(r *cluster.Rights, resp *sarama.MetadataResponse, shared map[int32]map[string]bool) error {
	onCluster, told := operationsIn(resp.ClusterAuthorizedOperations)
	if !told || resp.Version < 8 {
		return cluster.ErrRightsUntold
	}
	r.Cluster = onCluster
	for _, t := range resp.Topics {
		switch {
		case errors.Is(t.Err, sarama.ErrTopicAuthorizationFailed):
		case errors.Is(t.Err, sarama.ErrNoError), errors.Is(t.Err, sarama.ErrUnknownTopicOrPartition), errors.Is(t.Err, sarama.ErrLeaderNotAvailable):
			// A topic that is not there has rights all the same: those that
			// rules give by its name.
			operations, known := shared[t.TopicAuthorizedOperations]
			if !known {
				if operations, known = operationsIn(t.TopicAuthorizedOperations); !known {
					continue
				}
				shared[t.TopicAuthorizedOperations] = operations
			}
			r.Topics[t.Name] = operations
		case errors.Is(t.Err, sarama.ErrInvalidTopic): // the plan's own checks name it
		default:
			return fmt.Errorf("topic %q: %w", t.Name, t.Err)
		}
	}
	return nil
}

// groupRights asks the group's coordinator, which also answers for groups that
// do not exist; nil where the group may not be described.
func (c *Client) groupRights(ctx context.Context, group string) (map[string]bool, error) {
	var operations map[string]bool
	err := c.retry(ctx, fmt.Sprintf("asking what kplan may do with group %q", group), func() error {
		err := func() error {
			coordinator, err := c.client.Coordinator(group)
			if err != nil {
				return err
			}
			resp, err := coordinator.DescribeGroups(&sarama.DescribeGroupsRequest{Version: 5, Groups: []string{group}, IncludeAuthorizedOperations: true})
			if err != nil {
				return err
			}
			if len(resp.Groups) != 1 {
				return sarama.ErrIncompleteResponse
			}
			if !errors.Is(resp.Groups[0].Err, sarama.ErrNoError) {
				return resp.Groups[0].Err
			}
			var told bool
			if operations, told = operationsIn(resp.Groups[0].AuthorizedOperations); !told {
				return cluster.ErrRightsUntold
			}
			return nil
		}()
		if err != nil {
			_ = c.client.RefreshCoordinator(group) // the next try says if that fails
		}
		return err
	})
	if errors.Is(err, sarama.ErrGroupAuthorizationFailed) {
		return nil, nil
	}
	return operations, err
}

// NotAllowed reports whether an error of this package is that the principal
// lacks a right.
func NotAllowed(err error) bool {
	for _, code := range []error{
		cluster.ErrNotAllowed, sarama.ErrTopicAuthorizationFailed, sarama.ErrGroupAuthorizationFailed,
		sarama.ErrClusterAuthorizationFailed, sarama.ErrTransactionalIDAuthorizationFailed,
	} {
		if errors.Is(err, code) {
			return true
		}
	}
	return false
}
