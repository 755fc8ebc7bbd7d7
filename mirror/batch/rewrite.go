package batch

import (
	"encoding/binary"
	"hash/crc32"
)

// Stamp is what the mirror's producer writes into a header. One producer id
// per target cluster; the epoch is the flip number (R18); the sequence comes
// from Sequence (R24).
type Stamp struct {
	ProducerID int64
	Epoch      int16
	Sequence   int32 // of the first record
}

// Rewrite makes the batch, in place, one that the mirror's producer may send:
// base offset 0, the stamp, leader epoch -1, of the attributes only the codec,
// and a new checksum. Records and timestamps stay as they are; the base
// timestamp stays right where it was a delete horizon. The checksum must have
// been checked before, or the new one hides damage: where it was not, use
// Patcher. A batch with an obstacle is left alone: *UnfitError.
func (b Batch) Rewrite(s Stamp) error {
	if o := b.Obstacle(); o != NoObstacle {
		return &UnfitError{Offset: b.Offset(), Obstacle: o}
	}
	b.stamp(s)
	binary.BigEndian.PutUint32(b.b[atCRC:], crc32.Checksum(b.b[atAttributes:], castagnoli))
	return nil
}

// stamp writes all that Rewrite changes, save for the checksum.
func (b Batch) stamp(s Stamp) {
	binary.BigEndian.PutUint64(b.b, 0)
	binary.BigEndian.PutUint32(b.b[atLeaderEpoch:], 0xffffffff)
	binary.BigEndian.PutUint16(b.b[atAttributes:], b.Attributes()&codecBits)
	b.restamp(s)
}

func (b Batch) restamp(s Stamp) {
	binary.BigEndian.PutUint64(b.b[atProducer:], uint64(s.ProducerID))
	binary.BigEndian.PutUint16(b.b[atEpoch:], uint16(s.Epoch))
	binary.BigEndian.PutUint32(b.b[atSequence:], uint32(s.Sequence))
}
