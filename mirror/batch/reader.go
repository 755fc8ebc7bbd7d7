package batch

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
)

// The least sizes that the length of a batch or message can say.
const (
	leastV0 = 14 // checksum, magic, attributes, two lengths
	leastV1 = 22 // and a timestamp
	leastV2 = HeaderSize - overhead
)

// castagnoli is CRC-32C's table; nothing writes it.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Reader goes through the record bytes of one partition of a fetch response.
// A broker cuts the answer where the size limit falls, so the last batch may be
// partial: that is no error. Everything else that is odd is.
//
//	for r.Next() {
//		if r.Magic() < 2 { ... r.Message() } else { ... r.Batch() }
//	}
//	if err := r.Err(); err != nil { ... }
//
// It allocates nothing, save for an error.
type Reader struct {
	rest  []byte
	at    int
	last  int64
	check bool
	entry []byte
	need  int
	err   error
}

// NewReader reads records and checks each checksum before a batch is handed
// out.
func NewReader(records []byte) Reader {
	return Reader{rest: records, last: -1, check: true}
}

// NewUncheckedReader reads records without checksums, for scans of headers.
// What it hands out must not be given a new checksum; Patcher keeps a wrong one
// wrong.
func NewUncheckedReader(records []byte) Reader {
	return Reader{rest: records, last: -1}
}

// Next moves to the next batch, and reports whether there is one.
func (r *Reader) Next() bool {
	r.at += len(r.entry)
	r.entry = nil
	if r.err != nil || r.need != 0 || len(r.rest) == 0 {
		return false
	}
	if len(r.rest) < overhead {
		r.need = overhead
		return false
	}
	size := int64(int32(binary.BigEndian.Uint32(r.rest[atLength:])))
	if size < leastV0 {
		return r.fail(BadLength, fmt.Sprintf("its length is %d, less than any batch has", size))
	}
	if len(r.rest) > atMagic && !r.fits(r.rest[atMagic], size) {
		return false
	}
	if overhead+size > int64(len(r.rest)) {
		r.need = int(overhead + size)
		return false
	}
	entry := r.rest[: overhead+size : overhead+size]
	if !r.sound(entry) {
		return false
	}
	r.entry, r.rest = entry, r.rest[len(entry):]
	return true
}

// Magic is the format of the entry at hand: 0 and 1 are a Message, 2 a Batch.
func (r *Reader) Magic() int {
	if r.entry == nil {
		return -1
	}
	return int(r.entry[atMagic])
}

// Batch is the entry at hand, and none if its magic is not 2.
func (r *Reader) Batch() Batch {
	if r.Magic() != 2 {
		return Batch{}
	}
	return Batch{r.entry}
}

// Message is the entry at hand, and none if its magic is 2.
func (r *Reader) Message() Message {
	if m := r.Magic(); m != 0 && m != 1 {
		return Message{}
	}
	return Message{r.entry}
}

// Err says why Next ended, nil at the end of the bytes.
func (r *Reader) Err() error { return r.err }

// Partial says how much of a last, cut batch is there and how much it needs,
// both in bytes; need is at least 12 when there is such a batch, and 0
// otherwise. A reader that got nothing but a partial batch must fetch more
// bytes, up to a limit of its own: a damaged length looks the same.
func (r *Reader) Partial() (have, need int) {
	if r.need == 0 {
		return 0, 0
	}
	return len(r.rest), r.need
}

func (r *Reader) fail(f Fault, detail string) bool {
	r.err = &DamageError{Fault: f, Offset: int64(binary.BigEndian.Uint64(r.rest)), At: r.at, Detail: detail}
	return false
}

func (r *Reader) fits(magic byte, size int64) bool {
	if magic > 2 {
		return r.fail(BadMagic, fmt.Sprintf("its format is %d, and kplan knows 0, 1 and 2", magic))
	}
	if least := [...]int64{leastV0, leastV1, leastV2}[magic]; size < least {
		return r.fail(BadLength, fmt.Sprintf("its length is %d, and the least of format %d is %d", size, magic, least))
	}
	return true
}

func (r *Reader) sound(entry []byte) bool {
	offset := int64(binary.BigEndian.Uint64(entry))
	if offset < 0 {
		return r.fail(BadHeader, "its offset is negative")
	}
	if offset <= r.last {
		return r.fail(BadOrder, fmt.Sprintf("the batch before it ends with %d", r.last))
	}
	last := offset
	if entry[atMagic] == 2 {
		b := Batch{entry}
		if detail := contradiction(b); detail != "" {
			return r.fail(BadHeader, detail)
		}
		last = b.LastOffset()
	}
	if r.check {
		if want, got := checksums(entry); want != got {
			return r.fail(BadCRC, fmt.Sprintf("its checksum is %08x, and its bytes give %08x", want, got))
		}
	}
	r.last = last
	return true
}

func checksums(entry []byte) (stored, computed uint32) {
	stored = binary.BigEndian.Uint32(entry[atCRC:])
	if entry[atMagic] == 2 {
		return stored, crc32.Checksum(entry[atAttributes:], castagnoli)
	}
	stored = binary.BigEndian.Uint32(entry[overhead:])
	return stored, crc32.ChecksumIEEE(entry[atMagic:])
}

func contradiction(b Batch) string {
	delta, count := b.LastDelta(), b.Count()
	switch {
	case delta < 0 || b.Offset() > math.MaxInt64-1-int64(delta):
		return fmt.Sprintf("its last offset delta is %d", delta)
	case count < 0 || int64(count) > int64(delta)+1:
		return fmt.Sprintf("it says %d records in %d offsets", count, int64(delta)+1)
	case b.Codec() > Zstd:
		return fmt.Sprintf("its codec is %d, and kplan knows 0 to 4", b.Codec())
	}
	return ""
}

// Parse reads exactly one batch of magic 2, with its checksum.
func Parse(bytes []byte) (Batch, error) {
	r := NewReader(bytes)
	if !r.Next() || r.Magic() != 2 || len(r.rest) != 0 {
		if r.Err() != nil {
			return Batch{}, r.Err()
		}
		return Batch{}, &DamageError{Fault: BadLength, Offset: -1, Detail: fmt.Sprintf("%d bytes are not one batch of format 2", len(bytes))}
	}
	return r.Batch(), nil
}
