package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"kplan/internal/cluster"
)

const (
	// samplesPerFetch bounds how many partitions one Fetch looks at, and with
	// sampleBytes how large its answer can get.
	samplesPerFetch = 100
	sampleBytes     = 64 << 10
)

// sampled is what the newest records of topics showed.
type sampled struct {
	keyed  map[string]bool   // they carry keys
	unread map[string]string // they could not be looked at, and why
}

// keyed samples the newest record of each partition and says which topics
// carry keys. A topic without records is absent. It looks at one partition of
// every topic at a time, many in one request, and at the next ones of those
// topics only whose record had no key. What cannot be looked at is named and
// ends nothing; the error is that of an ended context.
func (c *Client) keyed(ctx context.Context, ends map[cluster.TopicPartition]cluster.LogEnds, leaders map[cluster.TopicPartition]leader) (sampled, error) {
	left := map[string][]cluster.TopicPartition{}
	for tp, e := range ends {
		if e.LastStable > e.LogStart {
			left[tp.Topic] = append(left[tp.Topic], tp)
		}
	}
	s := sampled{keyed: map[string]bool{}, unread: map[string]string{}}
	for len(left) > 0 {
		byLeader := map[int32][]position{}
		for topic, tps := range left {
			tp := tps[0]
			at := leaders[tp]
			byLeader[at.id] = append(byLeader[at.id], position{tp: tp, from: ends[tp].LastStable - 1, epoch: at.epoch})
			if left[topic] = tps[1:]; len(tps) == 1 {
				delete(left, topic)
			}
		}
		found, err := c.sampleRound(ctx, byLeader, ends)
		if err != nil {
			return s, err
		}
		for tp, rec := range found {
			switch {
			case rec.Unread != "":
				s.unread[tp.Topic] = fmt.Sprintf("%s: %s", tp, rec.Unread)
			case rec.HasKey:
				s.keyed[tp.Topic] = true
				delete(left, tp.Topic)
			}
		}
	}
	for topic := range s.keyed {
		delete(s.unread, topic) // one partition is enough
	}
	return s, nil
}

// sampleRound looks at the newest record of each position.
func (c *Client) sampleRound(ctx context.Context, byLeader map[int32][]position, ends map[cluster.TopicPartition]cluster.LogEnds) (map[cluster.TopicPartition]cluster.Record, error) {
	var (
		mu     sync.Mutex
		found  = map[cluster.TopicPartition]cluster.Record{}
		single []cluster.TopicPartition
	)
	if _, err := c.logs.wire.Metadata(ctx, nil); err != nil && ctx.Err() != nil { // where the brokers are; the looks say if that fails
		return nil, context.Cause(ctx)
	}
	g, gctx := errgroup.WithContext(ctx)
	for _, id := range slices.Sorted(maps.Keys(byLeader)) {
		g.Go(func() error {
			for _, some := range chunks(byLeader[id], samplesPerFetch) {
				if gctx.Err() != nil {
					return context.Cause(gctx)
				}
				seen, open := c.sample(gctx, id, some, ends)
				mu.Lock()
				maps.Copy(found, seen)
				single = append(single, open...)
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
			switch {
			case gctx.Err() != nil:
				return context.Cause(gctx)
			case err != nil:
				rec = cluster.Record{Unread: err.Error()}
			case !ok:
				return nil // a marker, or deleted by retention meanwhile
			}
			mu.Lock()
			defer mu.Unlock()
			found[tp] = rec
			return nil
		})
	}
	return found, g.Wait()
}

// sample fetches the newest records of partitions of one leader. It returns
// those that it was shown, and the partitions about which the answer says
// nothing: too large a batch, a leader that moved or is behind, a broken
// connection. Those are looked at one by one, with patience.
func (c *Client) sample(ctx context.Context, leader int32, at []position, ends map[cluster.TopicPartition]cluster.LogEnds) (found map[cluster.TopicPartition]cluster.Record, open []cluster.TopicPartition) {
	ctx, cancel := context.WithTimeoutCause(ctx, dialTimeout+requestTimeout, errors.New("no answer to a look at the newest records"))
	defer cancel()
	pages, err := c.logs.pages(ctx, leader, at, sampleBytes, samplesPerFetch*sampleBytes)
	found = map[cluster.TopicPartition]cluster.Record{}
	for _, p := range at {
		switch page, ok := pages[p.tp]; {
		case err != nil, !ok, page.err != nil, page.first == nil && page.next <= p.from:
			open = append(open, p.tp)
		case page.first != nil && page.first.Offset < ends[p.tp].LastStable:
			found[p.tp] = *page.first
		}
	}
	return found, open
}
