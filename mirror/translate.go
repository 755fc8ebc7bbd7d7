package mirror

import "fmt"

// OutsideError says that a map does not reach a position.
type OutsideError struct {
	Side     string // source or target
	Position int64
	First    int64 // what the map covers, ends included
	Last     int64
}

func (e *OutsideError) Error() string {
	if e.Position < e.First {
		return fmt.Sprintf("position %d of the %s is before %d, where the offset map begins: what is there was not copied, or the source does not have it any more", e.Position, e.Side, e.First)
	}
	return fmt.Sprintf("position %d of the %s is behind %d, where the offset map ends: the mirror is not there yet, or the position is beyond the log", e.Position, e.Side, e.Last)
}

// ToTarget translates a position, which is the offset of the next record to be
// read. In a gap of the source that next record is the one behind the gap; at
// the end of the coverage it is the end of the target's. Where strangers wrote
// to the target in between (R14), their records are behind the reader. The
// error is an *OutsideError.
func (m *Map) ToTarget(position int64) (int64, error) {
	if position < m.start.Source || position > m.end.Source {
		return 0, &OutsideError{Side: "source", Position: position, First: m.start.Source, Last: m.end.Source}
	}
	if s, found := m.bySource(position); found {
		return s.Target + max(0, position-s.Source), nil
	}
	return m.end.Target, nil
}

// Place is ToTarget for the position of a group: one before the beginning of the
// map, whose records the source does not have any more, is at it.
func (m *Map) Place(position int64) (int64, error) { return m.ToTarget(max(position, m.start.Source)) }

// ToSource is ToTarget the other way: the mirror that finds the target's log
// end there reads on at that source offset.
func (m *Map) ToSource(position int64) (int64, error) {
	if position < m.start.Target || position > m.end.Target {
		return 0, &OutsideError{Side: "target", Position: position, First: m.start.Target, Last: m.end.Target}
	}
	if s, _, found := m.byTarget(position); found {
		return s.Source + max(0, position-s.Target), nil
	}
	return m.end.Source, nil
}
