package batch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"kplan/internal/kafkatest"
)

var brokers kafkatest.Pool

func TestMain(m *testing.M) { os.Exit(brokers.Main(m)) }

// wire speaks to one real broker about one partition, in requests: no client's
// own reading or writing of batches is in between.
type wire struct {
	broker *kgo.Broker
	topic  string
}

func newWire(t *testing.T, v kafkatest.Version, configs map[string]string) wire {
	t.Helper()
	c := brokers.Shared(t, kafkatest.Stock(v))
	// 2.8's versions name topics by name, and fetch with one request.
	client, err := kgo.NewClient(kgo.SeedBrokers(c.Bootstrap(kafkatest.Plaintext)...), kgo.MaxVersions(kversion.V2_8_0()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	w := wire{client.SeedBrokers()[0], fmt.Sprintf("batches-%08x", rand.Uint32())}
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = w.topic, 1, 1
	for k, v := range configs {
		topic.Configs = append(topic.Configs, kmsg.CreateTopicsRequestTopicConfig{Name: k, Value: &v})
	}
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Topics, req.TimeoutMillis = append(req.Topics, topic), 30_000
	resp, err := req.RequestWith(t.Context(), client)
	if err != nil {
		t.Fatal(err)
	}
	if err := kerr.ErrorForCode(resp.Topics[0].ErrorCode); err != nil {
		t.Fatalf("creating %s: %v", w.topic, err)
	}
	return w
}

// produce sends one batch, and again while the broker does not lead yet.
func (w wire) produce(t *testing.T, b []byte) int64 {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		p := kmsg.NewProduceRequestTopicPartition()
		p.Records = b
		topic := kmsg.NewProduceRequestTopic()
		topic.Topic, topic.Partitions = w.topic, append(topic.Partitions, p)
		req := kmsg.NewPtrProduceRequest()
		req.Acks, req.TimeoutMillis, req.Topics = -1, 30_000, append(req.Topics, topic)
		resp, err := w.broker.Request(ctx, req)
		if err != nil {
			t.Fatal(err)
		}
		got := resp.(*kmsg.ProduceResponse).Topics[0].Partitions[0]
		err = kerr.ErrorForCode(got.ErrorCode)
		if kerr.IsRetriable(err) && !errors.Is(err, kerr.CorruptMessage) {
			pause(ctx)
			continue
		}
		if err != nil {
			t.Fatalf("the broker refuses a batch: %v, %v", err, got.ErrorMessage)
		}
		return got.BaseOffset
	}
}

// fetch reads the partition's bytes up to the offset.
func (w wire) fetch(t *testing.T, end int64) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var out []byte
	for at := int64(0); at < end; {
		p := kmsg.NewFetchRequestTopicPartition()
		p.FetchOffset, p.PartitionMaxBytes = at, 100_000
		topic := kmsg.NewFetchRequestTopic()
		topic.Topic, topic.Partitions = w.topic, append(topic.Partitions, p)
		req := kmsg.NewPtrFetchRequest()
		req.MaxWaitMillis, req.MinBytes, req.MaxBytes, req.Topics = 500, 1, 1<<20, append(req.Topics, topic)
		resp, err := w.broker.Request(ctx, req)
		if err != nil {
			t.Fatal(err)
		}
		got := resp.(*kmsg.FetchResponse).Topics[0].Partitions[0]
		if err := kerr.ErrorForCode(got.ErrorCode); err != nil {
			t.Fatal(err)
		}
		r := NewReader(got.RecordBatches)
		for r.Next() {
			if r.Magic() == 2 {
				out, at = append(out, r.Batch().Bytes()...), r.Batch().NextOffset()
			} else {
				out, at = append(out, r.Message().Bytes()...), r.Message().Offset()+1
			}
		}
		if r.Err() != nil {
			t.Fatal(r.Err())
		}
	}
	return out
}

func (w wire) producer(t *testing.T) int64 {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		resp, err := w.broker.Request(ctx, kmsg.NewPtrInitProducerIDRequest())
		if err != nil {
			t.Fatal(err)
		}
		got := resp.(*kmsg.InitProducerIDResponse)
		err = kerr.ErrorForCode(got.ErrorCode)
		if err == nil {
			return got.ProducerID
		}
		if !kerr.IsRetriable(err) {
			t.Fatal(err)
		}
		pause(ctx)
	}
}

// pause keeps a test from asking a busy broker all the time.
func pause(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(50 * time.Millisecond):
	}
}

