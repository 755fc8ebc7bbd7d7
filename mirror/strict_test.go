package mirror_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"kplan/internal/embedded"
	"kplan/internal/kafkatest"
	"kplan/mirror"
	"kplan/mirror/wire"
)

// made is a record batch, put together by franz-go's codecs, and what is wrong
// with it.
type made struct {
	keys       []string // one record each; empty: no key
	offsets    []int32  // deltas; nil: 0, 1, 2 ...
	ahead      time.Duration
	codec      kgo.CompressionCodec
	attributes int16
	count      int32 // added to the true one, as the next two
	last       int32
	base       int64
	producer   bool // idempotent
	sequence   int32
	tail       []byte // behind the records
	mend       func(batch []byte)
	spoilt     bool // the CRC
	twice      bool // two batches
}

func (m made) bytes(t *testing.T) []byte {
	t.Helper()
	now := time.Now().Add(m.ahead).UnixMilli()
	var records []byte
	for i, key := range m.keys {
		r := kmsg.Record{OffsetDelta: int32(i), Value: []byte("value")}
		if m.offsets != nil {
			r.OffsetDelta = m.offsets[i]
		}
		if key != "" {
			r.Key = []byte(key)
		}
		r.Length = int32(len(r.AppendTo(nil)) - 1) // a length of 0 takes one byte
		records = r.AppendTo(records)
	}
	records = append(records, m.tail...)
	codec := kgo.CodecNone
	if m.codec != kgo.NoCompression() {
		c, err := kgo.DefaultCompressor(m.codec)
		if err != nil {
			t.Fatal(err)
		}
		records, codec = c.Compress(new(bytes.Buffer), records)
	}
	b := make([]byte, 61, 61+len(records))
	be := binary.BigEndian
	be.PutUint64(b, uint64(m.base))
	be.PutUint32(b[8:], uint32(49+len(records)))
	be.PutUint32(b[12:], 0xffffffff)
	b[16] = 2
	be.PutUint16(b[21:], uint16(m.attributes)|uint16(codec))
	be.PutUint32(b[23:], uint32(int32(len(m.keys)-1)+m.last))
	be.PutUint64(b[27:], uint64(now))
	be.PutUint64(b[35:], uint64(now))
	be.PutUint64(b[43:], uint64(rand.Int64N(1<<40)))
	if !m.producer {
		be.PutUint64(b[43:], 1<<64-1)
		be.PutUint16(b[51:], 1<<16-1)
		m.sequence = -1
	}
	be.PutUint32(b[53:], uint32(m.sequence))
	be.PutUint32(b[57:], uint32(int32(len(m.keys))+m.count))
	b = append(b, records...)
	if m.mend != nil {
		m.mend(b)
	}
	be.PutUint32(b[17:], crc32.Checksum(b[21:], crc32.MakeTable(crc32.Castagnoli)))
	if m.spoilt {
		b[20]++
	}
	if m.twice {
		b = append(b, b...)
	}
	return b
}

