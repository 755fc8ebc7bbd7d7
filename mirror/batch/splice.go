package batch

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"slices"
)

// Limits bound a Splicer's memory and its batches.
type Limits struct {
	Batch    int // bytes of a batch that goes out, header included: the target's max.message.bytes
	Unpacked int // bytes that the records of one batch may unpack to
}

// All is the end of a batch that is taken whole.
const All = math.MaxInt64

// Splicer makes batches that brokers accept out of batches that they would
// not: it merges small ones, cuts large ones, leaves out records, closes the
// gaps of compaction, and keeps the times of LogAppendTime (as deltas of 0).
// It rewrites each record's length, timestamp delta and offset delta, and
// copies the rest. Compressed batches are unpacked and packed again with their
// own codec. What goes out has one codec and a dense run of offsets.
//
//	s.Open(b, from, All)
//	for {
//		rest, err := s.Take()
//		if !rest { break }
//		out, runs, err = s.Finish(out, stamp)
//	}
//
// and Finish once more when no batch is to be merged any more. It keeps its
// memory, about Limits.Batch + 2 × Limits.Unpacked at most and the codecs';
// it is not safe for concurrent use.
type Splicer struct {
	limits Limits
	most   int // bytes of a batch that cannot be cut
	codecs codecs
	loose  []byte // the opened records, unpacked
	inner  []byte // messages of a wrapper, unpacked

	src source

	out      []byte // what goes out, unpacked, with room for the header
	count    int32
	codec    Codec
	baseTime int64
	maxTime  int64
	runs     []Run
}

// source is what is left of the opened batch.
type source struct {
	records   []byte
	offset    int64 // what offset deltas are relative to
	baseTime  int64
	maxTime   int64
	append    bool // maxTime is every record's time
	codec     Codec
	lastDelta int32
	prev      int32 // delta of the record before
	left      int32 // records
	from, end int64 // offsets to take, end excluded
}

// NewSplicer refuses limits in which no batch has room.
func NewSplicer(l Limits) (*Splicer, error) {
	if l.Batch <= HeaderSize || l.Unpacked <= 0 || l.Batch > math.MaxInt32 || l.Unpacked > math.MaxInt32/2 {
		return nil, fmt.Errorf("splicing: batches of %d bytes that unpack to %d: want more than %d and 0, and less than 2 and 1 GiB", l.Batch, l.Unpacked, HeaderSize)
	}
	return &Splicer{limits: l, most: l.Batch, out: make([]byte, HeaderSize)}, nil
}

// Sibling is another one of the same limits, with nothing in it.
func (s *Splicer) Sibling() *Splicer {
	return &Splicer{limits: s.limits, most: s.most, out: make([]byte, HeaderSize)}
}

// Bound changes how many bytes a batch that goes out should have, and how many
// the batch of a single record may have, which cannot be cut.
func (s *Splicer) Bound(batch, most int) {
	s.limits.Batch = min(max(batch, HeaderSize+1), math.MaxInt32)
	s.most = min(max(batch, most), math.MaxInt32)
}

// Reset forgets the opened batch and what was taken.
func (s *Splicer) Reset() {
	s.src = source{}
	s.restart()
}

func (s *Splicer) restart() {
	s.out, s.count = s.out[:HeaderSize], 0
}

// Len is how many records wait for Finish.
func (s *Splicer) Len() int { return int(s.count) }

// Size is how many bytes they take, header included, unpacked.
func (s *Splicer) Size() int { return len(s.out) }

