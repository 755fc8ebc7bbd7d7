package mirror

// CutTarget makes the map end at a log end of the target: after a crash or a
// truncation, what was planned behind it is not there. End says from where to
// plan again; in a gap that is the end of the record before, since it is not
// known what of the gap was handled. A log end behind the map's changes
// nothing. The error is an *OutsideError, and the map as it was.
func (m *Map) CutTarget(logEnd int64) error {
	if logEnd < m.start.Target {
		return &OutsideError{Side: "target", Position: logEnd, First: m.start.Target, Last: m.end.Target}
	}
	if logEnd >= m.end.Target {
		return nil
	}
	i := m.byTarget(logEnd)
	end := Point{m.sourceEndBefore(i), logEnd}
	if i < len(m.segments) && m.segments[i].Target < logEnd {
		s := &m.segments[i]
		s.Length = logEnd - s.Target
		end.Source = s.SourceEnd()
		i++
	}
	m.segments, m.end = m.segments[:i], end
	return nil
}

// CutSource makes the map end at a log end of the source, which was truncated:
// what the target holds behind End().Target has no record on the source any
// more.
func (m *Map) CutSource(logEnd int64) error {
	if logEnd < m.start.Source {
		return &OutsideError{Side: "source", Position: logEnd, First: m.start.Source, Last: m.end.Source}
	}
	if logEnd >= m.end.Source {
		return nil
	}
	i := m.bySource(logEnd)
	end := Point{logEnd, m.targetEndBefore(i)}
	if i < len(m.segments) && m.segments[i].Source < logEnd {
		s := &m.segments[i]
		s.Length = logEnd - s.Source
		end.Target = s.TargetEnd()
		i++
	}
	m.segments, m.end = m.segments[:i], end
	return nil
}

func (m *Map) sourceEndBefore(i int) int64 {
	if i == 0 {
		return m.start.Source
	}
	return m.segments[i-1].SourceEnd()
}

func (m *Map) targetEndBefore(i int) int64 {
	if i == 0 {
		return m.start.Target
	}
	return m.segments[i-1].TargetEnd()
}

// TrimBefore forgets what is before a source offset, as the source's log start
// moves on. An offset before the map's start changes nothing; one behind its
// end is an *OutsideError.
func (m *Map) TrimBefore(source int64) error {
	if source <= m.start.Source {
		return nil
	}
	target, err := m.ToTarget(source)
	if err != nil {
		return err
	}
	kept := m.segments[m.bySource(source):]
	if len(kept) > 0 && kept[0].Source < source {
		skip := source - kept[0].Source
		kept[0] = Segment{source, kept[0].Target + skip, kept[0].Length - skip}
	}
	// Moved to the front, so that the memory of what was trimmed is used again.
	m.segments = m.segments[:copy(m.segments, kept)]
	m.start = Point{source, target}
	return nil
}
