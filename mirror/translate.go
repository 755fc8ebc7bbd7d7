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

// Place is where a position of the source is on the target: the next record to be
// read there. Whoever begins at Target misses nothing. Where the map is coarse
// the true place may be behind that, at Latest at most; else the two are one.
type Place struct {
	Target, Latest int64
}

// Repeats is how many records that lie before the position whoever begins at
// Target may read at most.
func (p Place) Repeats() int64 { return p.Latest - p.Target }

// ToTarget translates a position, which is the offset of the next record to be
// read. In a gap of the source that next record is the one behind the gap; at
// the end of the coverage it is the end of the target's. Where strangers wrote
// to the target in between (R14), their records are behind the reader. The
// error is an *OutsideError.
func (m *Map) ToTarget(position int64) (Place, error) {
	if position < m.start.Source || position > m.end.Source {
		return Place{}, &OutsideError{Side: "source", Position: position, First: m.start.Source, Last: m.end.Source}
	}
	if position < m.exact().Source {
		return m.coarse.stretches[m.coarse.bySource(position)].place(position), nil
	}
	at := m.end.Target
	if s, found := m.bySource(position); found {
		at = s.Target + max(0, position-s.Source)
	}
	return Place{at, at}, nil
}

// Place is ToTarget for the position of a group. One before the beginning of the
// map is at it: what was copied from there the source does not have any more, and
// what was not copied the target has not.
func (m *Map) Place(position int64) (Place, error) { return m.ToTarget(max(position, m.start.Source)) }

// ToSource is ToTarget the other way: the mirror that finds the target's log
// end there reads on at that source offset. Where the map is coarse that is the
// beginning of the stretch.
func (m *Map) ToSource(position int64) (int64, error) {
	if position < m.start.Target || position > m.end.Target {
		return 0, &OutsideError{Side: "target", Position: position, First: m.start.Target, Last: m.end.Target}
	}
	if position < m.exact().Target {
		return m.coarse.stretches[m.coarse.byTarget(position)].first.Source, nil
	}
	if s, _, found := m.byTarget(position); found {
		return s.Source + max(0, position-s.Target), nil
	}
	return m.end.Source, nil
}
