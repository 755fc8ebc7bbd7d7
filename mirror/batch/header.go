package batch

import "encoding/binary"

// The header of a batch of magic 2, byte by byte.
const (
	atLength      = 8
	atLeaderEpoch = 12
	atMagic       = 16
	atCRC         = 17
	atAttributes  = 21 // the checksum covers from here to the end
	atLastDelta   = 23
	atBaseTime    = 27
	atMaxTime     = 35
	atProducer    = 43
	atEpoch       = 51
	atSequence    = 53
	atCount       = 57

	// HeaderSize is the size of a batch without records, in bytes.
	HeaderSize = 61

	overhead = 12 // offset and length, which the length does not count
)

// The bits of the attributes.
const (
	codecBits     = 0x07
	appendTimeBit = 0x08
	transBit      = 0x10
	controlBit    = 0x20
	horizonBit    = 0x40 // KIP-534
)

// Batch is one whole batch of magic 2 whose header holds together. Only Reader
// and Parse make one; the zero Batch is none, and only Bytes may be asked of
// it. It is a view: it lives as long as the bytes that were read.
type Batch struct{ b []byte }

// Bytes is the batch with its header.
func (b Batch) Bytes() []byte { return b.b }

// Size is what the batch takes on the wire and on disk, in bytes.
func (b Batch) Size() int { return len(b.b) }

// Offset is the offset of the first record that was written; compaction may
// have removed it since.
func (b Batch) Offset() int64 { return int64(binary.BigEndian.Uint64(b.b)) }

// LastOffset is the offset of the last record that was written.
func (b Batch) LastOffset() int64 { return b.Offset() + int64(b.LastDelta()) }

// NextOffset is where to read on behind the batch.
func (b Batch) NextOffset() int64 { return b.LastOffset() + 1 }

// LeaderEpoch is the epoch of the leader that appended it. The checksum does
// not cover it.
func (b Batch) LeaderEpoch() int32 { return int32(binary.BigEndian.Uint32(b.b[atLeaderEpoch:])) }

// CRC is the checksum that the batch carries (CRC-32C).
func (b Batch) CRC() uint32 { return binary.BigEndian.Uint32(b.b[atCRC:]) }

// Attributes are the bits as they are.
func (b Batch) Attributes() uint16 { return binary.BigEndian.Uint16(b.b[atAttributes:]) }

// Codec is how the records are compressed.
func (b Batch) Codec() Codec { return Codec(b.Attributes() & codecBits) }

// LogAppendTime reports whether MaxTimestamp is the time of every record.
func (b Batch) LogAppendTime() bool { return b.Attributes()&appendTimeBit != 0 }

// Transactional reports whether the batch belongs to a transaction.
func (b Batch) Transactional() bool { return b.Attributes()&transBit != 0 }

// Control reports whether it holds a marker instead of data.
func (b Batch) Control() bool { return b.Attributes()&controlBit != 0 }

// DeleteHorizon is the time (ms) from which compaction may remove the
// tombstones in it (KIP-534).
func (b Batch) DeleteHorizon() (int64, bool) {
	return b.BaseTimestamp(), b.Attributes()&horizonBit != 0
}

// LastDelta is LastOffset minus Offset.
func (b Batch) LastDelta() int32 { return int32(binary.BigEndian.Uint32(b.b[atLastDelta:])) }

// BaseTimestamp is what the records' timestamps are relative to (ms).
func (b Batch) BaseTimestamp() int64 { return int64(binary.BigEndian.Uint64(b.b[atBaseTime:])) }

// MaxTimestamp is the largest timestamp of its records (ms).
func (b Batch) MaxTimestamp() int64 { return int64(binary.BigEndian.Uint64(b.b[atMaxTime:])) }

// ProducerID is -1 where the producer was not idempotent.
func (b Batch) ProducerID() int64 { return int64(binary.BigEndian.Uint64(b.b[atProducer:])) }

// ProducerEpoch is -1 where the producer was not idempotent.
func (b Batch) ProducerEpoch() int16 { return int16(binary.BigEndian.Uint16(b.b[atEpoch:])) }

// Sequence is the sequence of the first record, -1 where there is none.
func (b Batch) Sequence() int32 { return int32(binary.BigEndian.Uint32(b.b[atSequence:])) }

// Count is how many records it holds now.
func (b Batch) Count() int32 { return int32(binary.BigEndian.Uint32(b.b[atCount:])) }

// Payload is the records, compressed by Codec.
func (b Batch) Payload() []byte { return b.b[HeaderSize:] }

// Run is records that lie next to each other in a log.
type Run struct {
	Offset int64 // of the first record
	Count  int64
}

// End is the offset behind the last record.
func (r Run) End() int64 { return r.Offset + r.Count }

// Run is the batch's records as far as the header knows them: false for a
// marker, and where some are missing and only the records themselves say which
// (Splicer.AppendRuns).
func (b Batch) Run() (Run, bool) {
	return Run{Offset: b.Offset(), Count: int64(b.Count())}, b.dense() && !b.Control()
}

func (b Batch) dense() bool { return b.Count() == b.LastDelta()+1 }

// Obstacle is why a batch may not be sent with nothing but a new header.
type Obstacle int

// The obstacles, in the order in which they are looked for. Control and Empty
// batches are not copied at all; the other two are for Splicer.
const (
	NoObstacle    Obstacle = iota
	IsControl              // clients may not write markers
	IsEmpty                // brokers refuse batches without records
	HasGaps                // compaction removed records, brokers refuse the gap
	HasAppendTime          // brokers refuse the bit or lose the time behind it
)

func (o Obstacle) String() string {
	switch o {
	case IsControl:
		return "it holds a marker"
	case IsEmpty:
		return "it holds no records"
	case HasGaps:
		return "records are missing in it"
	case HasAppendTime:
		return "its time is the broker's"
	default:
		return "nothing is in the way"
	}
}

// Obstacle says whether the batch can be sent with nothing but a new header.
func (b Batch) Obstacle() Obstacle {
	switch {
	case b.Control():
		return IsControl
	case b.Count() == 0:
		return IsEmpty
	case !b.dense():
		return HasGaps
	case b.LogAppendTime():
		return HasAppendTime
	default:
		return NoObstacle
	}
}