// The strict brokers in this process judge as Apache Kafka 4.3 does.
func TestStrictAgreesWithRealBrokers(t *testing.T) {
	t.Parallel()
	kafka := brokers.Shared(t, kafkatest.Stock(kafkatest.V4_3_0)).Bootstrap(kafkatest.Plaintext)
	three := []string{"a", "b", "c"}
	compacted := map[string]string{"cleanup.policy": "compact"}
	appended := map[string]string{"message.timestamp.type": "LogAppendTime"}
	zstd, gzip := kgo.ZstdCompression(), kgo.GzipCompression()
	at := func(i int, v byte) func([]byte) { return func(b []byte) { b[i] = v } }
	cases := map[string]struct {
		batch   made
		configs map[string]string
		version int16 // of Produce; 0: 8
		want    *kerr.Error
	}{
		"sound":                                   {batch: made{keys: three}},
		"sound, packed":                           {batch: made{keys: three, codec: zstd}},
		"sound, idempotent":                       {batch: made{keys: three, producer: true}},
		"a first sequence that is not 0":          {batch: made{keys: three, producer: true, sequence: 777}},
		"a sequence that wraps":                   {batch: made{keys: three, producer: true, sequence: 1<<31 - 2}},
		"no sequence":                             {batch: made{keys: three, producer: true, sequence: -1}, want: kerr.InvalidRecord},
		"keyless into a compacted topic":          {batch: made{keys: []string{"a", ""}}, configs: compacted, want: kerr.InvalidRecord},
		"keyless into a compacted topic, packed":  {batch: made{keys: []string{"", "b"}, codec: gzip}, configs: compacted, want: kerr.InvalidRecord},
		"keys into a compacted topic":             {batch: made{keys: three}, configs: compacted},
		"append time into CreateTime":             {batch: made{keys: three, attributes: 8}},
		"append time into LogAppendTime":          {batch: made{keys: three, attributes: 8}, configs: appended, want: kerr.InvalidTimestamp},
		"create time into LogAppendTime":          {batch: made{keys: three}, configs: appended},
		"two hours ahead":                         {batch: made{keys: three, ahead: 2 * time.Hour}, want: kerr.InvalidTimestamp},
		"two hours ahead into LogAppendTime":      {batch: made{keys: three, ahead: 2 * time.Hour}, configs: appended},
		"older than allowed":                      {batch: made{keys: three, ahead: -time.Hour}, configs: map[string]string{"message.timestamp.before.max.ms": "1000"}, want: kerr.InvalidTimestamp},
		"control":                                 {batch: made{keys: three, attributes: 0x20}, want: kerr.InvalidRecord},
		"transactional without an id":             {batch: made{keys: three, attributes: 0x10, producer: true}, want: kerr.TransactionalIDAuthorizationFailed},
		"control and transactional":               {batch: made{keys: three, attributes: 0x30, producer: true}, want: kerr.TransactionalIDAuthorizationFailed},
		"delete horizon":                          {batch: made{keys: three, attributes: 0x40}},
		"zstd, Produce 6":                         {batch: made{keys: three, codec: zstd}, version: 6, want: kerr.UnsupportedCompressionType},
		"zstd, Produce 7":                         {batch: made{keys: three, codec: zstd}, version: 7},
		"codec 5":                                 {batch: made{keys: three, attributes: 5}, want: kerr.UnknownServerError},
		"base offset":                             {batch: made{keys: three, base: 5}, want: kerr.InvalidRecord},
		"count less than the deltas":              {batch: made{keys: three, count: -1}, want: kerr.InvalidRecord},
		"count more than the deltas":              {batch: made{keys: three, count: 1}, want: kerr.InvalidRecord},
		"a hole":                                  {batch: made{keys: three, offsets: []int32{0, 2, 5}, last: 3}, want: kerr.InvalidRecord},
		"a hole, count made to fit":               {batch: made{keys: three, offsets: []int32{0, 2, 5}, last: 3, count: 3}, want: kerr.InvalidRecord},
		"a hole, last delta made to fit":          {batch: made{keys: three, offsets: []int32{0, 2, 5}}},
		"a hole, last delta made to fit, packed":  {batch: made{keys: three, offsets: []int32{0, 2, 5}, codec: gzip}, want: kerr.UnknownServerError},
		"empty":                                   {batch: made{}, want: kerr.InvalidRecord},
		"two batches":                             {batch: made{keys: three, twice: true}, want: kerr.InvalidRecord},
		"a bad CRC":                               {batch: made{keys: three, spoilt: true}, want: kerr.CorruptMessage},
		"magic 1":                                 {batch: made{keys: three, mend: at(16, 1)}, want: kerr.InvalidRecord},
		"a record that is longer than its length": {batch: made{keys: three, mend: at(61, 2)}, want: kerr.InvalidRecord},
		"a record that is longer than the batch":  {batch: made{keys: three, mend: at(61, 0x7e)}, want: kerr.InvalidRecord},
		"a key that is longer than its record":    {batch: made{keys: three, mend: at(65, 0x7e)}, want: kerr.InvalidRecord},
		"bytes behind the records":                {batch: made{keys: three, tail: []byte{1, 2, 3}}, want: kerr.InvalidRecord},
		"bytes behind the records, packed":        {batch: made{keys: three, tail: []byte{1, 2, 3}, codec: gzip}, want: kerr.InvalidRecord},
		"larger than allowed":                     {batch: made{keys: three}, configs: map[string]string{"max.message.bytes": "70"}, want: kerr.MessageTooLarge},
		"packed bytes that are none":              {batch: made{keys: three, attributes: 1}, want: kerr.UnknownServerError},
	}
	strict, err := embedded.Start(embedded.Options{Strict: true, Version: "4.3"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(strict.Close)
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if c.version == 0 {
				c.version = 8
			}
			for broker, bootstrap := range map[string][]string{"Kafka": kafka, "the strict broker": strict.Bootstrap()} {
				got := produced(t, bootstrap, c.configs, c.version, c.batch.bytes(t))
				if c.want == nil && got != nil || c.want != nil && got != error(c.want) {
					t.Errorf("%s says %v, want %v", broker, got, c.want)
				}
			}
		})
	}
}

