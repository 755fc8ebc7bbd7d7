package workload

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/IBM/sarama"
)

// joinLimit bounds how long a service tries to join its group before it gives
// up; once it joined it never does.
const joinLimit = 20 * time.Second

func readerConfig(cfg *sarama.Config) {
	cfg.Consumer.Offsets.Initial = sarama.OffsetNewest // auto.offset.reset=latest
	cfg.Consumer.Offsets.AutoCommit.Enable = true
	cfg.Consumer.Offsets.AutoCommit.Interval = 200 * time.Millisecond
	cfg.Consumer.Offsets.Retry.Max = 10
	cfg.Consumer.Return.Errors = true
	cfg.Consumer.Retry.Backoff = 100 * time.Millisecond
	// A few records at a time: a broker that answers for each has a hundred times
	// the work.
	cfg.Consumer.Fetch.Min, cfg.Consumer.MaxWaitTime = 16<<10, 100*time.Millisecond
	cfg.Consumer.MaxProcessingTime = time.Second
	cfg.Consumer.Group.Heartbeat.Interval = 500 * time.Millisecond
	cfg.Consumer.Group.Session.Timeout = 10 * time.Second
	cfg.Consumer.Group.Rebalance.Timeout = 20 * time.Second
	cfg.Consumer.Group.Rebalance.Retry.Backoff = 200 * time.Millisecond
	cfg.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{sarama.NewBalanceStrategyRange()}
}

// reading is one run of a consumer or processor; it is sarama's handler.
type reading struct {
	svc    Service
	log    *slog.Logger
	ledger *ledger
	pos    *positions
	out    sarama.SyncProducer // of a processor, else nil
	stop   context.Context     // ends when the service is to stop
	ready  func() error

	mu      sync.Mutex
	waiting int // claims of the session that do not run yet
	joined  bool
	failure error
	next    time.Time // when the next record may be handled, with a Pace
}

func runReader(ctx context.Context, p instanceRun) (err error) {
	cfg, err := p.conn.config(p.dir, p.svc.Name)
	if err != nil {
		return err
	}
	readerConfig(cfg)
	client, err := sarama.NewClient(p.conn.Bootstrap, cfg)
	if err != nil {
		return fmt.Errorf("connecting the consumer to %v: %w", p.conn.Bootstrap, err)
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	admin, err := sarama.NewClusterAdmin(p.conn.Bootstrap, cfg)
	if err != nil {
		return fmt.Errorf("connecting to %v: %w", p.conn.Bootstrap, err)
	}
	defer func() { err = errors.Join(err, admin.Close()) }()
	run := &reading{
		svc: p.svc, log: p.log, ledger: p.ledger, stop: ctx, ready: p.ready,
		pos: &positions{group: p.svc.Group, client: client, admin: admin},
	}
	if p.svc.Role == Processor {
		if run.out, err = openOutput(p); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, run.out.Close()) }()
	}
	group, err := sarama.NewConsumerGroupFromClient(p.svc.Group, client)
	if err != nil {
		return fmt.Errorf("preparing group %q: %w", p.svc.Group, err)
	}
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		for e := range group.Errors() {
			p.log.Warn("consuming", "error", e)
		}
	}()
	err = run.consume(ctx, group)
	// Close leaves the group and waits for the session to end.
	err = errors.Join(err, group.Close())
	<-drained
	run.mu.Lock()
	defer run.mu.Unlock()
	return errors.Join(err, run.failure)
}

func openOutput(p instanceRun) (sarama.SyncProducer, error) {
	cfg, err := p.conn.config(p.dir, p.svc.Name)
	if err != nil {
		return nil, err
	}
	producerConfig(cfg)
	out, err := sarama.NewSyncProducer(p.conn.Bootstrap, cfg)
	if err != nil {
		return nil, fmt.Errorf("connecting the processor's output to %v: %w", p.conn.Bootstrap, err)
	}
	return out, nil
}

