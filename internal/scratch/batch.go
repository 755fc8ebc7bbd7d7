package scratch

import (
	"encoding/binary"
	"hash/crc32"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// The layout of a record batch (KIP-98).
const (
	beforeLength = 12 // first offset and length itself
	beforeCRC    = 17
	afterCRC     = 21
)

// batch encodes n small records of one producer.
func batch(producer int64, epoch int16, sequence int32, n int) []byte {
	now := time.Now().UnixMilli()
	b := kmsg.RecordBatch{
		PartitionLeaderEpoch: -1, Magic: 2, LastOffsetDelta: int32(n - 1), FirstTimestamp: now, MaxTimestamp: now,
		ProducerID: producer, ProducerEpoch: epoch, FirstSequence: sequence, NumRecords: int32(n),
	}
	for i := range n {
		r := kmsg.Record{OffsetDelta: int32(i), Value: []byte("kplan")}
		r.Length = int32(len(r.AppendTo(nil)) - 1) // of what follows it; as zero it takes one byte
		b.Records = r.AppendTo(b.Records)
	}
	raw := b.AppendTo(nil)
	binary.BigEndian.PutUint32(raw[8:], uint32(len(raw)-beforeLength))
	binary.BigEndian.PutUint32(raw[beforeCRC:], crc32.Checksum(raw[afterCRC:], crc32.MakeTable(crc32.Castagnoli)))
	return raw
}
