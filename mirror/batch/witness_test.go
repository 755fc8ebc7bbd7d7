package batch

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// header and record are what a batch means, for comparison.
type header struct {
	Key   string
	Value []byte
}

type record struct {
	Offset, Time int64
	Key, Value   []byte // nil is null
	Headers      []header
}

// exactly tells null from empty, and is faster than byte by byte.
func exactly() cmp.Option {
	return cmp.Comparer(func(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) })
}

// spec is a batch to be made; what is zero is made up from the records.
type spec struct {
	records   []record
	codec     Codec
	bits      uint16 // of the attributes, besides the codec
	base      int64  // offset; the first record's where larger
	baseTime  int64
	maxTime   int64
	lastDelta int32 // at least that much
	producer  int64
	epoch     int16
	sequence  int32
}

// encode is the naive twin: it builds a batch from records, as producers do.
func encode(t testing.TB, s spec) []byte {
	t.Helper()
	base := s.base
	if len(s.records) > 0 && base == 0 {
		base = s.records[0].Offset
	}
	last, maxTime := s.lastDelta, s.maxTime
	var payload []byte
	for _, r := range s.records {
		payload = append(payload, encodeRecord(r, r.Offset-base, r.Time-s.baseTime)...)
		last = max(last, int32(r.Offset-base))
		if s.maxTime == 0 {
			maxTime = max(maxTime, r.Time)
		}
	}
	payload = compress(t, s.codec, payload)
	b := make([]byte, HeaderSize, HeaderSize+len(payload))
	binary.BigEndian.PutUint64(b, uint64(base))
	binary.BigEndian.PutUint32(b[atLength:], uint32(len(payload)+HeaderSize-12))
	binary.BigEndian.PutUint32(b[atLeaderEpoch:], 7)
	b[atMagic] = 2
	binary.BigEndian.PutUint16(b[atAttributes:], uint16(s.codec)|s.bits)
	binary.BigEndian.PutUint32(b[atLastDelta:], uint32(last))
	binary.BigEndian.PutUint64(b[atBaseTime:], uint64(s.baseTime))
	binary.BigEndian.PutUint64(b[atMaxTime:], uint64(maxTime))
	binary.BigEndian.PutUint64(b[atProducer:], uint64(s.producer))
	binary.BigEndian.PutUint16(b[atEpoch:], uint16(s.epoch))
	binary.BigEndian.PutUint32(b[atSequence:], uint32(s.sequence))
	binary.BigEndian.PutUint32(b[atCount:], uint32(len(s.records)))
	b = append(b, payload...)
	fixCRC(b)
	return b
}

func fixCRC(b []byte) {
	binary.BigEndian.PutUint32(b[atCRC:], crc32.Checksum(b[atAttributes:], crc32.MakeTable(crc32.Castagnoli)))
}

func encodeRecord(r record, offsetDelta, timeDelta int64) []byte {
	body := []byte{0}
	body = binary.AppendVarint(body, timeDelta)
	body = binary.AppendVarint(body, offsetDelta)
	body = appendNullable(appendNullable(body, r.Key), r.Value)
	body = binary.AppendVarint(body, int64(len(r.Headers)))
	for _, h := range r.Headers {
		body = append(binary.AppendVarint(body, int64(len(h.Key))), h.Key...)
		body = appendNullable(body, h.Value)
	}
	return append(binary.AppendVarint(nil, int64(len(body))), body...)
}

func appendNullable(b, v []byte) []byte {
	if v == nil {
		return binary.AppendVarint(b, -1)
	}
	return append(binary.AppendVarint(b, int64(len(v))), v...)
}

// witness is franz-go's codecs, which are dear to make.
var witness = sync.OnceValue(func() (w struct {
	pack   map[Codec]kgo.Compressor
	unpack kgo.Decompressor
}) {
	w.pack = map[Codec]kgo.Compressor{}
	for codec, how := range map[Codec]kgo.CompressionCodec{
		Gzip: kgo.GzipCompression(), Snappy: kgo.SnappyCompression(), LZ4: kgo.Lz4Compression(), Zstd: kgo.ZstdCompression(),
	} {
		c, err := kgo.DefaultCompressor(how)
		if err != nil {
			panic(err)
		}
		w.pack[codec] = c
	}
	w.unpack = kgo.DefaultDecompressor()
	return w
})

// compress uses franz-go's compressors, and its framing of them.
func compress(t testing.TB, codec Codec, b []byte) []byte {
	t.Helper()
	if codec == None {
		return b
	}
	c := witness().pack[codec]
	out, used := c.Compress(new(bytes.Buffer), b)
	if int(used) != int(codec) {
		t.Fatalf("compressed with %d instead of %s", used, codec)
	}
	return bytes.Clone(out)
}

// decode is the independent witness: franz-go's own reading of a fetch
// response.
func decode(t testing.TB, records []byte) []record {
	t.Helper()
	p := kmsg.NewFetchResponseTopicPartition()
	p.RecordBatches = records
	got, _ := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{Topic: "t"}, &p, witness().unpack, nil)
	if got.Err != nil {
		t.Fatalf("franz-go cannot read it: %v", got.Err)
	}
	var out []record
	for _, r := range got.Records {
		one := record{Offset: r.Offset, Time: r.Timestamp.UnixMilli(), Key: r.Key, Value: r.Value}
		for _, h := range r.Headers {
			one.Headers = append(one.Headers, header{h.Key, h.Value})
		}
		out = append(out, one)
	}
	return out
}

// sample makes n records of mixed shape, dense from the offset on.
func sample(rng *rand.Rand, offset int64, n, size int) []record {
	out := make([]record, n)
	for i := range out {
		r := record{Offset: offset + int64(i), Time: 1_700_000_000_000 + rng.Int64N(1<<20) - 1<<19}
		r.Key = []byte(fmt.Sprint("key-", rng.IntN(100)))
		r.Value = bytes.Repeat([]byte(`{"n":`+fmt.Sprint(rng.IntN(1000))+`}`), 1+rng.IntN(1+size/8))
		switch rng.IntN(8) {
		case 0:
			r.Key = nil
		case 1:
			r.Value = nil
		case 2:
			r.Key, r.Value = []byte{}, []byte{}
		case 3:
			r.Headers = []header{{"trace", []byte("abc")}, {"", nil}, {"empty", []byte{}}}
		case 4:
			r.Value = make([]byte, rng.IntN(1+size))
			for j := range r.Value {
				r.Value[j] = byte(rng.Uint32())
			}
		}
		out[i] = r
	}
	return out
}

// renumber is what the target holds: the same records from 0 on.
func renumber(records []record) []record {
	out := make([]record, len(records))
	for i, r := range records {
		r.Offset = int64(i)
		out[i] = r
	}
	return out
}

func allCodecs() []Codec { return []Codec{None, Gzip, Snappy, LZ4, Zstd} }

func parse(t testing.TB, b []byte) Batch {
	t.Helper()
	out, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
