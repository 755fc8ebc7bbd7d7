package mirror

import "sort"

// stretch is a part of a map of which only its ends are known, and how many
// records lie between. A block becomes one when every group has read it.
type stretch struct {
	first, last Point // where the one before ends, and the end of its last record
	records     int64
}

// with is one stretch of two that follow each other.
func (s stretch) with(next stretch) stretch {
	return stretch{s.first, next.last, s.records + next.records}
}

// dense reports whether the target has nothing but the records there.
func (s stretch) dense() bool { return s.records == s.last.Target-s.first.Target }

// place is where a source offset of the stretch is on the target. Where that has
// nothing but the records, each source offset up to there, and from there on,
// holds one of them at most: what is uncertain is no more than the markers and
// the aborted records between.
func (s stretch) place(position int64) Place {
	p := Place{Target: s.first.Target, Latest: s.last.Target}
	if s.dense() {
		p.Target = max(p.Target, s.last.Target-(s.last.Source-position))
		p.Latest = min(p.Latest, s.first.Target+(position-s.first.Source))
	}
	return p
}

// unsure is how many records the place of an offset in it may be rounded by at
// most.
func (s stretch) unsure() int64 {
	target := s.last.Target - s.first.Target
	if s.dense() {
		return min(target, s.last.Source-s.first.Source-target)
	}
	return target
}

// coarse is the beginning of a map, as far as it is kept in stretches only. It is
// never changed.
type coarse struct {
	stretches []stretch // each begins where the one before ends
}

// bySource is the first stretch that ends behind the source offset.
func (c *coarse) bySource(offset int64) int {
	return sort.Search(len(c.stretches), func(i int) bool { return c.stretches[i].last.Source > offset })
}

// byTarget is the first stretch that ends behind the target offset.
func (c *coarse) byTarget(offset int64) int {
	return sort.Search(len(c.stretches), func(i int) bool { return c.stretches[i].last.Target > offset })
}

// exact is where the map begins to be known record by record.
func (m *Map) exact() Point {
	if m.coarse != nil && len(m.coarse.stretches) > 0 {
		return m.coarse.stretches[len(m.coarse.stretches)-1].last
	}
	return m.start
}

// Coarsen forgets the records one by one of whole blocks that end at a source
// offset or before it. Of these it keeps stretches, the longer the older they
// are, so that there are never more than some hundreds: positions there are
// translated to a place at or before the true one. Nothing from that offset on
// changes. All that is before it has to be acknowledged by the target.
func (m *Map) Coarsen(floor int64) {
	n := sort.Search(len(m.sealed), func(i int) bool { return m.sealed[i].last.Source > floor })
	if n == 0 {
		return
	}
	var all []stretch
	if m.coarse != nil {
		all = append(all, m.coarse.stretches...)
	}
	for _, b := range m.sealed[:n] {
		all = append(all, stretch{b.first, b.last, b.records})
	}
	m.coarse = &coarse{thinned(all)}
	m.sealed = append([]*block(nil), m.sealed[n:]...)
	m.trimmed += n
}

// share is which part of what comes behind it a stretch may be unsure of. A
// number of stretches, from the newest back, then makes twice as much of the past,
// which bounds them: 1,500 for what grows a billionfold.
const share = 32

// thinned joins stretches that follow each other as long as what is unsure in one
// is a small part of what is in all behind it.
func thinned(all []stretch) []stretch {
	n := len(all)
	kept := make([]stretch, 0, n)
	at, behind := all[n-1], stretch{first: all[n-1].last, last: all[n-1].last}
	for i := n - 2; i >= 0; i-- {
		if both := all[i].with(at); both.unsure() <= behind.unsure()/share {
			at = both
			continue
		}
		kept = append(kept, at)
		at, behind = all[i], at.with(behind)
	}
	kept = append(kept, at)
	for i, j := 0, len(kept)-1; i < j; i, j = i+1, j-1 {
		kept[i], kept[j] = kept[j], kept[i]
	}
	return append([]stretch(nil), kept...) // without the room for those that were joined
}

// trimCoarse forgets stretches that the source has no longer, and reports whether
// none is left before the blocks.
func (m *Map) trimCoarse(logStart int64) bool {
	if m.coarse == nil {
		return true
	}
	all := m.coarse.stretches
	if len(all) == 0 { // see cutCoarse
		return true
	}
	switch n := m.coarse.bySource(logStart); {
	case n == len(all):
		m.start, m.coarse = m.exact(), nil
		return true
	case n > 0:
		m.start, m.coarse = all[n-1].last, &coarse{append([]stretch(nil), all[n:]...)}
	}
	return false
}

// cutCoarse makes the map end at the beginning of the stretch with a log end of
// the target: which source offset belongs to that is not known. It is to be
// called for what lies before the exact part.
func (m *Map) cutCoarse(logEnd int64) {
	n := m.coarse.byTarget(logEnd)
	m.end = m.coarse.stretches[n].first
	// An empty one is kept: who reads the map piece by piece must not take what
	// was behind for its beginning.
	m.coarse = &coarse{append([]stretch(nil), m.coarse.stretches[:n]...)}
	m.sealed, m.open = nil, nil
}

// below is how many bytes the blocks take that end at a source offset or before.
func (m *Map) below(offset int64) (bytes int) {
	for _, b := range m.sealed {
		if b.last.Source > offset {
			break
		}
		bytes += b.size()
	}
	return bytes
}

// Size is about how many bytes of memory the map takes, and which part of that
// Coarsen could make small.
func (m *Map) Size() (all, blocks int) {
	for _, b := range m.sealed {
		blocks += b.size()
	}
	all = blocks + len(m.open)*runBytes
	if m.coarse != nil {
		all += len(m.coarse.stretches) * stretchBytes
	}
	return all, blocks
}

func (b *block) size() int { return len(b.packed) + blockBytes }

// What a block, a run and a stretch take by themselves.
const (
	blockBytes   = 88
	runBytes     = 40
	stretchBytes = 40
)