// Open makes the records of b that have offsets in [from, end) the ones that
// Take takes; what was left of the batch before is forgotten. b's bytes must
// stay as they are until Take has reported that there is no rest. Errors:
// *UnfitError for a marker, *DamageError, *TooLargeError.
func (s *Splicer) Open(b Batch, from, end int64) error {
	s.src = source{}
	if b.Control() {
		return &UnfitError{Offset: b.Offset(), Obstacle: IsControl}
	}
	if b.Count() == 0 {
		return nil
	}
	records := b.Payload()
	if b.Codec() != None {
		var err error
		s.loose, err = s.unpack(s.loose[:0], b.Codec(), records, b.Offset())
		if err != nil {
			return err
		}
		records = s.loose
	}
	s.src = source{
		records: records, offset: b.Offset(), baseTime: b.BaseTimestamp(), maxTime: b.MaxTimestamp(),
		append: b.LogAppendTime(), codec: b.Codec(), lastDelta: b.LastDelta(), prev: -1, left: b.Count(),
		from: from, end: end,
	}
	return nil
}

func (s *Splicer) unpack(dst []byte, codec Codec, src []byte, offset int64) ([]byte, error) {
	dst, err := s.codecs.unpack(dst, codec, src, s.limits.Unpacked)
	switch err {
	case nil:
		return dst, nil
	case errTooLong:
		return dst, &TooLargeError{Offset: offset, What: "an unpacked " + codec.String() + " batch", Size: s.limits.Unpacked, Limit: s.limits.Unpacked, Remedy: "raise kplan's limit if the batch is meant to be that large; it may also be a small batch made to exhaust memory"}
	}
	return dst, &DamageError{Fault: BadCompression, Offset: offset, At: -1, Detail: codec.String() + " cannot unpack its records", Cause: err}
}

// Take moves records from the opened batch to the one that goes out. It
// reports true when that one is full, or has another codec, and records are
// left: after Finish, Take goes on. It takes at least one record if nothing
// waits, so that the loop ends.
func (s *Splicer) Take() (rest bool, err error) {
	room := s.room()
	for s.src.left > 0 {
		rec, size, err := s.src.peek()
		if err != nil {
			return false, err
		}
		offset := s.src.offset + int64(rec.offsetDelta)
		if offset >= s.src.end {
			s.src = source{}
			return false, nil
		}
		if offset >= s.src.from {
			time := s.src.baseTime + rec.timeDelta
			if s.src.append {
				time = s.src.maxTime
			}
			if s.count == 0 {
				s.begin(time)
				room = s.room()
			}
			total, length := recordSize(time-s.baseTime, s.count, len(rec.body))
			if s.count > 0 && (s.codec != s.src.codec || len(s.out)+total > room) {
				return true, nil
			}
			s.out = appendRecord(s.out, length, rec.attributes, time-s.baseTime, s.count, rec.body)
			s.note(offset, time)
		}
		s.src.move(rec, size)
	}
	if len(s.src.records) > 0 {
		return false, s.src.damaged(fmt.Sprintf("%d bytes follow its last record", len(s.src.records)))
	}
	s.src = source{}
	return false, nil
}

func (s *Splicer) begin(time int64) {
	s.restart()
	s.codec, s.baseTime, s.maxTime, s.runs = s.src.codec, time, time, s.runs[:0]
}

func (s *Splicer) note(offset, time int64) {
	s.count++
	s.maxTime = max(s.maxTime, time)
	s.runs = addRun(s.runs, offset)
}

func addRun(runs []Run, offset int64) []Run {
	if n := len(runs); n > 0 && runs[n-1].End() == offset {
		runs[n-1].Count++
		return runs
	}
	return append(runs, Run{Offset: offset, Count: 1})
}

// room is how large the batch that goes out may become before it is packed,
// so that it fits even if packing makes it larger, as it does with bytes that
// look random.
func (s *Splicer) room() int {
	l := s.limits.Batch
	switch s.codec {
	case None:
		return l
	case Snappy:
		return l - l/6 - 1024
	default:
		return l - l/256 - 128
	}
}

