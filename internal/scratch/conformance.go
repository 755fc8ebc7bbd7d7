package scratch

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kplan/internal/cluster"
	"kplan/internal/endpoint"
)

const (
	firstSequence = 1_234_567 // anything but zero
	perBatch      = 3         // records
)

// Conformance tries the mirror's techniques, one after the other, on a scratch
// topic of the cluster, and removes the topic, also when ctx ends. What went
// wrong is in the trials; the error is that of a plan that cannot be used.
//
// Sources: KIP-98 (sequences, epochs, markers), KIP-107 (DeleteRecords).
func Conformance(ctx context.Context, ep endpoint.Endpoint) (found cluster.Conformance, err error) {
	found = cluster.Conformance{Cluster: ep.Cluster}
	client, err := dial(ep)
	if err != nil {
		return found, err
	}
	defer client.Close()
	made, err := create(ctx, client, "conformance", 1, -1)
	if made != nil {
		found.Topic = made.name
		defer func() { found.Left = made.remove(ctx) }()
	}
	t := &trial{topic: made, technique: cluster.TrySequence}
	if err != nil {
		t.note(outcomeOf(err), "%s", err)
	} else {
		t.all(ctx)
	}
	last := t.trials[len(t.trials)-1].Technique
	for _, technique := range cluster.Techniques() {
		if !slices.ContainsFunc(t.trials, func(x cluster.Trial) bool { return x.Technique == technique }) {
			t.technique = technique
			t.note(cluster.Untried, "it was not tried, for nothing came of %s", last)
		}
	}
	found.Trials = t.trials
	return found, nil
}

// trial writes down what each technique showed.
type trial struct {
	*topic
	technique cluster.Technique
	trials    []cluster.Trial
	producer  int64
	first     int32 // sequence of the first batch
	end       int64 // where the log should end
}

func (t *trial) note(o cluster.Outcome, format string, args ...any) {
	t.trials = append(t.trials, cluster.Trial{Technique: t.technique, Outcome: o, Saw: fmt.Sprintf(format, args...)})
}

// held notes the outcome of a question with yes and no.
func (t *trial) held(yes bool, format string, args ...any) {
	o := cluster.Holds
	if !yes {
		o = cluster.Broken
	}
	t.note(o, format, args...)
}

// outcomeOf tells refusals from what does not work. A connection that breaks
// says nothing about the technique.
func outcomeOf(err error) cluster.Outcome {
	var broker *kerr.Error
	switch {
	case forbidden(err):
		return cluster.Forbidden
	case errors.As(err, &broker):
		return cluster.Broken
	}
	return cluster.Untried
}

// all goes through the techniques. Later ones stand on what earlier ones wrote,
// so it ends where the first batch is not taken.
func (t *trial) all(ctx context.Context) {
	var err error
	if t.producer, err = t.producerID(ctx); err != nil {
		t.note(outcomeOf(err), "no producer id: %s", named(err))
		return
	}
	t.first = firstSequence
	base, err := t.produce(ctx, 0, t.first)
	if err == nil {
		t.note(cluster.Holds, "a fresh producer id began with sequence %d, at offset %d", t.first, base)
	} else {
		t.note(outcomeOf(err), "a fresh producer id began with sequence %d: %s", t.first, named(err))
		t.first = 0 // the other techniques can be tried all the same
		if base, err = t.produce(ctx, 0, t.first); err != nil {
			return
		}
	}
	t.end = base + perBatch

	t.duplicate(ctx, base)
	t.order(ctx)
	t.epoch(ctx)
	t.logEnd(ctx)
	t.deleteRecords(ctx)
	t.markers(ctx)
}

func (t *trial) duplicate(ctx context.Context, base int64) {
	t.technique = cluster.TryDuplicate
	again, err := t.produce(ctx, 0, t.first)
	switch {
	case errors.Is(err, kerr.DuplicateSequenceNumber):
		t.note(cluster.Holds, "the batch sent again: %s", named(err))
	case err != nil:
		t.note(outcomeOf(err), "the batch sent again: %s", named(err))
	default:
		t.held(again == base, "the batch sent again was acknowledged at offset %d, the first time at %d", again, base)
		t.end = max(t.end, again+perBatch)
	}
}

