package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"

	"kplan/internal/cluster"
	"kplan/internal/endpoint"
	"kplan/mirror/batch"
	"kplan/mirror/wire"
)

// lookMemory bounds the answers that are looked at, in bytes; unpackedBatch what
// the records of one batch may unpack to.
const (
	lookMemory    = 64 << 20
	unpackedBatch = 64 << 20
)

// logs looks into logs with the mirror's own reader: what one of the two can
// read the other can. The client library's decoder ends at the first record that
// it does not understand, such as one of format 0 with an LZ4 frame of old
// clients (KAFKA-3160). It is safe for concurrent use.
type logs struct {
	wire *wire.Client

	throttled atomic.Int64 // the last time for which an answer was held back, in nanoseconds

	mu      sync.Mutex
	leaders map[cluster.TopicPartition]leader
}

// newLogs looks into the logs of a cluster; patience is how long a broker may be
// silent.
func newLogs(ep endpoint.Endpoint, patience time.Duration) (*logs, error) {
	mechanism, err := wire.Mechanism(ep)
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", ep.Name(), err)
	}
	return &logs{
		leaders: map[cluster.TopicPartition]leader{},
		wire: wire.New(wire.Options{
			Bootstrap: ep.Bootstrap, TLS: ep.TLS, SASL: mechanism, Pool: wire.NewPool(lookMemory), Patience: patience,
		}),
	}, nil
}

// forget makes the next look ask who leads the partition.
func (l *logs) forget(tp cluster.TopicPartition) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.leaders, tp)
}

// leader is who leads, as the last metadata told.
func (l *logs) leader(ctx context.Context, tp cluster.TopicPartition) (leader, error) {
	l.mu.Lock()
	known, ok := l.leaders[tp]
	l.mu.Unlock()
	if ok {
		return known, nil
	}
	meta, err := l.wire.Metadata(ctx, []string{tp.Topic})
	if err != nil {
		return leader{}, err
	}
	topic := meta.Topics[tp.Topic]
	if topic.Err != nil {
		return leader{}, topic.Err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for p, at := range topic.Leaders {
		if at.Broker >= 0 {
			l.leaders[cluster.TopicPartition{Topic: tp.Topic, Partition: int32(p)}] = leader{id: at.Broker, epoch: at.Epoch}
		}
	}
	if known, ok = l.leaders[tp]; !ok {
		return leader{}, sarama.ErrLeaderNotAvailable
	}
	return known, nil
}

// errHeldBack says that a quota of kplan's user was exceeded: such an answer has
// no partitions at all, and the broker reads the next request when its time has
// come.
var errHeldBack = errors.New("a client quota holds the answers to kplan back")

// page fetches from one offset on. The leader is asked with its epoch: one that
// was deposed and has not noticed refuses.
func (l *logs) page(ctx context.Context, tp cluster.TopicPartition, from int64, size int32) (page, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout+requestTimeout)
	defer cancel()
	at, err := l.leader(ctx, tp)
	if err != nil {
		return page{}, coded(err)
	}
	pages, err := l.pages(ctx, at.id, []position{{tp: tp, from: from, epoch: at.epoch}}, size, size)
	if err != nil {
		return page{}, err
	}
	if len(pages) != 1 {
		return page{}, sarama.ErrIncompleteResponse
	}
	return pages[tp].page, pages[tp].err
}

// position is where to look.
type position struct {
	tp    cluster.TopicPartition
	from  int64
	epoch int32
}

// pageOf is what came of one position.
type pageOf struct {
	page
	err error
}

// pages asks one broker for several positions, so many bytes of each and of all.
func (l *logs) pages(ctx context.Context, broker int32, positions []position, each, all int32) (map[cluster.TopicPartition]pageOf, error) {
	conn, err := l.wire.Broker(ctx, broker, 0)
	if err != nil {
		return nil, coded(err)
	}
	f := wire.Fetch{MaxBytes: all, ReadCommitted: true}
	from := make(map[cluster.TopicPartition]int64, len(positions))
	for _, p := range positions {
		from[p.tp] = p.from
		f.Positions = append(f.Positions, wire.Position{
			Partition: wire.Partition{Topic: p.tp.Topic, Number: p.tp.Partition},
			Offset:    p.from, LeaderEpoch: p.epoch, LastEpoch: -1, MaxBytes: each,
		})
	}
	answer, err := conn.Fetch(ctx, f)
	if err != nil {
		return nil, coded(err)
	}
	defer answer.Release()
	l.throttled.Store(int64(answer.Throttled))
	if len(answer.Partitions) == 0 && answer.Throttled > 0 {
		return nil, errHeldBack
	}
	splicer, err := batch.NewSplicer(batch.Limits{Batch: unpackedBatch, Unpacked: unpackedBatch})
	if err != nil {
		return nil, err
	}
	pages := make(map[cluster.TopicPartition]pageOf, len(answer.Partitions))
	for _, p := range answer.Partitions {
		tp := cluster.TopicPartition{Topic: p.Topic, Partition: p.Number}
		if p.Err != nil {
			pages[tp] = pageOf{err: coded(p.Err)}
			continue
		}
		pages[tp] = pageOf{page: visible(p, from[tp], splicer)}
	}
	return pages, nil
}

// coded is a broker's error as the rest of the package knows it.
func coded(err error) error {
	if number, ok := wire.Number(err); ok {
		return sarama.KError(number)
	}
	return err
}
