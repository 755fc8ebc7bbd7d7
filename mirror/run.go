package mirror

import "sort"

// run is segments of one length that lie next to each other on the target, with
// the same gap between each two of them on the source: what transactions of one
// size leave behind.
type run struct {
	Segment       // the first
	gap     int64 // source offsets between two
	count   int64 // at least 1
}

// at is the i-th segment.
func (r run) at(i int64) Segment {
	return Segment{r.Source + i*(r.Length+r.gap), r.Target + i*r.Length, r.Length}
}

// end is behind the last segment.
func (r run) end() Point { return r.at(r.count - 1).end() }

// block is runs that are complete, packed. It is never changed.
type block struct {
	first, last       Point // where the block before ends, and the end of its last segment
	segments, records int64
	packed            []byte // number of runs, and these: see appendRuns
}

// newBlock packs runs, the first of which begin at or behind first.
func newBlock(first Point, runs []run) *block {
	b := &block{first: first, last: runs[len(runs)-1].end(), packed: appendRuns(nil, first, runs)}
	for _, r := range runs {
		b.segments += r.count
		b.records += r.count * r.Length
	}
	return b
}

// runs unpacks them.
func (b *block) runs() []run {
	n := &numbers{b: b.packed}
	return n.runs(b.first) // was written here, or checked when it was read
}

// fold lets the last segment, which is complete, become part of the run before.
func (m *Map) fold() {
	n := len(m.open)
	if n < 2 {
		return
	}
	before, last := &m.open[n-2], m.open[n-1]
	gap := last.Source - before.end().Source
	if last.Length != before.Length || last.Target != before.end().Target || before.count > 1 && gap != before.gap {
		return
	}
	before.gap = gap
	before.count++
	m.open = m.open[:n-1]
}

// seal packs the open runs once there are many.
func (m *Map) seal() {
	most := m.most
	if most == 0 {
		most = mostOpen
	}
	if len(m.open) < most {
		return
	}
	m.sealed = append(m.sealed, newBlock(m.bottom(), m.open))
	m.open = m.open[:0]
}

// bottom is where the open runs begin.
func (m *Map) bottom() Point {
	if n := len(m.sealed); n > 0 {
		return m.sealed[n-1].last
	}
	return m.exact()
}

// loosen makes the last segment one of its own again, since it can grow.
func (m *Map) loosen() {
	n := len(m.open)
	if n == 0 || m.open[n-1].count == 1 {
		return
	}
	r := &m.open[n-1]
	r.count--
	last := run{Segment: r.at(r.count), count: 1}
	if r.count == 1 {
		r.gap = 0 // there are no two any more
	}
	m.open = append(m.open, last)
}

// bySource is the first segment that ends behind the source offset, which is not
// before the exact part; false: none does.
func (m *Map) bySource(offset int64) (Segment, bool) {
	i := sort.Search(len(m.sealed), func(i int) bool { return m.sealed[i].last.Source > offset })
	runs := m.runsOf(i)
	j := sort.Search(len(runs), func(j int) bool { return runs[j].end().Source > offset })
	if j == len(runs) {
		return Segment{}, false
	}
	r := runs[j]
	var k int64
	if offset > r.Source {
		k = int64((uint64(offset-r.Source) + uint64(r.gap)) / uint64(r.Length+r.gap))
	}
	return r.at(k), true
}

// byTarget is the first segment that ends behind the target offset, which is not
// before the exact part; before is where the segment before it ends.
func (m *Map) byTarget(offset int64) (s Segment, before Point, found bool) {
	i := sort.Search(len(m.sealed), func(i int) bool { return m.sealed[i].last.Target > offset })
	runs := m.runsOf(i)
	before = m.exact()
	if i > 0 {
		before = m.sealed[i-1].last
	}
	j := sort.Search(len(runs), func(j int) bool { return runs[j].end().Target > offset })
	if j > 0 {
		before = runs[j-1].end()
	}
	if j == len(runs) {
		return Segment{}, before, false
	}
	k := max(0, offset-runs[j].Target) / runs[j].Length
	if k > 0 {
		before = runs[j].at(k - 1).end()
	}
	return runs[j].at(k), before, true
}

// runsOf are those of the i-th block, behind the last block the open ones.
func (m *Map) runsOf(i int) []run {
	if i < len(m.sealed) {
		return m.sealed[i].runs()
	}
	return m.open
}
