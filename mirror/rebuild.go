package mirror

import (
	"fmt"

	"kplan/mirror/batch"
)

// SurplusError says that the target holds more of our records than the source
// has to tell for.
type SurplusError struct {
	Target int64 // the first that is too much
}

func (e *SurplusError) Error() string {
	return fmt.Sprintf("the record at target offset %d was copied from a source record that is not there any more: the source was truncated or compacted, or its retention overtook the copy. The offset map cannot be rebuilt from the logs; copy the partition again, or restore the saved map", e.Target)
}

// Rebuild makes a map from scans of the two logs' headers, when the saved one
// was lost: the n-th data record of the source is the n-th of ours on the
// target. Both scans must begin at start, a place that is known to belong
// together, as the beginning of the copy or a checkpoint. The runs of the
// source are its committed data (Filter, Splicer.AppendRuns), those of the
// target the batches of the mirror's producer id. A source that reaches
// further was not copied that far yet.
//
// A source that is compacted between copy and scan cannot be told from one
// that was not: its map is written before the records are sent, and is not
// rebuilt (R24).
func Rebuild(start Point, source, target []batch.Run) (*Map, error) {
	m, err := NewMap(start)
	if err != nil {
		return nil, err
	}
	var from batch.Run
	for _, to := range target {
		for to.Count > 0 {
			for from.Count == 0 {
				if len(source) == 0 {
					return nil, &SurplusError{Target: to.Offset}
				}
				from, source = source[0], source[1:]
			}
			n := min(from.Count, to.Count)
			if err := m.Append(Segment{Source: from.Offset, Target: to.Offset, Length: n}); err != nil {
				return nil, fmt.Errorf("rebuilding an offset map: %w", err)
			}
			from.Offset, from.Count = from.Offset+n, from.Count-n
			to.Offset, to.Count = to.Offset+n, to.Count-n
		}
	}
	return m, nil
}
