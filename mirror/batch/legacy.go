package batch

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
)

// Message is one entry of a message set of magic 0 or 1: a record, or a
// wrapper whose value is a compressed message set. Only Reader makes one. It
// is a view: it lives as long as the bytes that were read.
type Message struct{ b []byte }

// Bytes is the message with its offset and length.
func (m Message) Bytes() []byte { return m.b }

// Offset is the offset of the record; of a wrapper it is that of the last
// record in it.
func (m Message) Offset() int64 { return int64(binary.BigEndian.Uint64(m.b)) }

// Magic is 0 or 1.
func (m Message) Magic() int { return int(m.b[atMagic]) }

// Codec is how the records in a wrapper are compressed, None of a record.
func (m Message) Codec() Codec { return Codec(m.b[atMagic+1] & codecBits) }

// LogAppendTime reports whether the time is the broker's (magic 1).
func (m Message) LogAppendTime() bool { return m.Magic() == 1 && m.b[atMagic+1]&appendTimeBit != 0 }

// Timestamp is in ms, and -1 for magic 0, which has none.
func (m Message) Timestamp() int64 {
	if m.Magic() == 0 {
		return -1
	}
	return int64(binary.BigEndian.Uint64(m.b[atMagic+2:]))
}

// fields are the key and the value, with their lengths; -1 is null.
func (m Message) fields() (key, value []byte, keyLen, valueLen int32, ok bool) {
	rest := m.b[atMagic+2:]
	if m.Magic() == 1 {
		rest = rest[8:]
	}
	if key, keyLen, rest, ok = field(rest); !ok {
		return nil, nil, 0, 0, false
	}
	value, valueLen, rest, ok = field(rest)
	return key, value, keyLen, valueLen, ok && len(rest) == 0
}

func field(b []byte) (data []byte, length int32, rest []byte, ok bool) {
	if len(b) < 4 {
		return nil, 0, nil, false
	}
	length, b = int32(binary.BigEndian.Uint32(b)), b[4:]
	if length < 0 {
		return nil, -1, b, length == -1
	}
	if int64(length) > int64(len(b)) {
		return nil, 0, nil, false
	}
	return b[:length], length, b[length:], true
}

func (m Message) damaged(f Fault, detail string) error {
	return &DamageError{Fault: f, Offset: m.Offset(), At: -1, Detail: detail}
}

// OpenMessage is Open for formats 0 and 1: their records become records of
// format 2, with the offsets they had, and the time they had or -1. What goes
// out has the codec of the wrapper.
func (s *Splicer) OpenMessage(m Message, from, end int64) error {
	s.src = source{}
	s.loose = s.loose[:0]
	src := source{offset: m.Offset(), baseTime: m.Timestamp(), codec: m.Codec(), prev: -1, from: from, end: end}
	if m.Codec() == None {
		if err := s.loosen(m, &src, m.Offset(), m.Timestamp()); err != nil {
			return err
		}
	} else if err := s.openWrapper(m, &src); err != nil {
		return err
	}
	src.records, src.prev = s.loose, -1
	s.src = src
	return nil
}

// openWrapper follows AbstractLegacyRecordBatch.DeepRecordsIterator: offsets
// in a wrapper of magic 1 are relative to the first that was ever in it, and
// the wrapper's own is the last one's.
func (s *Splicer) openWrapper(m Message, src *source) error {
	if m.Codec() > LZ4 {
		return m.damaged(BadHeader, fmt.Sprintf("its codec is %s, which format %d does not have", m.Codec(), m.Magic()))
	}
	_, value, _, length, ok := m.fields()
	if !ok || length < 0 {
		return m.damaged(BadRecords, "it is a wrapper without records")
	}
	var err error
	if s.inner, err = s.unpack(s.inner[:0], m.Codec(), value, m.Offset()); err != nil {
		return err
	}
	last, first := int64(-1), true
	for rest := s.inner; len(rest) > 0; {
		inner, ok := firstMessage(rest)
		if !ok {
			return m.damaged(BadRecords, "a message in it does not fit")
		}
		rest = rest[len(inner.b):]
		if inner.Codec() != None {
			return m.damaged(BadRecords, "a message in it is compressed once more")
		}
		if inner.Offset() <= last {
			return m.damaged(BadRecords, fmt.Sprintf("a message with offset %d follows one with %d in it", inner.Offset(), last))
		}
		last = inner.Offset()
		time := inner.Timestamp()
		if inner.Magic() == 1 && m.LogAppendTime() {
			time = m.Timestamp()
		}
		if first {
			src.offset, src.baseTime, first = last, time, false
		}
		if err := s.loosen(inner, src, last, time); err != nil {
			return err
		}
	}
	if first {
		return m.damaged(BadRecords, "it is a wrapper without records")
	}
	return m.place(src, last)
}

// place turns the relative offsets of a wrapper of magic 1 into absolute ones.
// A wrapper at offset 0 may come from librdkafka, as it was produced.
func (m Message) place(src *source, last int64) error {
	if m.Magic() == 0 || m.Offset() == 0 {
		return nil
	}
	if m.Offset() < last {
		return m.damaged(BadRecords, fmt.Sprintf("the last message in it has the offset %d", last))
	}
	src.offset += m.Offset() - last
	return nil
}

// firstMessage is the message at the beginning of an unpacked message set.
func firstMessage(b []byte) (Message, bool) {
	if len(b) < overhead+leastV0 {
		return Message{}, false
	}
	size := int64(int32(binary.BigEndian.Uint32(b[atLength:])))
	magic := b[atMagic]
	if magic > 1 || size < leastV0 || magic == 1 && size < leastV1 || overhead+size > int64(len(b)) {
		return Message{}, false
	}
	m := Message{b[:overhead+size]}
	return m, m.Offset() >= 0
}

// loosen appends the message to s.loose as a record of format 2. Its checksum
// is checked: that of the wrapper is the only one the Reader has seen.
func (s *Splicer) loosen(m Message, src *source, offset, time int64) error {
	if stored, computed := binary.BigEndian.Uint32(m.b[overhead:]), crc32.ChecksumIEEE(m.b[atMagic:]); stored != computed {
		return m.damaged(BadCRC, fmt.Sprintf("the checksum of a message in it is %08x, and its bytes give %08x", stored, computed))
	}
	key, value, keyLen, valueLen, ok := m.fields()
	if !ok {
		return m.damaged(BadRecords, "its key and value do not fill it")
	}
	delta := offset - src.offset
	if delta > math.MaxInt32-1 {
		return m.damaged(BadRecords, fmt.Sprintf("its offsets are %d apart", delta))
	}
	body := varintSize(int64(keyLen)) + len(key) + varintSize(int64(valueLen)) + len(value) + 1
	_, recordLen := recordSize(time-src.baseTime, int32(delta), body)
	s.loose = appendRecord(s.loose, recordLen, 0, time-src.baseTime, int32(delta), nil)
	s.loose = append(binary.AppendVarint(s.loose, int64(keyLen)), key...)
	s.loose = append(binary.AppendVarint(s.loose, int64(valueLen)), value...)
	s.loose = append(s.loose, 0) // no headers
	src.lastDelta = int32(delta)
	src.left++
	return nil
}
