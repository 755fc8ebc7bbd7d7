package kafka_test

import (
	"context"
	"fmt"
	"math/rand"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kplan/internal/cluster"
)

// testFirstRecord compares FirstRecord on random logs (plain and idempotent
// records, transactions that commit, abort and overlap, deleted beginnings)
// with what an independent read_committed consumer is given (R7).
func testFirstRecord(t *testing.T, r *rig) {
	seed := time.Now().UnixNano()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewSource(seed))
	at := tp(r.topic(t, 1, nil), 0)
	plain := r.another(t, byHand(), kgo.DisableIdempotentWrite())
	idempotent := r.another(t, byHand())
	txs := []*kgo.Client{r.transactional(t), r.transactional(t)}
	open := make([]bool, len(txs))
	for _, try := range []kgo.TransactionEndTry{kgo.TryAbort, kgo.TryCommit} { // whatever the dice say
		begin(t, txs[0])
		batch(t, txs[0], at, 2)
		end(t, txs[0], try)
	}
	for range 40 {
		i := rnd.Intn(len(txs))
		switch kind := rnd.Intn(6); {
		case kind == 0:
			batch(t, plain, at, 1+rnd.Intn(4))
		case kind == 1:
			batch(t, idempotent, at, 1+rnd.Intn(4))
		case !open[i]:
			begin(t, txs[i])
			open[i] = true
			batch(t, txs[i], at, 1+rnd.Intn(4))
		case kind == 2:
			produce(t, txs[i], at, 1)
		default:
			end(t, txs[i], kgo.TransactionEndTry(rnd.Intn(2) == 0))
			open[i] = false
		}
	}
	for i, tx := range txs {
		if open[i] {
			end(t, tx, kgo.TransactionEndTry(rnd.Intn(2) == 0))
		}
	}
	r.ends(t, at, cluster.LogEnds.Settled) // the markers are written after the answer
	produce(t, plain, at, 1)               // so that the consumer comes to an end
	ends := r.ends(t, at, cluster.LogEnds.Settled)
	seen := naive(t, r, at, ends.LogEnd)
	if hidden := ends.LogEnd - int64(len(seen)); hidden < 4 || len(seen) < 4 {
		t.Fatalf("%d records and %d offsets that are none: the test says little", len(seen), hidden)
	}
	compare(t, r, at, ends, seen)
	deleteBefore(t, r, at, ends.LogEnd/2)
	ends = r.ends(t, at, func(e cluster.LogEnds) bool { return e.LogStart == ends.LogEnd/2 })
	compare(t, r, at, ends, seen)
}

// batch writes n records at once, every other one with a key.
func batch(t *testing.T, c *kgo.Client, at cluster.TopicPartition, n int) {
	t.Helper()
	var all []*kgo.Record
	for i := range n {
		rec := &kgo.Record{Topic: at.Topic, Partition: at.Partition, Value: []byte("v")}
		if i%2 == 0 {
			rec.Key = []byte("k")
		}
		all = append(all, rec)
	}
	if err := c.ProduceSync(t.Context(), all...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// naive reads a partition with read_committed.
func naive(t *testing.T, r *rig, at cluster.TopicPartition, end int64) map[int64]*kgo.Record {
	t.Helper()
	c := r.another(t, kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{at.Topic: {at.Partition: kgo.NewOffset().AtStart()}}))
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	seen := map[int64]*kgo.Record{}
	for seen[end-1] == nil { // the last one is a plain record
		fetches := c.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		fetches.EachRecord(func(rec *kgo.Record) { seen[rec.Offset] = rec })
	}
	return seen
}

func compare(t *testing.T, r *rig, at cluster.TopicPartition, ends cluster.LogEnds, seen map[int64]*kgo.Record) {
	t.Helper()
	describe := func(rec cluster.Record, ok bool) string {
		if !ok {
			return "none"
		}
		return fmt.Sprintf("offset %d of producer %d, keyed %v", rec.Offset, rec.ProducerID, rec.HasKey)
	}
	for from := int64(0); from <= ends.LogEnd; from++ { // also before the start
		before := ends.LogEnd
		if from%3 == 0 {
			before = min(from+4, ends.LogEnd)
		}
		want := "none"
		for o := max(from, ends.LogStart); o < before; o++ {
			if rec := seen[o]; rec != nil {
				want = describe(cluster.Record{Offset: o, ProducerID: rec.ProducerID, HasKey: rec.Key != nil}, true)
				break
			}
		}
		rec, ok, err := r.client.FirstRecord(t.Context(), at, from, before)
		if err != nil {
			t.Fatal(err)
		}
		if got := describe(rec, ok); got != want {
			t.Errorf("from %d before %d: %s, a consumer is given %s", from, before, got, want)
		}
	}
}
