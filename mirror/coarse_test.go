package mirror

import (
	"math/rand/v2"
	"sort"
	"testing"
)

// long is a map of irregular transactions, with what it was made of, that becomes
// coarse behind a floor which follows.
func long(t *testing.T, rng *rand.Rand, n int) (*Map, []Segment) {
	t.Helper()
	m, err := NewMap(Point{100, 7})
	if err != nil {
		t.Fatal(err)
	}
	m.most = 3
	var all []Segment
	for i := range n {
		s := Segment{m.end.Source + 1 + rng.Int64N(3), m.end.Target, 1 + rng.Int64N(9)}
		if err := m.Append(s); err != nil {
			t.Fatal(err)
		}
		if all = append(all, s); i%100 == 99 {
			m.Coarsen(m.end.Source - 50)
		}
	}
	return m, all
}

// truePlace is where the first record at or behind an offset is on the target.
func truePlace(all []Segment, end Point, position int64) int64 {
	i := sort.Search(len(all), func(i int) bool { return all[i].SourceEnd() > position })
	if i == len(all) {
		return end.Target
	}
	return all[i].Target + max(0, position-all[i].Source)
}

// Stretches get longer the older they are: there are few of them, and the place
// of a position is rounded, always down, by a small part of how far it is back.
func TestStretchesAreLongerTheOlder(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 1))
	m, all := long(t, rng, 60_000)
	if n := len(m.coarse.stretches); n < 50 || n > 500 {
		t.Errorf("%d stretches of 20,000 blocks", n)
	}
	if n := len(m.sealed); n > 40 {
		t.Errorf("%d blocks are left", n)
	}
	gaps := func(from, to Point) int64 { return to.Source - from.Source - (to.Target - from.Target) }
	rounded := 0
	for range 100_000 {
		position := m.start.Source + rng.Int64N(m.end.Source-m.start.Source+1)
		got, err := m.ToTarget(position)
		if err != nil {
			t.Fatal(err)
		}
		want := truePlace(all, m.end, position)
		if got.Target > want || got.Latest < want {
			t.Fatalf("position %d is at %d, and said to be at %+v", position, want, got)
		}
		if position >= m.exact().Source && got.Repeats() > 0 {
			t.Fatalf("position %d, behind %+v, is said to be at %+v", position, m.exact(), got)
		}
		if got.Repeats() > 0 {
			rounded++
		}
		const block = 32 // what one alone may be unsure of: three runs, of some segments each
		if most := max(block, gaps(Point{position, want}, m.exact())/share); got.Repeats() > most {
			t.Fatalf("position %d, of which %d gaps are behind, is rounded by up to %d records", position, gaps(Point{position, want}, m.exact()), got.Repeats())
		}
	}
	if rounded == 0 {
		t.Error("nothing was rounded")
	}
}

// Where the target has records of others among the mirror's, the numbers of
// offsets say nothing of where in a stretch a record is.
func TestStretchesWithOthersOnTheTarget(t *testing.T) {
	s := stretch{first: Point{100, 50}, last: Point{200, 110}, records: 40}
	if got := s.place(190); got != (Place{50, 110}) {
		t.Errorf("with others it is at %+v", got)
	}
	s.records = 60
	for _, c := range []struct {
		position int64
		want     Place
	}{{100, Place{50, 50}}, {130, Place{50, 80}}, {150, Place{60, 100}}, {199, Place{109, 110}}} {
		if got := s.place(c.position); got != c.want {
			t.Errorf("alone %d is at %+v, want %+v", c.position, got, c.want)
		}
	}
}

// A target that has lost what is coarse makes the copy go on from the beginning
// of a stretch, and nothing is taken for copied that was cut.
func TestCutInAStretch(t *testing.T) {
	m, all := long(t, rand.New(rand.NewPCG(3, 2)), 3000)
	for _, logEnd := range []int64{m.exact().Target - 1, m.start.Target + 1000, m.start.Target + 1, m.start.Target} {
		c := m.Clone()
		before := c.before(logEnd)
		if err := c.CutTarget(logEnd); err != nil {
			t.Fatal(err)
		}
		if c.end != before || c.end.Target > logEnd || truePlace(all, m.end, c.end.Source) != c.end.Target {
			t.Errorf("cut at %d it ends at %+v, and was to end at %+v", logEnd, c.end, before)
		}
		if err := c.Append(Segment{c.end.Source + 1, c.end.Target, 5}); err != nil {
			t.Error(err)
		}
	}
}

// Stretches that the source has no longer go.
func TestStretchesAreTrimmed(t *testing.T) {
	m, all := long(t, rand.New(rand.NewPCG(3, 3)), 3000)
	whole := m.Clone()
	half := m.exact().Source / 2
	m.Trim(half)
	if m.start.Source <= 100 || m.start.Source > half || len(m.coarse.stretches) >= len(whole.coarse.stretches) || m.exact() != whole.exact() {
		t.Errorf("trimmed at %d, it begins at %+v, and is exact from %+v on", half, m.start, m.exact())
	}
	if got, err := m.Place(3); err != nil || got != (Place{m.start.Target, m.start.Target}) {
		t.Errorf("what is gone is at %+v, %v", got, err)
	}
	if got, err := m.ToTarget(half + 100); err != nil || got.Target > truePlace(all, m.end, half+100) {
		t.Errorf("it is at %+v, %v", got, err)
	}
	m.Trim(whole.exact().Source)
	if m.coarse != nil || m.start != whole.exact() || whole.start != (Point{100, 7}) {
		t.Errorf("without stretches it begins at %+v; the clone at %+v", m.start, whole.start)
	}
}

// The form of a map with stretches is one of its own: a kplan that does not know
// it must not take the map for one that begins behind them.
func TestFormOfACoarseMap(t *testing.T) {
	m, _ := long(t, rand.New(rand.NewPCG(3, 4)), 3000)
	b, err := m.MarshalBinary()
	if err != nil || string(b[:4]) != binaryHeadCoarse {
		t.Fatalf("%q, %v", b[:4], err)
	}
	var read Map
	if err := read.UnmarshalBinary(b); err != nil {
		t.Fatal(err)
	}
	if read.start != m.start || read.exact() != m.exact() || read.end != m.end || read.Records() != m.Records() || read.Len() != m.Len() {
		t.Errorf("from %+v, exact from %+v to %+v, %d records", read.start, read.exact(), read.end, read.Records())
	}
	for position := m.start.Source; position <= m.end.Source; position++ {
		want, _ := m.ToTarget(position)
		if got, err := read.ToTarget(position); err != nil || got != want {
			t.Fatalf("%d is at %+v, want %+v, %v", position, got, want, err)
		}
	}
}
