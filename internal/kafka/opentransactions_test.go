package kafka_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kplan/internal/cluster"
	"kplan/internal/embedded"
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

// A leader that does not tell its producers lists none, which is no proof that no
// transaction is open: what passes is asked again, and what does not is an error.
func TestProducersThatAreNotTold(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		code  *kerr.Error
		times int
		fails bool
	}{{kerr.TopicAuthorizationFailed, 1, true}, {kerr.NotLeaderForPartition, 1, false}} {
		t.Run(c.code.Message, func(t *testing.T) {
			r := onEmbedded(t, embedded.Options{})
			topic := r.topic(t, 1, nil)
			asked, cut := 0, false
			r.fake.Fake().Control(func(req kmsg.Request) (kmsg.Response, error, bool) {
				r.fake.Fake().KeepControl()
				switch req := req.(type) {
				case *kmsg.DescribeProducersRequest:
					resp := req.ResponseKind().(*kmsg.DescribeProducersResponse)
					resp.Topics = []kmsg.DescribeProducersResponseTopic{{Topic: topic, Partitions: []kmsg.DescribeProducersResponseTopicPartition{{}}}}
					if asked++; asked <= c.times {
						resp.Topics[0].Partitions[0].ErrorCode = c.code.Code
						return resp, nil, true
					}
					resp.Topics[0].Partitions[0].ActiveProducers = []kmsg.DescribeProducersResponseTopicPartitionActiveProducer{{ProducerID: 7, CurrentTxnStartOffset: 3}}
					return resp, nil, true
				case *kmsg.ListTransactionsRequest: // its first connection is closed
					if !cut {
						cut = true
						return nil, io.ErrUnexpectedEOF, true
					}
				}
				return nil, nil, false
			})
			open, err := r.client.OpenTransactions(t.Context(), map[string][]int32{topic: {0}})
			switch {
			case c.fails && !errors.As(err, new(sarama.KError)):
				t.Errorf("open: %v, %v, though the leader did not tell", open, err)
			case !c.fails && (err != nil || len(open) != 1 || open[0].ProducerID != 7 || !cut):
				t.Errorf("open: %v, %v", open, err)
			}
		})
	}
}
