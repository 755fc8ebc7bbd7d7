package kafka_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kplan/internal/cluster"
)

// An open transaction is told with its producer, its start and, by brokers from
// 3.0, its name, coordinator and age; one that has ended is not.
func testOpenTransactions(t *testing.T, r *rig) {
	topic := r.topic(t, 2, nil)
	id := name("tx")
	w := r.another(t, kgo.TransactionalID(id), kgo.TransactionTimeout(time.Minute), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.DefaultProduceTopic(topic))
	if err := w.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := w.ProduceSync(t.Context(), &kgo.Record{Partition: 1, Value: []byte("x")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	parts := map[string][]int32{topic: {0, 1}}
	open, err := r.client.OpenTransactions(t.Context(), parts)
	if err != nil || len(open) != 1 {
		t.Fatalf("open: %v, %v", open, err)
	}
	producer, _, err := w.ProducerID(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	o := open[0]
	if o.Partition != tp(topic, 1) || o.StartOffset != 0 || o.ProducerID != producer || o.Written.IsZero() {
		t.Errorf("it is told as %+v, the producer is %d", o, producer)
	}
	if lists := r.version == "" || r.version >= "3"; lists && (o.TransactionalID != id || o.Coordinator < 0 || time.Since(o.Since).Abs() > time.Hour) || !lists && o.TransactionalID != "" {
		t.Errorf("its name is told as %q, its coordinator as %d", o.TransactionalID, o.Coordinator)
	}
	if err := w.EndTransaction(t.Context(), kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for { // the marker comes a moment after the answer
		open, err = r.client.OpenTransactions(ctx, parts)
		if err == nil && len(open) == 0 {
			return
		}
		if err != nil && !errors.Is(err, cluster.ErrTransactionsUnknown) && ctx.Err() != nil {
			t.Fatalf("still open: %v, %v", open, err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
}
