package batch

import (
	"encoding/binary"
	"errors"
	"math"
	"math/bits"
)

// raw is one record of a batch, unpacked: what stands before the key, and the
// rest, which is copied as it is.
type raw struct {
	attributes  byte
	timeDelta   int64
	offsetDelta int32
	body        []byte // key, value and headers
}

var (
	errLength  = errors.New("the length of a record does not fit")
	errNumbers = errors.New("a record ends in the middle of its numbers")
)

// nextRecord reads the record at the beginning of b, and says how many bytes
// it takes.
func nextRecord(b []byte) (rec raw, size int, err error) {
	length, n := varint32(b)
	if n <= 0 || length < 1 || int(length) > len(b)-n {
		return raw{}, 0, errLength
	}
	size = n + int(length)
	r := b[n:size]
	rec.attributes = r[0]
	r = r[1:]
	var m int
	if rec.timeDelta, m = binary.Varint(r); m <= 0 {
		return raw{}, 0, errNumbers
	}
	r = r[m:]
	if rec.offsetDelta, m = varint32(r); m <= 0 {
		return raw{}, 0, errNumbers
	}
	rec.body = r[m:]
	return rec, size, nil
}

// varint32 reads a zigzag number of 32 bits; n <= 0 where there is none.
func varint32(b []byte) (v int32, n int) {
	wide, n := binary.Varint(b)
	if n > binary.MaxVarintLen32 || wide < math.MinInt32 || wide > math.MaxInt32 {
		return 0, -1
	}
	return int32(wide), n
}

func varintSize(v int64) int {
	zigzag := uint64(v<<1) ^ uint64(v>>63)
	return (bits.Len64(zigzag|1) + 6) / 7
}

// recordSize is what the record takes with other deltas, and what its length
// says.
func recordSize(timeDelta int64, offsetDelta int32, body int) (size, length int) {
	length = 1 + varintSize(timeDelta) + varintSize(int64(offsetDelta)) + body
	return varintSize(int64(length)) + length, length
}

func appendRecord(dst []byte, length int, attributes byte, timeDelta int64, offsetDelta int32, body []byte) []byte {
	dst = binary.AppendVarint(dst, int64(length))
	dst = append(dst, attributes)
	dst = binary.AppendVarint(dst, timeDelta)
	dst = binary.AppendVarint(dst, int64(offsetDelta))
	return append(dst, body...)
}
