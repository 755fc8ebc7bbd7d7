package kafka

import (
	"context"
	"errors"
	"fmt"

	"github.com/IBM/sarama"

	"kplan/internal/cluster"
)

// StableCommits reads the committed positions of a group for the partitions of
// topics, and waits while a transaction holds one of them back (OffsetFetch v7
// with require_stable, KIP-447; brokers before 2.5 refuse it). Partitions
// without a commit are absent.
func (c *Client) StableCommits(ctx context.Context, group string, partitions map[string][]int32) (map[cluster.TopicPartition]cluster.Commit, error) {
	var got map[cluster.TopicPartition]cluster.Commit
	err := c.retry(ctx, fmt.Sprintf("reading the committed offsets of group %q", group), func() error {
		coordinator, err := c.client.Coordinator(group)
		if err == nil {
			got, err = commits(coordinator, c.conf.Version, group, partitions, true)
		}
		if err != nil {
			_ = c.client.RefreshCoordinator(group) // the next try says if that fails
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading the committed offsets of group %q in %s: %w", group, c.ep.Name(), err)
	}
	return got, nil
}

func commits(b *sarama.Broker, v sarama.KafkaVersion, group string, partitions map[string][]int32, stable bool) (map[cluster.TopicPartition]cluster.Commit, error) {
	req := sarama.NewOffsetFetchRequest(v, group, partitions)
	req.RequireStable = stable
	resp, err := b.FetchOffset(req)
	if err != nil {
		return nil, err
	}
	if g := resp.GetGroup(group); g != nil {
		return commitsOf(g.Err, g.Blocks)
	}
	return commitsOf(resp.Err, resp.Blocks)
}

// commitsOf takes the commits out of the answer about one group. A group that
// never was has none.
func commitsOf(code sarama.KError, blocks map[string]map[int32]*sarama.OffsetFetchResponseBlock) (map[cluster.TopicPartition]cluster.Commit, error) {
	out := map[cluster.TopicPartition]cluster.Commit{}
	if errors.Is(code, sarama.ErrGroupIDNotFound) {
		return out, nil
	}
	if !errors.Is(code, sarama.ErrNoError) {
		return nil, code
	}
	for topic, ps := range blocks {
		for p, block := range ps {
			if !errors.Is(block.Err, sarama.ErrNoError) {
				return nil, fmt.Errorf("%s[%d]: %w", topic, p, block.Err)
			}
			if block.Offset >= 0 {
				out[cluster.TopicPartition{Topic: topic, Partition: p}] = cluster.Commit{Offset: block.Offset, Metadata: block.Metadata}
			}
		}
	}
	return out, nil
}

// Commit places positions for a group that nobody is a member of, with leader
// epoch -1 always: a copied epoch stops or rewinds Java consumers (R9). The
// metadata goes along byte for byte. While somebody is a member the error is
// cluster.ErrGroupHasMembers: the coordinator then takes commits from members
// only.
func (c *Client) Commit(ctx context.Context, group string, positions map[cluster.TopicPartition]cluster.Commit) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	offsets := map[string]map[int32]sarama.OffsetAndMetadata{}
	for tp, commit := range positions {
		if offsets[tp.Topic] == nil {
			offsets[tp.Topic] = map[int32]sarama.OffsetAndMetadata{}
		}
		offsets[tp.Topic][tp.Partition] = sarama.OffsetAndMetadata{Offset: commit.Offset, Metadata: commit.Metadata, LeaderEpoch: -1}
	}
	err := c.retry(ctx, fmt.Sprintf("placing offsets of group %q", group), func() error { // the same positions again do no harm
		err := c.commitOnce(group, offsets)
		if err != nil {
			_ = c.client.RefreshCoordinator(group) // the next try says if that fails
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("placing offsets of group %q in %s: %w", group, c.ep.Name(), err)
	}
	return nil
}

// commitOnce sends all offsets. The answer has an error for each partition and
// none of its own.
func (c *Client) commitOnce(group string, offsets map[string]map[int32]sarama.OffsetAndMetadata) error {
	coordinator, err := c.client.Coordinator(group)
	if err != nil {
		return err
	}
	req := sarama.NewOffsetCommitRequest(c.conf, group)
	for topic, ps := range offsets {
		for p, at := range ps {
			req.AddBlockWithLeaderEpoch(topic, p, at.Offset, at.LeaderEpoch, 0, at.Metadata)
		}
	}
	resp, err := coordinator.CommitOffset(req)
	if err != nil {
		return err
	}
	var again error
	for topic, ps := range offsets {
		for p := range ps {
			kerr, told := resp.Errors[topic][p]
			at := cluster.TopicPartition{Topic: topic, Partition: p}
			switch {
			case !told:
				return fmt.Errorf("%s: %w", at, sarama.ErrIncompleteResponse)
			case errors.Is(kerr, sarama.ErrNoError):
			case errors.Is(kerr, sarama.ErrUnknownMemberId), errors.Is(kerr, sarama.ErrIllegalGeneration), errors.Is(kerr, sarama.ErrRebalanceInProgress):
				return fmt.Errorf("%s: %w", at, cluster.ErrGroupHasMembers)
			case retriable(kerr):
				again = fmt.Errorf("%s: %w", at, kerr)
			default:
				return fmt.Errorf("%s: %w", at, kerr)
			}
		}
	}
	return again
}

// RemoveMembers takes members out of a group that went without saying so:
// static ones by group.instance.id, dynamic ones by member id (LeaveGroup v3,
// KIP-345; it works for KIP-848 groups too). Members that are already gone are
// no error.
func (c *Client) RemoveMembers(ctx context.Context, group string, members []cluster.Member) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	req := &sarama.LeaveGroupRequest{Version: 3, GroupId: group}
	for _, m := range members {
		id := sarama.MemberIdentity{MemberId: m.ID}
		if m.InstanceID != "" {
			id = sarama.MemberIdentity{GroupInstanceId: &m.InstanceID}
		}
		req.Members = append(req.Members, id)
	}
	var resp *sarama.LeaveGroupResponse
	err := c.retry(ctx, fmt.Sprintf("removing members of group %q", group), func() error { // who is gone already is no error
		coordinator, err := c.client.Coordinator(group)
		if err == nil {
			resp, err = coordinator.LeaveGroup(req)
		}
		if err == nil && !errors.Is(resp.Err, sarama.ErrNoError) {
			err = resp.Err
		}
		for i := 0; err == nil && i < len(resp.Members); i++ {
			if kerr := resp.Members[i].Err; retriable(kerr) {
				err = fmt.Errorf("member %q: %w", resp.Members[i].MemberId, kerr)
			}
		}
		if err != nil {
			_ = c.client.RefreshCoordinator(group) // the next try says if that fails
		}
		return err
	})
	if errors.Is(err, sarama.ErrGroupIDNotFound) || errors.Is(err, sarama.ErrUnknownMemberId) {
		return nil // gone with the group
	}
	if err != nil {
		return fmt.Errorf("removing members of group %q in %s: %w", group, c.ep.Name(), err)
	}
	for _, m := range resp.Members {
		if !errors.Is(m.Err, sarama.ErrNoError) && !errors.Is(m.Err, sarama.ErrUnknownMemberId) {
			return fmt.Errorf("removing member %q of group %q in %s: %w", m.MemberId, group, c.ep.Name(), m.Err)
		}
	}
	return nil
}
