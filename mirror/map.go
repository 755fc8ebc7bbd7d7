package mirror

import (
	"fmt"
	"math"
	"slices"
	"sort"

	"kplan/mirror/batch"
)

// Point is one place in both logs.
type Point struct {
	Source, Target int64
}

// Segment is a run of records that lie next to each other in both logs.
type Segment struct {
	Source, Target int64 // offsets of the first record
	Length         int64 // records, at least 1
}

// SourceEnd is the source offset behind the last record.
func (s Segment) SourceEnd() int64 { return s.Source + s.Length }

// TargetEnd is the target offset behind the last record.
func (s Segment) TargetEnd() int64 { return s.Target + s.Length }

// Map says where the copied records of one partition are. It covers both logs
// from Start to End; what lies there and in no segment is a gap: markers,
// aborted or compacted records on the source, fillers, markers or strangers'
// records on the target. A dense partition is one segment. A Map is not safe
// for concurrent use; Clone one to hand it out.
type Map struct {
	start, end Point
	segments   []Segment
}

// NewMap is a map that covers nothing: the copy begins at start.
func NewMap(start Point) (*Map, error) {
	if start.Source < 0 || start.Target < 0 {
		return nil, fmt.Errorf("making an offset map: it cannot start at source offset %d and target offset %d", start.Source, start.Target)
	}
	return &Map{start: start, end: start}, nil
}

// Start is where the coverage begins.
func (m *Map) Start() Point { return m.start }

// End is where it ends: the next record to be copied is at or behind
// End().Source, and will be at or behind End().Target.
func (m *Map) End() Point { return m.end }

// Len is the number of segments.
func (m *Map) Len() int { return len(m.segments) }

// Segments are a copy, in order.
func (m *Map) Segments() []Segment { return slices.Clone(m.segments) }

// Records is how many records were copied.
func (m *Map) Records() int64 {
	var n int64
	for _, s := range m.segments {
		n += s.Length
	}
	return n
}

// Clone is a map of its own.
func (m *Map) Clone() *Map {
	return &Map{start: m.start, end: m.end, segments: slices.Clone(m.segments)}
}

// OrderError says that something does not continue a map.
type OrderError struct {
	End     Point // of the map
	Segment Segment
}

func (e *OrderError) Error() string {
	return fmt.Sprintf("%d records from source offset %d at target offset %d do not continue an offset map that ends at source offset %d and target offset %d. Cut the map at the target's log end first",
		e.Segment.Length, e.Segment.Source, e.Segment.Target, e.End.Source, e.End.Target)
}

// Append notes a run of copied records behind all others; what is left out on
// either side is a gap. It joins the last segment if it touches it on both
// sides. The error is an *OrderError, and the map as it was.
func (m *Map) Append(s Segment) error {
	if s.Length < 1 || s.Source < m.end.Source || s.Target < m.end.Target ||
		s.Source > math.MaxInt64-s.Length || s.Target > math.MaxInt64-s.Length {
		return &OrderError{End: m.end, Segment: s}
	}
	if n := len(m.segments); n > 0 && m.segments[n-1].SourceEnd() == s.Source && m.segments[n-1].TargetEnd() == s.Target {
		m.segments[n-1].Length += s.Length
	} else {
		m.segments = append(m.segments, s)
	}
	m.end = Point{s.SourceEnd(), s.TargetEnd()}
	return nil
}

// AppendRuns notes records that were sent as one batch: on the source they are
// at the runs, on the target one after the other from that offset on. On an
// error nothing was noted.
func (m *Map) AppendRuns(target int64, runs []batch.Run) error {
	n, end := len(m.segments), m.end
	var last int64
	if n > 0 {
		last = m.segments[n-1].Length
	}
	for _, r := range runs {
		if err := m.Append(Segment{Source: r.Offset, Target: target, Length: r.Count}); err != nil {
			m.segments, m.end = m.segments[:n], end
			if n > 0 {
				m.segments[n-1].Length = last
			}
			return err
		}
		target += r.Count
	}
	return nil
}

// Cover moves the end of the coverage over gaps: up to there, the source holds
// no further record to copy, and the target none of ours.
func (m *Map) Cover(end Point) error {
	if end.Source < m.end.Source || end.Target < m.end.Target {
		return fmt.Errorf("covering an offset map up to source offset %d and target offset %d: it already ends at %d and %d", end.Source, end.Target, m.end.Source, m.end.Target)
	}
	m.end = end
	return nil
}

// bySource is the first segment that ends behind the source offset.
func (m *Map) bySource(offset int64) int {
	return sort.Search(len(m.segments), func(i int) bool { return m.segments[i].SourceEnd() > offset })
}

// byTarget is the first segment that ends behind the target offset.
func (m *Map) byTarget(offset int64) int {
	return sort.Search(len(m.segments), func(i int) bool { return m.segments[i].TargetEnd() > offset })
}

// before is where the map would end if CutTarget cut it at a log end that it
// covers.
func (m *Map) before(logEnd int64) Point {
	if logEnd >= m.end.Target {
		return m.end
	}
	i := m.byTarget(logEnd)
	if i < len(m.segments) && m.segments[i].Target < logEnd {
		return Point{m.segments[i].Source + logEnd - m.segments[i].Target, logEnd}
	}
	return Point{m.sourceEndBefore(i), logEnd}
}
