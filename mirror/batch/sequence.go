package batch

import "fmt"

// wrap is the number of sequences: 2^31-1 is followed by 0
// (DefaultRecordBatch.incrementSequence).
const wrap = 1 << 31

// Sequence is the sequence of the record that belongs at that target offset:
// the offset minus the start of the phase (the target's log end at the last
// flip, 0 before the first) minus the offsets that markers took since then
// (R24). Markers use no sequence; fillers do.
func Sequence(target, phaseStart, markers int64) (int32, error) {
	if phaseStart < 0 || markers < 0 || target < phaseStart || target-phaseStart < markers {
		return 0, fmt.Errorf("planning a sequence: target offset %d cannot follow a phase that starts at %d and %d marker offsets", target, phaseStart, markers)
	}
	return int32((target - phaseStart - markers) % wrap), nil
}

// MisplacedError says that a batch is not where the map says.
type MisplacedError struct {
	Planned, Found int64 // target offsets
}

func (e *MisplacedError) Error() string {
	return fmt.Sprintf("records planned for target offset %d are at %d: somebody else writes to the target, or the producer's state was lost there. The partition is stopped; read its log end and its headers before going on (R14)", e.Planned, e.Found)
}

// CheckAcknowledged compares the base offset of a produce response with the
// planned one. Brokers give the first one for a duplicate, too; -1 says nothing
// about the place and is not accepted.
func CheckAcknowledged(planned, found int64) error {
	if planned != found {
		return &MisplacedError{Planned: planned, Found: found}
	}
	return nil
}

// CheckStored finds a misplaced batch of ours in the target's log, from its
// header alone: the sequence says where it was meant to be (R23). markers are
// the marker offsets since the phase began and before the batch.
func CheckStored(b Batch, phaseStart, markers int64) error {
	want, err := Sequence(b.Offset(), phaseStart, markers)
	if err != nil {
		return err
	}
	if got := b.Sequence(); got != want {
		// The nearest place that has the sequence which is stored.
		away := int64(int32(uint32(got-want)<<1)) / 2
		return &MisplacedError{Planned: b.Offset() + away, Found: b.Offset()}
	}
	return nil
}