// consume joins the group again and again: sarama's sessions end with every
// rebalance.
func (r *reading) consume(ctx context.Context, group sarama.ConsumerGroup) error {
	began := time.Now()
	for {
		err := group.Consume(ctx, r.svc.Consumes, r)
		r.mu.Lock()
		joined, failure := r.joined, r.failure
		r.mu.Unlock()
		switch {
		case ctx.Err() != nil || failure != nil:
			return nil
		case err == nil:
			continue
		case !joined && time.Since(began) > joinLimit:
			return fmt.Errorf("joining group %q: %w", r.svc.Group, err)
		}
		r.log.Warn("joining again", "group", r.svc.Group, "error", err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// Setup begins a session.
func (r *reading) Setup(session sarama.ConsumerGroupSession) error {
	if err := r.pos.begin(session, !r.svc.LazyCommit); err != nil {
		return err
	}
	claims := 0
	for _, partitions := range session.Claims() {
		claims += len(partitions)
	}
	r.mu.Lock()
	r.waiting = claims
	r.mu.Unlock()
	if claims == 0 {
		return r.hasJoined()
	}
	return nil
}

// Cleanup ends a session, after the last record was handled.
func (r *reading) Cleanup(session sarama.ConsumerGroupSession) error {
	err := r.pos.commit(session)
	if err != nil && r.stop.Err() != nil {
		r.fail(err) // a stop that promised a commit must not pass without it
	}
	return err
}

// ConsumeClaim handles one partition's records until the session ends.
func (r *reading) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	r.mu.Lock()
	r.waiting--
	last := r.waiting == 0
	r.mu.Unlock()
	if last {
		if err := r.hasJoined(); err != nil {
			r.fail(err)
			return err
		}
	}
	for {
		select {
		case <-session.Context().Done():
			return nil
		case m, ok := <-claim.Messages():
			if !ok {
				return nil
			}
			batch := gather(m, claim.Messages(), r.batchLimit())
			if err := r.handle(session, batch); err != nil {
				r.fail(err)
				return err
			}
			r.keepPace(session.Context(), len(batch))
		}
	}
}

func (r *reading) batchLimit() int {
	if r.svc.Pace > 0 {
		return r.svc.Pace/10 + 1
	}
	return 500
}

// keepPace waits so long that all partitions together keep below Pace.
func (r *reading) keepPace(ctx context.Context, handled int) {
	if r.svc.Pace == 0 {
		return
	}
	r.mu.Lock()
	now := time.Now()
	if r.next.Before(now) {
		r.next = now
	}
	r.next = r.next.Add(time.Duration(handled) * time.Second / time.Duration(r.svc.Pace))
	wait := r.next.Sub(now)
	r.mu.Unlock()
	select {
	case <-ctx.Done():
	case <-time.After(wait):
	}
}

// gather takes what is already there, for a processor pays a round trip per
// batch.
func gather(first *sarama.ConsumerMessage, more <-chan *sarama.ConsumerMessage, limit int) []*sarama.ConsumerMessage {
	batch := []*sarama.ConsumerMessage{first}
	for len(batch) < limit {
		select {
		case m, ok := <-more:
			if !ok {
				return batch
			}
			batch = append(batch, m)
		default:
			return batch
		}
	}
	return batch
}

// handle does a batch's work completely: output, ledger, then the mark that is
// committed.
func (r *reading) handle(session sarama.ConsumerGroupSession, batch []*sarama.ConsumerMessage) error {
	now := time.Now().UnixNano()
	inputs := make([]entry, 0, len(batch))
	for _, m := range batch {
		rec := decode(m.Topic, m.Key, m.Value)
		inputs = append(inputs, entry{
			deed: received, at: now, topic: m.Topic, partition: m.Partition, offset: m.Offset,
			key: rec.Key, seq: rec.Seq, good: rec.good,
		})
	}
	if r.out != nil {
		if err := r.process(inputs); err != nil {
			return err
		}
	}
	if err := r.ledger.append(inputs...); err != nil {
		return err
	}
	last := batch[len(batch)-1]
	r.pos.mark(session, last.Topic, last.Partition, last.Offset+1)
	return nil
}

func (r *reading) hasJoined() error {
	r.mu.Lock()
	again := r.joined
	r.joined = true
	r.mu.Unlock()
	if again {
		return nil
	}
	return r.ready()
}

// fail ends the run with the first error that must not be retried.
func (r *reading) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failure == nil {
		r.failure = err
	}
}
