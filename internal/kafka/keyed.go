package kafka

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	"github.com/IBM/sarama"
	"golang.org/x/sync/errgroup"

	"kplan/internal/cluster"
)

const (
	// samplesPerFetch bounds how many partitions one Fetch looks at, and with
	// sampleBytes how large its answer can get.
	samplesPerFetch = 100
	sampleBytes     = 64 << 10
)

// keyed samples the newest record of each partition and says which topics
// carry keys. A topic without records is absent. It looks at one partition of
// every topic at a time, many in one request, and at the next ones of those
// topics only whose record had no key.
func (c *Client) keyed(ctx context.Context, ends map[cluster.TopicPartition]cluster.LogEnds, leaders map[cluster.TopicPartition]leader) (map[string]bool, error) {
	unknown := map[string][]cluster.TopicPartition{}
	for tp, e := range ends {
		if e.LastStable > e.LogStart {
			unknown[tp.Topic] = append(unknown[tp.Topic], tp)
		}
	}
	keyed := map[string]bool{}
	for len(unknown) > 0 {
		byLeader := map[int32][]cluster.TopicPartition{}
		for topic, left := range unknown {
			byLeader[leaders[left[0]].id] = append(byLeader[leaders[left[0]].id], left[0])
			if unknown[topic] = left[1:]; len(left) == 1 {
				delete(unknown, topic)
			}
		}
		found, err := c.sampleRound(ctx, byLeader, ends)
		if err != nil {
			return nil, err
		}
		for _, topic := range found {
			keyed[topic] = true
			delete(unknown, topic)
		}
	}
	return keyed, nil
}

// sampleRound looks at the partitions and returns the topics that carry keys.
func (c *Client) sampleRound(ctx context.Context, byLeader map[int32][]cluster.TopicPartition, ends map[cluster.TopicPartition]cluster.LogEnds) ([]string, error) {
	var (
		mu     sync.Mutex
		keyed  []string
		single []cluster.TopicPartition
	)
	g, gctx := errgroup.WithContext(ctx)
	for _, id := range slices.Sorted(maps.Keys(byLeader)) {
		g.Go(func() error {
			for _, some := range chunks(byLeader[id], samplesPerFetch) {
				if gctx.Err() != nil {
					return context.Cause(gctx)
				}
				with, open := c.sample(id, some, ends)
				mu.Lock()
				keyed, single = append(keyed, with...), append(single, open...)
				mu.Unlock()
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	g, gctx = errgroup.WithContext(ctx)
	g.SetLimit(parallelGroups)
	for _, tp := range single {
		g.Go(func() error {
			rec, ok, err := c.FirstRecord(gctx, tp, ends[tp].LastStable-1, ends[tp].LastStable)
			if errors.Is(err, sarama.ErrOffsetOutOfRange) {
				return nil // deleted by retention meanwhile
			}
			if err == nil && ok && rec.HasKey {
				mu.Lock()
				keyed = append(keyed, tp.Topic)
				mu.Unlock()
			}
			return err
		})
	}
	return keyed, g.Wait()
}

// sample fetches the newest records of partitions of one leader. It returns the
// topics whose record has a key, and the partitions about which the answer says
// nothing: too large a batch, a leader that moved, a broken connection. Those
// are looked at one by one, with patience.
func (c *Client) sample(leader int32, tps []cluster.TopicPartition, ends map[cluster.TopicPartition]cluster.LogEnds) (keyed []string, open []cluster.TopicPartition) {
	b, err := c.broker(leader)
	if err != nil {
		return nil, tps
	}
	req := &sarama.FetchRequest{
		Version: 11, MaxWaitTime: 100, MinBytes: 1, MaxBytes: samplesPerFetch * sampleBytes,
		Isolation: sarama.ReadCommitted, SessionEpoch: -1,
	}
	for _, tp := range tps {
		req.AddBlock(tp.Topic, tp.Partition, ends[tp].LastStable-1, sampleBytes, -1)
	}
	resp, err := b.Fetch(req)
	if err != nil {
		return nil, tps
	}
	for _, tp := range tps {
		block, from := resp.GetBlock(tp.Topic, tp.Partition), ends[tp].LastStable-1
		if block == nil || !errors.Is(block.Err, sarama.ErrNoError) {
			open = append(open, tp)
			continue
		}
		switch page := visible(block, from); {
		case page.first == nil && page.next <= from:
			open = append(open, tp)
		case page.first != nil && page.first.Offset < ends[tp].LastStable && page.first.HasKey:
			keyed = append(keyed, tp.Topic)
		}
	}
	return keyed, open
}
