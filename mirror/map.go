package mirror

import (
	"fmt"
	"math"

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

func (s Segment) end() Point { return Point{s.SourceEnd(), s.TargetEnd()} }

// Map says where the copied records of one partition are. It covers both logs
// from Start to End; what lies there and in no segment is a gap: markers,
// aborted or compacted records on the source, fillers, markers or strangers'
// records on the target. A dense partition is one segment, and transactions of
// one length are one run, so that they take no room each; what every group has
// read can be made coarse, see Coarsen. A Map is not safe for
// concurrent use; Clone one to hand it out, which costs the same however long
// the map is.
type Map struct {
	origin, start, end Point

	coarse  *coarse  // what is before the blocks, without its records; shared with clones; nil: nothing
	sealed  []*block // older runs, packed; shared with clones, so never changed in place
	trimmed int      // blocks that were before them
	open    []run    // the newest ones; the last of them is one segment
	most    int      // of runs in open; 0: mostOpen
}

// mostOpen is how many runs are looked through and cloned one by one.
const mostOpen = 1024

// NewMap is a map that covers nothing: the copy begins at start.
func NewMap(start Point) (*Map, error) {
	if start.Source < 0 || start.Target < 0 {
		return nil, fmt.Errorf("making an offset map: it cannot start at source offset %d and target offset %d", start.Source, start.Target)
	}
	return &Map{origin: start, start: start, end: start}, nil
}

// Origin is where the copy began, from which sequences are counted; Start is
// there until the map is trimmed.
func (m *Map) Origin() Point { return m.origin }

// Start is where the coverage begins.
func (m *Map) Start() Point { return m.start }

// End is where it ends: the next record to be copied is at or behind
// End().Source, and will be at or behind End().Target.
func (m *Map) End() Point { return m.end }

// Len is the number of segments, as far as they are known.
func (m *Map) Len() int {
	n := int64(0)
	for _, b := range m.sealed {
		n += b.segments
	}
	for _, r := range m.open {
		n += r.count
	}
	return int(n)
}

// Segments are a copy, in order, as far as they are known. It takes as much
// memory as there are segments.
func (m *Map) Segments() []Segment {
	var all []Segment
	add := func(runs []run) {
		for _, r := range runs {
			for i := range r.count {
				all = append(all, r.at(i))
			}
		}
	}
	for _, b := range m.sealed {
		add(b.runs())
	}
	add(m.open)
	return all
}

// Records is how many records were copied.
func (m *Map) Records() int64 {
	var n int64
	if m.coarse != nil {
		for _, s := range m.coarse.stretches {
			n += s.records
		}
	}
	for _, b := range m.sealed {
		n += b.records
	}
	for _, r := range m.open {
		n += r.count * r.Length
	}
	return n
}

// Clone is a map of its own. It shares what neither of the two ever changes.
func (m *Map) Clone() *Map {
	c := *m
	c.sealed = m.sealed[:len(m.sealed):len(m.sealed)]
	c.open = append([]run(nil), m.open...)
	return &c
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

// follows returns an *OrderError unless a segment can come behind an end.
func (s Segment) follows(end Point) error {
	if s.Length < 1 || s.Source < end.Source || s.Target < end.Target ||
		s.Source > math.MaxInt64-s.Length || s.Target > math.MaxInt64-s.Length {
		return &OrderError{End: end, Segment: s}
	}
	return nil
}

// Append notes a run of copied records behind all others; what is left out on
// either side is a gap. It joins the last segment if it touches it on both
// sides. The error is an *OrderError, and the map as it was.
func (m *Map) Append(s Segment) error {
	if err := s.follows(m.end); err != nil {
		return err
	}
	n := len(m.open)
	if n > 0 && m.open[n-1].Segment.end() == (Point{s.Source, s.Target}) {
		m.open[n-1].Length += s.Length
	} else {
		m.fold()
		m.seal()
		m.open = append(m.open, run{Segment: s, count: 1})
	}
	m.end = s.end()
	return nil
}

// AppendRuns notes records that were sent as one batch: on the source they are
// at the runs, on the target one after the other from that offset on. On an
// error nothing was noted.
func (m *Map) AppendRuns(target int64, runs []batch.Run) error {
	end, at := m.end, target
	for _, r := range runs {
		s := Segment{Source: r.Offset, Target: at, Length: r.Count}
		if err := s.follows(end); err != nil {
			return err
		}
		end, at = s.end(), s.TargetEnd()
	}
	for _, r := range runs {
		if err := m.Append(Segment{Source: r.Offset, Target: target, Length: r.Count}); err != nil {
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