// TestBrokersTakeWhatIsMade sends spliced and rewritten batches of each codec
// to real brokers, whose validator unpacks and judges every record, and
// compares what they hold.
func TestRealBrokersTakeWhatIsMade(t *testing.T) {
	for _, v := range []kafkatest.Version{kafkatest.V4_3_0, kafkatest.V2_8_2} {
		t.Run(string(v), func(t *testing.T) {
			t.Parallel()
			w := newWire(t, v, map[string]string{"retention.ms": "-1"})
			id := w.producer(t)
			var want []record
			send := func(b []byte, records []record) {
				if err := CheckAcknowledged(int64(len(want)), w.produce(t, b)); err != nil {
					t.Fatal(err)
				}
				want = append(want, records...)
			}
			stamp := func() Stamp {
				sequence, err := Sequence(int64(len(want)), 0, 0)
				if err != nil {
					t.Fatal(err)
				}
				return Stamp{ProducerID: id, Sequence: sequence}
			}
			patcher := NewPatcher()
			for _, codec := range allCodecs() {
				rng := rand.New(rand.NewPCG(6, uint64(codec)))
				for i, rewrite := range []func(Batch, Stamp) error{Batch.Rewrite, patcher.Rewrite} {
					records := sample(rng, int64(i), 30, 500)
					b := parse(t, encode(t, spec{records: records, codec: codec, bits: transBit | horizonBit, baseTime: 5, producer: 77}))
					if err := rewrite(b, stamp()); err != nil {
						t.Fatal(err)
					}
					send(b.Bytes(), records)
				}
				spliceTo(t, rng, codec, stamp, send)
			}
			fetched := w.fetch(t, int64(len(want)))
			for r := NewReader(fetched); r.Next(); {
				if err := CheckStored(r.Batch(), 0, 0); err != nil {
					t.Error(err)
				}
			}
			if diff := cmp.Diff(renumber(want), decode(t, fetched), exactly()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// spliceTo sends batches with gaps and the broker's time, merged and split.
func spliceTo(t *testing.T, rng *rand.Rand, codec Codec, stamp func() Stamp, send func([]byte, []record)) {
	s, err := NewSplicer(Limits{Batch: 60_000, Unpacked: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	var waiting []record
	finish := func() {
		n := s.Len()
		out, _, err := s.Finish(nil, stamp())
		if err != nil {
			t.Fatal(err)
		}
		send(out, waiting[:n])
		waiting = waiting[n:]
	}
	for i := range 6 {
		one := spec{records: sample(rng, int64(100*i), 60, 3000), codec: codec, baseTime: 1_700_000_000_000}
		one.records = append(one.records[:10], one.records[20:]...)
		if i%2 == 0 {
			one.bits, one.maxTime = appendTimeBit, 1_750_000_000_000
			for j := range one.records {
				one.records[j].Time -= 1000
			}
		}
		if err := s.Open(parse(t, encode(t, one)), 0, All); err != nil {
			t.Fatal(err)
		}
		for _, r := range one.records {
			if one.maxTime != 0 {
				r.Time = one.maxTime
			}
			waiting = append(waiting, r)
		}
		for {
			rest, err := s.Take()
			if err != nil {
				t.Fatal(err)
			}
			if !rest {
				break
			}
			finish()
		}
	}
	finish()
}

// TestOldFormatsOfARealBroker lets a 2.8.2 broker store formats 0 and 1 and
// reads what it stored.
func TestOldFormatsOfRealBrokers(t *testing.T) {
	for magic, format := range []string{"0.9.0", "0.10.2"} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			w := newWire(t, kafkatest.V2_8_2, map[string]string{"retention.ms": "-1", "message.format.version": format})
			rng := rand.New(rand.NewPCG(7, uint64(magic)))
			var want []record
			for _, codec := range []Codec{None, Gzip, Snappy, LZ4} {
				records := sample(rng, 0, 20, 300)
				for i := range records {
					records[i].Headers = nil // which old formats do not have
				}
				b := encode(t, spec{records: records, codec: codec, baseTime: 5, producer: -1, epoch: -1, sequence: -1})
				if at := w.produce(t, b); at != int64(len(want)) {
					t.Fatalf("offset %d instead of %d", at, len(want))
				}
				want = append(want, records...)
			}
			if magic == 0 {
				for i := range want {
					want[i].Time = -1
				}
			}
			fetched := w.fetch(t, int64(len(want)))
			var got []record
			kinds := map[Codec]bool{}
			s := testSplicer(t)
			r := NewReader(bytes.Clone(fetched))
			for r.Next() {
				if r.Magic() != magic {
					t.Fatalf("the broker stored format %d", r.Magic())
				}
				kinds[r.Message().Codec()] = true
				if err := s.OpenMessage(r.Message(), 0, All); err != nil {
					t.Fatal(err)
				}
				if rest, err := s.Take(); rest || err != nil {
					t.Fatal(rest, err)
				}
				out, runs, err := s.Finish(nil, Stamp{ProducerID: 1})
				if err != nil || runs[0].Offset != int64(len(got)) {
					t.Fatal(runs, err)
				}
				got = append(got, decode(t, out)...)
			}
			if diff := cmp.Diff(renumber(want), renumber(got), exactly()); diff != "" || len(kinds) != 4 {
				t.Errorf("%d codecs: %s", len(kinds), diff)
			}
		})
	}
}
