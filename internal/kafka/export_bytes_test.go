package kafka

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// BatchBytes is a batch of format 2 as a log has it, with records at these offset
// deltas and keys.
func BatchBytes(first int64, last int32, producer int64, attributes int16, deltas ...int32) []byte {
	var records []byte
	for _, d := range deltas {
		body := append([]byte{0, 0}, binary.AppendVarint(nil, int64(d))...)
		body = append(body, 2, 'k', 2, 'v', 0) // key, value, no headers
		records = append(binary.AppendVarint(records, int64(len(body))), body...)
	}
	b := kmsg.RecordBatch{
		FirstOffset: first, Length: int32(49 + len(records)), PartitionLeaderEpoch: -1, Magic: 2, Attributes: attributes,
		LastOffsetDelta: last, ProducerID: producer, NumRecords: int32(len(deltas)), Records: records,
	}
	raw := b.AppendTo(nil)
	binary.BigEndian.PutUint32(raw[17:], crc32.Checksum(raw[21:], crc32.MakeTable(crc32.Castagnoli)))
	return raw
}

// MessageBytes is a message of format 0.
func MessageBytes(offset int64, attributes byte, key, value []byte) []byte {
	body := []byte{0, attributes}
	for _, v := range [][]byte{key, value} {
		if v == nil {
			body = append(body, 0xff, 0xff, 0xff, 0xff)
			continue
		}
		body = append(binary.BigEndian.AppendUint32(body, uint32(len(v))), v...)
	}
	m := binary.BigEndian.AppendUint64(nil, uint64(offset))
	m = binary.BigEndian.AppendUint32(m, uint32(len(body)+4))
	m = binary.BigEndian.AppendUint32(m, crc32.ChecksumIEEE(body))
	return append(m, body...)
}

// OldLZ4Bytes is the frame that clients before 0.10 wrote around a message set of
// format 0: the checksum of its head covers the magic as well, which other
// readers find wrong (KAFKA-3160). Its one block is stored, not packed.
func OldLZ4Bytes(set []byte) []byte {
	frame := []byte{0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82 ^ 0x55}
	frame = binary.LittleEndian.AppendUint32(frame, uint32(len(set))|1<<31)
	return append(append(frame, set...), 0, 0, 0, 0)
}
