package kafka

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/IBM/sarama"
	"golang.org/x/sync/errgroup"

	"kplan/internal/cluster"
)

const (
	// parallelGroups bounds how many groups are asked about one by one.
	parallelGroups = 16
	// describeGroups and fetchGroups are how many groups one request asks about.
	describeGroups = 200
	fetchGroups    = 100
	// lanes is how many connections ask a broker for the positions of one group
	// after the other.
	lanes = 4

	apiOffsetFetch   = 9
	manyGroupsPerAsk = 8 // the version of OffsetFetch that takes many groups (KIP-709, Kafka 3.0)
)

// groupsReading returns every group that has a commit, an assignment or a
// subscription on a selected topic, and every share group.
//
// All brokers are asked at once, each for the groups that it coordinates: who
// lists a group is the one to ask for the rest. A broker that does not answer
// makes the list incomplete, and that is an error. Groups that move to another
// coordinator meanwhile are asked about one by one.
func (c *Client) groupsReading(ctx context.Context, want func(topic string) bool) (map[string]cluster.Group, error) {
	var brokers []*sarama.Broker
	err := c.retry(ctx, "asking who the brokers are", func() (err error) {
		brokers, err = c.brokers()
		return err
	})
	if err != nil {
		return nil, err
	}
	found := &scan{want: want, groups: map[string]cluster.Group{}, moved: map[string]bool{}}
	g, gctx := errgroup.WithContext(ctx)
	for _, b := range brokers {
		g.Go(func() error {
			err := c.retry(gctx, fmt.Sprintf("reading the groups of broker %d", b.ID()), func() error { // a broker that has just started loads its groups first
				b, err := c.broker(b.ID())
				if err != nil {
					return err
				}
				return c.groupsOf(gctx, b, found)
			})
			if err != nil {
				return fmt.Errorf("reading the groups of broker %d of %s: %w", b.ID(), c.ep.Name(), err)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	g, gctx = errgroup.WithContext(ctx)
	g.SetLimit(parallelGroups)
	for id := range found.moved {
		g.Go(func() error {
			group, err := c.Group(gctx, id)
			if err == nil && group.State != dead {
				found.keep(group)
			}
			return err
		})
	}
	return found.groups, g.Wait()
}

// scan collects groups from all brokers.
type scan struct {
	want func(topic string) bool

	mu     sync.Mutex
	groups map[string]cluster.Group
	moved  map[string]bool
}

func (s *scan) keep(g cluster.Group) {
	if strings.HasPrefix(g.ID, cluster.OwnPrefix) {
		return // the mirror's workers share partitions through it, and read nothing with it
	}
	reads := g.Type == cluster.GroupShare // nobody can tell what it reads
	for topic := range g.Topics() {
		reads = reads || s.want(topic)
	}
	if !reads {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.groups[g.ID] = g
}

func (s *scan) later(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.moved[id] = true
}

// groupsOf reads the groups that one broker coordinates.
func (c *Client) groupsOf(ctx context.Context, b *sarama.Broker, found *scan) error {
	all, err := listGroups(b)
	if err != nil {
		return err
	}
	var classic, consumer []string
	groups := make(map[string]cluster.Group, len(all))
	for id, l := range all {
		switch l.kind {
		case cluster.GroupClassic:
			classic = append(classic, id)
		case cluster.GroupConsumer:
			consumer = append(consumer, id)
		case cluster.GroupStreams:
			// Its members have a request of their own; what it reads is in its commits.
			groups[id] = cluster.Group{ID: id, Type: l.kind, State: l.state}
		default:
			// A share group commits nothing: its name and type are all there is.
			found.keep(cluster.Group{ID: id, Type: l.kind, State: l.state})
		}
	}
	for _, q := range []struct {
		ids      []string
		describe func(*sarama.Broker, []string) ([]described, error)
	}{{classic, describeClassics}, {consumer, describeConsumers}} {
		for _, ids := range chunks(q.ids, describeGroups) {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			answers, err := q.describe(b, ids)
			if err != nil {
				return err
			}
			for _, d := range answers {
				switch {
				case errors.Is(d.code, sarama.ErrNoError) && d.group.State != dead:
					groups[d.group.ID] = d.group
				case errors.Is(d.code, sarama.ErrNoError), errors.Is(d.code, sarama.ErrGroupIDNotFound), retriable(d.code):
					found.later(d.group.ID) // gone, moved, or of another type by now
				default:
					return fmt.Errorf("describing group %q: %w", d.group.ID, d.code)
				}
			}
		}
	}
	return c.positions(ctx, b, groups, found)
}

// positions reads the commits of the groups from their coordinator.
func (c *Client) positions(ctx context.Context, b *sarama.Broker, groups map[string]cluster.Group, found *scan) error {
	ids := make([]string, 0, len(groups))
	for id := range groups {
		ids = append(ids, id)
	}
	take := func(id string, commits map[cluster.TopicPartition]cluster.Commit, err error) error {
		if err != nil && retriable(err) {
			found.later(id)
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading the committed offsets of group %q: %w", id, err)
		}
		group := groups[id]
		group.Commits = commits
		found.keep(group)
		return nil
	}
	many, err := takesManyGroups(b)
	if err != nil {
		return err
	}
	if !many {
		return c.positionsInLanes(ctx, b, ids, take)
	}
	for _, ids := range chunks(ids, fetchGroups) {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		req := &sarama.OffsetFetchRequest{Version: manyGroupsPerAsk}
		for _, id := range ids {
			req.Groups = append(req.Groups, sarama.OffsetFetchRequestGroup{GroupId: id})
		}
		resp, err := b.FetchOffset(req)
		if err != nil {
			return err
		}
		if len(resp.Groups) != len(ids) {
			return sarama.ErrIncompleteResponse
		}
		for _, g := range resp.Groups {
			commits, err := commitsOf(g.Err, g.Blocks)
			if err := take(g.GroupId, commits, err); err != nil {
				return err
			}
		}
	}
	return nil
}

// takesManyGroups asks a broker whether one OffsetFetch may name many groups.
func takesManyGroups(b *sarama.Broker) (bool, error) {
	resp, err := b.ApiVersions(&sarama.ApiVersionsRequest{})
	if err != nil {
		return false, err
	}
	for _, api := range resp.ApiKeys {
		if api.ApiKey == apiOffsetFetch {
			return api.MaxVersion >= manyGroupsPerAsk, nil
		}
	}
	return false, nil
}

// positionsInLanes asks an older broker, one group a request. A connection
// carries one request at a time, so there are some more of them.
func (c *Client) positionsInLanes(ctx context.Context, b *sarama.Broker, ids []string, take func(string, map[cluster.TopicPartition]cluster.Commit, error) error) error {
	var next atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	for range min(lanes, len(ids)) {
		g.Go(func() (err error) {
			lane := sarama.NewBroker(b.Addr())
			if err := lane.Open(c.conf); err != nil {
				return err
			}
			defer func() { _ = lane.Close() }() // what it was asked has been answered, or said why not
			for i := int(next.Add(1)) - 1; i < len(ids); i = int(next.Add(1)) - 1 {
				if ctx.Err() != nil {
					return context.Cause(ctx)
				}
				got, err := commits(lane, c.conf.Version, ids[i], nil, false)
				if disconnected(err) {
					return err
				}
				if err := take(ids[i], got, err); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return g.Wait()
}
