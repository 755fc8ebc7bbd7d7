package batch

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
)

// Kind is what a reader of committed records does with a batch.
type Kind int

// The kinds. Only data is copied; the offsets of the others are a gap.
const (
	Data    Kind = iota + 1
	Marker       // the end of a transaction
	Aborted      // records of a transaction that was aborted
	Empty        // all its records were compacted away
)

func (k Kind) String() string {
	switch k {
	case Data:
		return "data"
	case Marker:
		return "marker"
	case Aborted:
		return "aborted"
	case Empty:
		return "empty"
	default:
		return "no kind"
	}
}

// AbortedTransaction is one entry of a fetch response's list of aborted
// transactions.
type AbortedTransaction struct {
	ProducerID  int64
	FirstOffset int64
}

// Filter tells committed records from aborted ones, for one partition of one
// fetch response that was read with isolation level read_committed, as Kafka's
// consumer does (CompletedFetch). Batches must come in the order of the
// response. Reset makes it ready for the next response, and reuses its memory.
type Filter struct {
	list   []AbortedTransaction // sorted by first offset
	begun  int                  // how many of them have begun
	active []int64              // producer ids inside an aborted transaction
}

// Reset begins a response with that list, in any order. The list is copied.
func (f *Filter) Reset(aborted []AbortedTransaction) {
	f.active, f.begun = f.active[:0], 0
	f.list = append(f.list[:0], aborted...)
	slices.SortFunc(f.list, func(a, b AbortedTransaction) int { return cmp.Compare(a.FirstOffset, b.FirstOffset) })
}

// Classify says what the next batch is. A marker that cannot be read is a
// *DamageError: behind it committed and aborted records cannot be told apart.
func (f *Filter) Classify(b Batch) (Kind, error) {
	for ; f.begun < len(f.list) && f.list[f.begun].FirstOffset <= b.LastOffset(); f.begun++ {
		if id := f.list[f.begun].ProducerID; !slices.Contains(f.active, id) {
			f.active = append(f.active, id)
		}
	}
	switch {
	case b.Count() == 0 && b.Control():
		return Marker, nil
	case b.Count() == 0:
		return Empty, nil
	case b.Control():
		aborts, err := b.aborts()
		if err != nil {
			return 0, err
		}
		if i := slices.Index(f.active, b.ProducerID()); aborts && i >= 0 {
			f.active = slices.Delete(f.active, i, i+1)
		}
		return Marker, nil
	case b.Transactional() && slices.Contains(f.active, b.ProducerID()):
		return Aborted, nil
	}
	return Data, nil
}

// aborts reports whether a control batch ends a transaction by aborting it. Its
// key is a version and a type (ControlRecordType): 0 aborts, 1 commits, the
// others are no end of a transaction.
func (b Batch) aborts() (bool, error) {
	if b.Codec() != None {
		return false, b.damaged(BadRecords, "it is a marker and compressed")
	}
	rec, _, err := nextRecord(b.Payload())
	if err != nil {
		return false, b.damaged(BadRecords, err.Error())
	}
	length, n := varint32(rec.body)
	if n <= 0 || length < 4 || int(length) > len(rec.body)-n {
		return false, b.damaged(BadRecords, fmt.Sprintf("its marker has a key of %d bytes", length))
	}
	return binary.BigEndian.Uint16(rec.body[n+2:]) == 0, nil
}

func (b Batch) damaged(f Fault, detail string) error {
	return &DamageError{Fault: f, Offset: b.Offset(), At: -1, Detail: detail}
}