func (t *trial) order(ctx context.Context) {
	t.technique = cluster.TryOrder
	const gap = 100
	at, err := t.produce(ctx, 0, t.first+perBatch+gap)
	if err == nil {
		t.end = at + perBatch
		t.note(cluster.Broken, "a batch that leaves out %d sequences was taken, at offset %d", gap, at)
		return
	}
	o := outcomeOf(err)
	if errors.Is(err, kerr.OutOfOrderSequenceNumber) {
		o = cluster.Holds
	}
	t.note(o, "a batch that leaves out %d sequences: %s", gap, named(err))
}

func (t *trial) epoch(ctx context.Context) {
	t.technique = cluster.TryEpoch
	at, err := t.produce(ctx, 1, 0)
	if err != nil {
		t.note(outcomeOf(err), "the next producer epoch with sequence 0: %s", named(err))
		return
	}
	t.end = at + perBatch
	at, err = t.produce(ctx, 0, t.first+perBatch)
	if err == nil {
		t.end = at + perBatch
		t.note(cluster.Broken, "a batch of the epoch before was taken, at offset %d", at)
		return
	}
	o := outcomeOf(err)
	if errors.Is(err, kerr.InvalidProducerEpoch) || errors.Is(err, kerr.ProducerFenced) {
		o = cluster.Holds
	}
	t.note(o, "a batch of the epoch before: %s", named(err))
}

func (t *trial) logEnd(ctx context.Context) {
	t.technique = cluster.TryLogEnd
	highWatermark, err := t.offset(ctx, consumer, latest)
	if err != nil {
		t.note(outcomeOf(err), "asking as a consumer: %s", named(err))
		return
	}
	end, err := t.offset(ctx, debug, latest)
	if err != nil {
		t.note(outcomeOf(err), "asking with replica id -2: %s", named(err))
		return
	}
	t.held(end == highWatermark && end == t.end, "the log ends at %d with replica id -2 and at %d with -1; %d is right", end, highWatermark, t.end)
}

func (t *trial) deleteRecords(ctx context.Context) {
	t.technique = cluster.TryDelete
	const before = 2
	req := kmsg.NewPtrDeleteRecordsRequest()
	req.TimeoutMillis = int32(requestLimit.Milliseconds())
	asked, part := kmsg.NewDeleteRecordsRequestTopic(), kmsg.NewDeleteRecordsRequestTopicPartition()
	asked.Topic, part.Offset = t.name, before
	asked.Partitions = append(asked.Partitions, part)
	req.Topics = append(req.Topics, asked)
	resp, err := req.RequestWith(ctx, leader{t})
	if err == nil {
		err = errNoAnswer
		for _, answer := range resp.Topics {
			for _, p := range answer.Partitions {
				err = codeError(p.ErrorCode)
			}
		}
	}
	if err != nil {
		t.note(outcomeOf(err), "deleting the records before offset %d: %s", before, named(err))
		return
	}
	start, err := t.offset(ctx, consumer, earliest)
	if err != nil {
		t.note(outcomeOf(err), "asking where the log starts: %s", named(err))
		return
	}
	t.held(start == before, "with the records before offset %d deleted the log starts at %d", before, start)
}

// markers writes as the mirror fills gaps: with the producer id of its records,
// outside any transaction.
func (t *trial) markers(ctx context.Context) {
	t.technique = cluster.TryMarkers
	const n = 2
	before, err := t.offset(ctx, debug, latest)
	if err != nil {
		t.note(outcomeOf(err), "asking where the log ends: %s", named(err))
		return
	}
	for range n {
		if err := t.marker(ctx); err != nil {
			t.note(outcomeOf(err), "WriteTxnMarkers: %s", named(err))
			return
		}
	}
	after, err := t.offset(ctx, debug, latest)
	if err != nil {
		t.note(outcomeOf(err), "asking where the log ends: %s", named(err))
		return
	}
	at, err := t.produce(ctx, 1, perBatch)
	if err != nil {
		t.note(outcomeOf(err), "a batch behind the markers: %s", named(err))
		return
	}
	t.held(after == before+n && at == after, "%d markers moved the log end from %d to %d; the next batch was taken at %d", n, before, after, at)
}
