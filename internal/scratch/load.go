package scratch

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kplan/internal/cluster"
	"kplan/internal/endpoint"
)

// LoadOptions say what to write.
type LoadOptions struct {
	BytesPerSecond float64 // before replication
	RecordSize     int     // bytes
	For            time.Duration
	Partitions     int32
	Replicas       int16 // -1: the brokers' default
}

const (
	beat       = 10 * time.Millisecond // how often what is due is handed over
	drainLimit = 20 * time.Second      // for what is under way at the end
	buffered   = 64 << 20              // bytes under way at most, so that a slow cluster holds the writer back
)

// Load writes at a steady rate to a scratch topic, with acks=all and without
// compression, and removes the topic, also when ctx ends. What went wrong is in
// the result; the error is that of a plan that cannot be used.
func Load(ctx context.Context, ep endpoint.Endpoint, o LoadOptions) (found cluster.Load, err error) {
	found = cluster.Load{Cluster: ep.Cluster, Wanted: o.BytesPerSecond, RecordSize: o.RecordSize, Partitions: int(o.Partitions), Replicas: int(o.Replicas)}
	client, err := dial(ep,
		kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.RequiredAcks(kgo.AllISRAcks()), kgo.ProducerLinger(5*time.Millisecond),
		kgo.MaxBufferedBytes(buffered), kgo.RecordDeliveryTimeout(drainLimit), kgo.RecordPartitioner(kgo.RoundRobinPartitioner()))
	if err != nil {
		return found, err
	}
	defer client.Close()
	made, err := create(ctx, client, "load", o.Partitions, o.Replicas)
	if made != nil {
		found.Topic = made.name
		defer func() { found.Left = made.remove(ctx) }()
	}
	if err != nil {
		found.Failed = err.Error()
		return found, nil
	}
	if found.Replicas < 0 {
		found.Replicas = made.replicas
	}
	w := &writer{client: client, topic: made.name, value: make([]byte, max(o.RecordSize, 1))}
	if _, err := rand.Read(w.value); err != nil { // bytes that nobody on the way can compress
		return found, fmt.Errorf("drawing bytes to write: %w", err)
	}
	w.run(ctx, o)
	w.mu.Lock() // what is still under way may be acknowledged now
	defer w.mu.Unlock()
	found.Records, found.Took, found.Slowest = w.done, w.took, w.slowest
	if span := w.last.Sub(w.first); span > 0 {
		found.Achieved = min(o.BytesPerSecond, float64(w.done)*float64(len(w.value))/span.Seconds())
	}
	if w.failed != nil {
		found.Failed = named(w.failed)
	}
	return found, nil
}

// writer hands records over and counts what comes back.
type writer struct {
	client *kgo.Client
	topic  string
	value  []byte
	took   time.Duration

	mu      sync.Mutex
	first   time.Time // acknowledgement; how long it took is latency, and no lack of throughput
	last    time.Time
	done    int64
	slowest time.Duration
	failed  error
}

// run writes what is due at each beat, and waits for what is under way: what is
// not acknowledged at the end has not been borne in time, and counts.
func (w *writer) run(ctx context.Context, o LoadOptions) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	began := time.Now()
	tick := time.NewTicker(beat)
	defer tick.Stop()
	var sent int64
	for time.Since(began) < o.For && w.broken() == nil {
		due := int64(time.Since(began).Seconds() * o.BytesPerSecond / float64(len(w.value)))
		for ; sent < due && ctx.Err() == nil && time.Since(began) < o.For; sent++ {
			handed := time.Now()
			w.client.Produce(ctx, &kgo.Record{Topic: w.topic, Value: w.value}, func(_ *kgo.Record, err error) { w.acknowledged(handed, err) })
		}
		select {
		case <-ctx.Done():
			w.acknowledged(time.Now(), context.Cause(ctx))
			w.took = time.Since(began)
			return
		case <-tick.C:
		}
	}
	limit, stop := context.WithTimeout(ctx, drainLimit)
	defer stop()
	if err := w.client.Flush(limit); err != nil {
		w.acknowledged(time.Now(), fmt.Errorf("waiting for acknowledgements: %w", err))
	}
	w.took = time.Since(began)
}

func (w *writer) acknowledged(handed time.Time, err error) {
	took := time.Since(handed)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		if w.failed == nil || errors.Is(w.failed, context.Canceled) {
			w.failed = err
		}
		return
	}
	if w.last = time.Now(); w.done == 0 {
		w.first = w.last
	}
	w.done++
	w.slowest = max(w.slowest, took)
}

func (w *writer) broken() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.failed
}