// produced sends bytes as one batch to a new topic and returns Kafka's error.
func produced(t *testing.T, bootstrap []string, configs map[string]string, version int16, records []byte) error {
	t.Helper()
	versions := kversion.Stable()
	versions.SetMaxKeyVersion(int16(kmsg.Produce), version)
	cl, err := kgo.NewClient(kgo.SeedBrokers(bootstrap...), kgo.MaxVersions(versions))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	topic := uniqueName()
	all := map[string]*string{}
	for k, v := range configs {
		all[k] = kadm.StringPtr(v)
	}
	if resp, err := kadm.NewClient(cl).CreateTopic(t.Context(), 1, 1, all, topic); err != nil || resp.Err != nil {
		t.Fatal(err, resp.Err)
	}
	req := kmsg.NewPtrProduceRequest()
	req.Acks, req.TimeoutMillis = -1, 10_000
	req.Topics = []kmsg.ProduceRequestTopic{{Topic: topic, Partitions: []kmsg.ProduceRequestTopicPartition{{Records: records}}}}
	var code error
	until(t, "the topic has a leader", func(ctx context.Context) bool {
		resp, err := req.RequestWith(ctx, cl)
		if err != nil {
			t.Fatal(err)
		}
		code = kerr.ErrorForCode(resp.Topics[0].Partitions[0].ErrorCode)
		return code != error(kerr.UnknownTopicOrPartition) && code != error(kerr.NotLeaderForPartition)
	})
	return code
}

// What the mirror sends is taken by brokers that are as strict as Kafka, whatever
// the source's batches look like: transactional, aborted, with gaps, keyless.
func TestCopyToStrictBrokers(t *testing.T) {
	t.Parallel()
	source, err := embedded.Start(embedded.Options{Topics: map[string]int32{"orders": 1}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(source.Close)
	target, err := embedded.Start(embedded.Options{Strict: true, Version: "4.3", Topics: map[string]int32{"orders": 1}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(target.Close)
	transact(t, source.Bootstrap(), 30)
	compacted, err := kgo.NewClient(kgo.SeedBrokers(source.Bootstrap()...))
	if err != nil {
		t.Fatal(err)
	}
	defer compacted.Close()
	admin := kadm.NewClient(compacted)
	alter := func(policy string) {
		resp, err := admin.AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "cleanup.policy", Value: &policy}}, "orders")
		if err != nil || resp[0].Err != nil {
			t.Fatal(err, resp[0].Err)
		}
	}
	alter("compact")
	source.Fake().Compact()
	alter("delete")
	transact(t, source.Bootstrap(), 30)

	orders := partition("orders", 0)
	src := wire.New(wire.Options{Bootstrap: source.Bootstrap(), Pool: wire.NewPool(8 << 20)})
	defer src.Close()
	dst := wire.New(wire.Options{Bootstrap: target.Bootstrap(), Pool: wire.NewPool(8 << 20)})
	defer dst.Close()
	c, err := mirror.New(mirror.Config{
		Source: src, Target: dst, Producer: mirror.Producer{ID: 4711}, Store: newMemory(),
		Partitions: map[wire.Partition]mirror.Assignment{orders: {}}, Limits: mirror.Limits{Batch: 1 << 10, Partition: 4 << 10},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- c.Run(ctx) }()
	ends, err := admin.ListCommittedOffsets(ctx, "orders")
	if err != nil {
		t.Fatal(err)
	}
	end, _ := ends.Lookup("orders", 0)
	if err := c.Drained(ctx, map[wire.Partition]int64{orders: end.Offset}); err != nil {
		t.Fatal(err, c.Status())
	}
	cancel()
	if err := <-ran; err != nil {
		t.Fatal(err)
	}
	want := consumed(t, source.Bootstrap(), end.Offset)
	copies, err := kgo.NewClient(kgo.SeedBrokers(target.Bootstrap()...))
	if err != nil {
		t.Fatal(err)
	}
	defer copies.Close()
	ends, err = kadm.NewClient(copies).ListCommittedOffsets(t.Context(), "orders")
	if err != nil {
		t.Fatal(err)
	}
	end, _ = ends.Lookup("orders", 0)
	d := compare(0, want, consumed(t, target.Bootstrap(), end.Offset))
	if d.any() || d.Missing > 0 || d.Records < 100 {
		t.Error(d)
	}
}

// transact writes transactions of small batches, every third of them aborted.
func transact(t *testing.T, bootstrap []string, n int) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(bootstrap...), kgo.TransactionalID(t.Name()), kgo.DefaultProduceTopic("orders"), kgo.ProducerLinger(0))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	for i := range n {
		if err := cl.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		for j := range 5 {
			r := &kgo.Record{Key: fmt.Appendf(nil, "key-%d", j%3), Value: fmt.Appendf(nil, "value %d %d", i, j), Timestamp: longAgo()}
			if n := rand.IntN(5); n == 0 {
				r.Value = nil
			}
			if err := cl.ProduceSync(t.Context(), r).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
		if err := cl.EndTransaction(t.Context(), kgo.TransactionEndTry(i%3 != 2)); err != nil {
			t.Fatal(err)
		}
	}
}

// consumed reads the committed records of the one partition.
func consumed(t *testing.T, bootstrap []string, end int64) []entry {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(bootstrap...), kgo.ConsumeTopics("orders"), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	var all []entry
	for at := int64(0); at < end; {
		fetches := cl.PollFetches(t.Context())
		if err := fetches.Err0(); err != nil {
			t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			at = r.Offset + 1
			if !r.Attrs.IsControl() {
				all = append(all, entryOf(r))
			}
		})
	}
	return all
}
