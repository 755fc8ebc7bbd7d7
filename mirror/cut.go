package mirror

import "sort"

// CutTarget makes the map end at a log end of the target: after a crash or a
// truncation, what was planned behind it is not there. End says from where to
// plan again; in a gap that is the end of the record before, since it is not
// known what of the gap was handled. Where the map is coarse it is the beginning
// of the stretch, before the log end: from there on the source is read again, and
// what the target has is only planned. A log end behind the map's changes
// nothing. The error is an *OutsideError, and the map as it was.
func (m *Map) CutTarget(logEnd int64) error {
	if logEnd < m.start.Target {
		return &OutsideError{Side: "target", Position: logEnd, First: m.start.Target, Last: m.end.Target}
	}
	if logEnd >= m.end.Target {
		return nil
	}
	if logEnd < m.exact().Target {
		m.cutCoarse(logEnd)
		return nil
	}
	if i := sort.Search(len(m.sealed), func(i int) bool { return m.sealed[i].last.Target > logEnd }); i < len(m.sealed) {
		m.open = m.sealed[i].runs()
		m.sealed = m.sealed[:i:i] // what is behind may be a clone's
	}
	j := sort.Search(len(m.open), func(j int) bool { return m.open[j].end().Target > logEnd })
	if j < len(m.open) {
		r := m.open[j]
		whole := max(0, logEnd-r.Target) / r.Length
		part := r.at(whole)
		part.Length = logEnd - part.Target
		m.open = m.open[:j]
		if whole > 0 {
			m.open = append(m.open, run{Segment: r.Segment, gap: r.gap, count: whole})
		}
		if part.Length > 0 {
			m.open = append(m.open, run{Segment: part, count: 1})
		}
	}
	if n := len(m.sealed); len(m.open) == 0 && n > 0 { // its last segment can grow again
		m.open = m.sealed[n-1].runs()
		m.sealed = m.sealed[: n-1 : n-1]
	}
	m.loosen()
	m.end = Point{m.bottom().Source, logEnd}
	if n := len(m.open); n > 0 {
		m.end.Source = m.open[n-1].end().Source
	}
	return nil
}

// before is where the map would end if CutTarget cut it at a log end that it
// covers.
func (m *Map) before(logEnd int64) Point {
	if logEnd >= m.end.Target {
		return m.end
	}
	if logEnd < m.exact().Target {
		return m.coarse.stretches[m.coarse.byTarget(logEnd)].first
	}
	s, before, found := m.byTarget(logEnd)
	if found && s.Target < logEnd {
		return Point{s.Source + logEnd - s.Target, logEnd}
	}
	return Point{before.Source, logEnd}
}

// Trim forgets what the source has no longer, as its log start moves on: whole
// blocks of it, so that some of what is before the offset may stay.
func (m *Map) Trim(logStart int64) {
	if !m.trimCoarse(logStart) {
		return
	}
	n := sort.Search(len(m.sealed), func(i int) bool { return m.sealed[i].last.Source > logStart })
	if n == 0 {
		return
	}
	m.start = m.sealed[n-1].last
	m.sealed = append([]*block(nil), m.sealed[n:]...)
	m.trimmed += n
}