// peek reads the next record of the source and checks its place.
func (s *source) peek() (raw, int, error) {
	rec, size, err := nextRecord(s.records)
	if err != nil {
		return raw{}, 0, s.damaged(err.Error())
	}
	if rec.offsetDelta <= s.prev || rec.offsetDelta > s.lastDelta {
		return raw{}, 0, s.damaged(fmt.Sprintf("a record has the offset delta %d, between %d and a last of %d", rec.offsetDelta, s.prev, s.lastDelta))
	}
	return rec, size, nil
}

func (s *source) move(rec raw, size int) {
	s.records = s.records[size:]
	s.prev = rec.offsetDelta
	s.left--
}

func (s *source) damaged(detail string) error {
	return &DamageError{Fault: BadRecords, Offset: s.offset, At: -1, Detail: detail}
}

// Finish appends the batch that goes out to dst, with that stamp, and begins
// the next one. The runs say at which source offsets its records are, in
// order; they are good until the next Take. Without records nothing is
// appended. After *TooLargeError (one record beyond the limit) the record
// still waits: Reset drops it.
func (s *Splicer) Finish(dst []byte, stamp Stamp) ([]byte, []Run, error) {
	if s.count == 0 {
		return dst, nil, nil
	}
	start := len(dst)
	if s.codec == None {
		if len(s.out) > s.most {
			return dst, nil, s.tooLarge(len(s.out))
		}
		dst = append(dst, s.out...)
	} else {
		dst = append(slices.Grow(dst, len(s.out)), s.out[:HeaderSize]...)
		var err error
		if dst, err = s.codecs.pack(dst, s.codec, s.out[HeaderSize:]); err != nil {
			return dst[:start], nil, fmt.Errorf("packing %d records with %s: %w", s.count, s.codec, err)
		}
		if size := len(dst) - start; size > s.most {
			return dst[:start], nil, s.tooLarge(size)
		}
	}
	b := Batch{dst[start:]}
	binary.BigEndian.PutUint32(b.b[atLength:], uint32(len(b.b)-overhead))
	b.b[atMagic] = 2
	binary.BigEndian.PutUint16(b.b[atAttributes:], uint16(s.codec))
	binary.BigEndian.PutUint32(b.b[atLastDelta:], uint32(s.count-1))
	binary.BigEndian.PutUint64(b.b[atBaseTime:], uint64(s.baseTime))
	binary.BigEndian.PutUint64(b.b[atMaxTime:], uint64(s.maxTime))
	binary.BigEndian.PutUint32(b.b[atCount:], uint32(s.count))
	b.stamp(stamp)
	binary.BigEndian.PutUint32(b.b[atCRC:], crc32.Checksum(b.b[atAttributes:], castagnoli))
	s.restart()
	return dst, s.runs, nil
}

func (s *Splicer) tooLarge(size int) error {
	what := "a batch"
	if s.count == 1 {
		what = "the batch of one record"
	}
	return &TooLargeError{Offset: s.runs[0].Offset, What: what, Size: size, Limit: s.most, Remedy: "say in the plan what the target's topic is to take (topics { topic \"NAME\" { config = { \"max.message.bytes\" = ... } } }), and apply; what is set by hand there the next apply gives back"}
}

// AppendRuns appends where the records of b are, unpacking them only if the
// header does not say. It forgets the opened batch. For scans of compacted
// logs; a marker is an *UnfitError.
func (s *Splicer) AppendRuns(dst []Run, b Batch) ([]Run, error) {
	if run, dense := b.Run(); dense {
		if n := len(dst); n > 0 && dst[n-1].End() == run.Offset {
			dst[n-1].Count += run.Count
			return dst, nil
		}
		return append(dst, run), nil
	}
	if err := s.Open(b, 0, All); err != nil {
		return dst, err
	}
	for s.src.left > 0 {
		rec, size, err := s.src.peek()
		if err != nil {
			return dst, err
		}
		dst = addRun(dst, s.src.offset+int64(rec.offsetDelta))
		s.src.move(rec, size)
	}
	return dst, nil
}
