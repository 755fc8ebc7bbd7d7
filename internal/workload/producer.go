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

// flushLimit bounds how long a stop waits for records under way.
const flushLimit = 40 * time.Second

// tag travels with a message through sarama to its acknowledgement.
type tag struct {
	key string
	seq int64
}

// producerConfig makes sarama as careful as it can be: acks=all and idempotent,
// which allows one request in flight.
func producerConfig(cfg *sarama.Config) {
	cfg.Producer.RequiredAcks = sarama.WaitForAll
	cfg.Producer.Idempotent = true
	cfg.Net.MaxOpenRequests = 1
	cfg.Producer.Return.Successes, cfg.Producer.Return.Errors = true, true
	cfg.Producer.Flush.Frequency = 25 * time.Millisecond
	cfg.Producer.Retry.Max = 150
	cfg.Producer.Retry.Backoff = 100 * time.Millisecond
	cfg.Producer.Partitioner = sarama.NewHashPartitioner
}

// producing is one run of a producer.
type producing struct {
	svc    Service
	log    *slog.Logger
	ledger *ledger
	seqs   *sequences
	out    sarama.AsyncProducer
	ready  func() error

	mu      sync.Mutex
	failure error // of the ledger or the readiness; ends the run
}

func runProducer(ctx context.Context, p instanceRun) (err error) {
	cfg, err := p.conn.config(p.dir, p.svc.Name)
	if err != nil {
		return err
	}
	producerConfig(cfg)
	seqs, err := openSequences(ctx, p.dir, p.svc.Name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, seqs.close()) }()
	out, err := sarama.NewAsyncProducer(p.conn.Bootstrap, cfg)
	if err != nil {
		return fmt.Errorf("connecting the producer to %v: %w", p.conn.Bootstrap, err)
	}
	run := &producing{svc: p.svc, log: p.log, ledger: p.ledger, seqs: seqs, out: out, ready: p.ready}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	acked := make(chan struct{})
	go func() {
		defer close(acked)
		run.collect(cancel)
	}()
	err = run.generate(ctx)
	// AsyncClose sends what is queued and then closes both result channels.
	out.AsyncClose()
	select {
	case <-acked:
	case <-time.After(flushLimit):
		return errors.Join(err, fmt.Errorf("stopping: records were still not acknowledged after %s", flushLimit))
	}
	run.mu.Lock()
	defer run.mu.Unlock()
	return errors.Join(err, run.failure)
}

// generate hands records over at the wanted rate until the context ends. After
// a stall it catches up by at most one second's worth.
func (p *producing) generate(ctx context.Context) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	save := time.NewTicker(flushEvery)
	defer save.Stop()
	last, owed := time.Now(), 0.0
	for turn := 0; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-save.C:
			if err := p.seqs.save(); err != nil {
				return err
			}
			continue
		case <-tick.C:
		}
		now := time.Now()
		owed = min(owed+now.Sub(last).Seconds()*float64(p.svc.Rate), float64(p.svc.Rate))
		last = now
		for ; owed >= 1; owed-- {
			if ok, err := p.send(ctx, turn); err != nil || !ok {
				return err
			}
			turn++
		}
	}
}

// send hands one record over and tells whether it could before the context
// ended.
func (p *producing) send(ctx context.Context, turn int) (bool, error) {
	topic := p.svc.Produces[turn%len(p.svc.Produces)]
	key := fmt.Sprintf("%s-%03d", p.svc.Name, turn/len(p.svc.Produces)%p.svc.Keys)
	seq := p.seqs.next(topic, key)
	value, err := encode(topic, key, seq, time.Now(), p.svc.ValueBytes)
	if err != nil {
		return false, err
	}
	m := &sarama.ProducerMessage{
		Topic: topic, Key: sarama.StringEncoder(key), Value: sarama.ByteEncoder(value),
		Metadata: tag{key: key, seq: seq},
	}
	select {
	case <-ctx.Done():
		return false, nil
	case p.out.Input() <- m:
		p.seqs.sent(topic, key)
		return true, nil
	}
}

// collect writes what became of each record, until sarama closed both channels.
func (p *producing) collect(stop context.CancelFunc) {
	successes, failures := p.out.Successes(), p.out.Errors()
	first := true
	for successes != nil || failures != nil {
		select {
		case m, ok := <-successes:
			if !ok {
				successes = nil
				continue
			}
			p.note(m, acknowledged, stop)
			if first {
				first = false
				p.fail(p.ready(), stop)
			}
		case e, ok := <-failures:
			if !ok {
				failures = nil
				continue
			}
			p.log.Error("record refused", "topic", e.Msg.Topic, "partition", e.Msg.Partition, "error", e.Err)
			p.note(e.Msg, refused, stop)
		}
	}
}

func (p *producing) note(m *sarama.ProducerMessage, d deed, stop context.CancelFunc) {
	t, ok := m.Metadata.(tag)
	if !ok {
		p.fail(fmt.Errorf("a message of topic %q came back without its tag", m.Topic), stop)
		return
	}
	p.fail(p.ledger.append(entry{
		deed: d, at: time.Now().UnixNano(), topic: m.Topic, partition: m.Partition, offset: m.Offset,
		key: t.key, seq: t.seq, good: true,
	}), stop)
}

func (p *producing) fail(err error, stop context.CancelFunc) {
	if err == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failure == nil {
		p.failure = err
	}
	stop()
}
