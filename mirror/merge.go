package mirror

import "fmt"

// ConflictError says that two maps, or a map and a log, tell different stories.
type ConflictError struct {
	At     Point // where they part
	Reason string
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("the offset maps part at source offset %d and target offset %d: %s. Rebuild the map from the two logs; where they part as well, the partition has to be copied again", e.At.Source, e.At.Target, e.Reason)
}

// Merge joins what two maps of one partition know, as after a scan from a
// checkpoint. Their coverages must touch, and where they overlap they must
// agree: *ConflictError. Neither is changed.
func Merge(a, b *Map) (*Map, error) {
	if b.start.Source < a.start.Source {
		a, b = b, a
	}
	if b.start.Source > a.end.Source {
		return nil, &ConflictError{At: a.end, Reason: fmt.Sprintf("one ends there, and the other begins at source offset %d: nobody knows what is between", b.start.Source)}
	}
	shared := min(a.end.Source, b.end.Source)
	if err := agree(a.between(b.start.Source, shared), b.between(b.start.Source, shared)); err != nil {
		return nil, err
	}
	if before := a.targetEndBefore(a.bySource(b.start.Source)); before > b.start.Target {
		return nil, &ConflictError{At: b.start, Reason: fmt.Sprintf("one begins there, and the other has earlier records up to target offset %d", before)}
	}
	out := a.Clone()
	further, ended := b, a // the one whose source reaches further has the rest
	if b.end.Source < a.end.Source {
		further, ended = a, b
	}
	rest := further.between(shared, further.end.Source)
	if len(rest) > 0 && rest[0].Target < ended.end.Target {
		return nil, &ConflictError{At: Point{rest[0].Source, rest[0].Target}, Reason: fmt.Sprintf("one of them has seen the target up to %d without a record there", ended.end.Target)}
	}
	if further == b {
		for _, s := range rest {
			if err := out.Append(s); err != nil {
				return nil, fmt.Errorf("merging offset maps: %w", err)
			}
		}
	}
	return out, out.Cover(Point{further.end.Source, max(a.end.Target, b.end.Target)})
}

// agree compares what two maps say of the same source offsets.
func agree(left, right []Segment) error {
	for i := range max(len(left), len(right)) {
		switch {
		case i >= len(left):
			return onlyOne(right[i])
		case i >= len(right):
			return onlyOne(left[i])
		case left[i] != right[i]:
			return &ConflictError{At: Point{left[i].Source, left[i].Target}, Reason: fmt.Sprintf("one has %+v and the other %+v", left[i], right[i])}
		}
	}
	return nil
}

func onlyOne(s Segment) error {
	return &ConflictError{At: Point{s.Source, s.Target}, Reason: fmt.Sprintf("only one of them has %d records there", s.Length)}
}

// between are the segments in [from, end) of the source, cut to fit.
func (m *Map) between(from, end int64) []Segment {
	var out []Segment
	for _, s := range m.segments[m.bySource(from):] {
		if s.Source >= end {
			break
		}
		if skip := from - s.Source; skip > 0 {
			s = Segment{from, s.Target + skip, s.Length - skip}
		}
		s.Length = min(s.Length, end-s.Source)
		out = append(out, s)
	}
	return out
}
