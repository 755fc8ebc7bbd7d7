//go:build bench

package mirrorbench

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kplan/internal/kafkatest"
	"kplan/mirror/wire"
)

// write fills a topic with batches that are exactly as the load wants them,
// which a producer's library leaves to chance. It returns the bytes of keys and
// values.
func (s *stage) write(t *testing.T, c *loaded) (size int64) {
	t.Helper()
	w := wire.New(wire.Options{Bootstrap: s.source.Bootstrap(kafkatest.Plaintext), Pool: wire.NewPool(16 << 20)})
	defer w.Close()
	if _, err := w.Metadata(t.Context(), []string{c.topic}); err != nil {
		t.Fatal(err)
	}
	conn, err := w.Broker(t.Context(), 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	values, pack := texts(c.load), packer(t, c.codec)
	each := max(1, (c.batch-batchHeader)/(c.size+recordOverhead(c.size)))
	const atOnce = 4
	turn := make(chan struct{}, atOnce)
	var failed sync.Map
	for at := 0; at < c.load.records; {
		var request []wire.Batch
		for p := 0; p < c.partitions && at < c.load.records && len(request) < mostInRequest; p++ {
			n := min(each, c.load.records-at)
			var raw []byte
			for i := range n {
				value := values[(at+i)%len(values)]
				raw = appendRecord(raw, i, value)
				size += int64(len(value))
			}
			at += n
			request = append(request, wire.Batch{
				Partition: wire.Partition{Topic: c.topic, Number: int32((c.next + p) % c.partitions)}, Records: pack(raw, n),
			})
		}
		c.next += len(request)
		turn <- struct{}{}
		err := conn.Produce(t.Context(), time.Minute, request, nil, func(acks []wire.Ack, _ time.Duration, err error) {
			<-turn
			for _, a := range acks {
				if a.Err != nil {
					err = a.Err
				}
			}
			if err != nil {
				failed.Store("why", err)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for range atOnce {
		turn <- struct{}{}
	}
	if err, ok := failed.Load("why"); ok {
		t.Fatal(err)
	}
	return size
}

const (
	batchHeader   = 61
	mostInRequest = 24
	keySize       = 8
)

// recordOverhead is what a record takes beside key and value: lengths, deltas.
func recordOverhead(size int) int { return len(appendRecord(nil, 63, make([]byte, size))) - size }

func appendRecord(b []byte, delta int, text []byte) []byte {
	body := make([]byte, 0, len(text)+16)
	body = append(body, 0)                         // attributes
	body = binary.AppendVarint(body, 0)            // time
	body = binary.AppendVarint(body, int64(delta)) // offset
	body = binary.AppendVarint(body, keySize)
	body = append(body, text[:keySize]...)
	body = binary.AppendVarint(body, int64(len(text)-keySize))
	body = append(body, text[keySize:]...)
	body = binary.AppendVarint(body, 0) // headers
	return append(binary.AppendVarint(b, int64(len(body))), body...)
}

// packer makes batches of records.
func packer(t *testing.T, codec string) func(raw []byte, n int) []byte {
	t.Helper()
	zip, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { zip.Close() })
	now := time.Now().UnixMilli()
	return func(raw []byte, n int) []byte {
		made := kmsg.RecordBatch{
			Magic: 2, PartitionLeaderEpoch: -1, LastOffsetDelta: int32(n - 1), FirstTimestamp: now, MaxTimestamp: now,
			ProducerID: -1, ProducerEpoch: -1, FirstSequence: -1, NumRecords: int32(n), Records: raw,
		}
		switch codec {
		case "zstd":
			made.Attributes, made.Records = 4, zip.EncodeAll(raw, nil)
		case "lz4":
			var out bytes.Buffer
			w := lz4.NewWriter(&out)
			if _, err := w.Write(raw); err != nil {
				t.Fatal(err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			made.Attributes, made.Records = 3, out.Bytes()
		}
		made.Length = int32(batchHeader - 12 + len(made.Records))
		b := made.AppendTo(nil)
		binary.BigEndian.PutUint32(b[17:], crc32.Checksum(b[21:], crc32.MakeTable(crc32.Castagnoli)))
		return b
	}
}
