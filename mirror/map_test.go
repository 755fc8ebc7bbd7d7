package mirror

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kplan/mirror/batch"
)

// twin is the naive map: one pair per record, and loops. It knows the records
// before exact as well, of which the map keeps stretches only.
type twin struct {
	origin, start, end Point
	exact              Point
	pairs              []Point
}

func (w *twin) toTarget(position int64) (int64, bool) {
	if position < w.start.Source || position > w.end.Source {
		return 0, false
	}
	for _, p := range w.pairs {
		if p.Source >= position {
			return p.Target, true
		}
	}
	return w.end.Target, true
}

func (w *twin) toSource(position int64) (int64, bool) {
	if position < w.start.Target || position > w.end.Target {
		return 0, false
	}
	for _, p := range w.pairs {
		if p.Target >= position {
			return p.Source, true
		}
	}
	return w.end.Source, true
}

func (w *twin) append(s Segment) {
	for i := range s.Length {
		w.pairs = append(w.pairs, Point{s.Source + i, s.Target + i})
	}
	w.end = Point{s.SourceEnd(), s.TargetEnd()}
}

func (w *twin) keep(what func(Point) bool) {
	var kept []Point
	for _, p := range w.pairs {
		if what(p) {
			kept = append(kept, p)
		}
	}
	w.pairs = kept
}

// last is the point behind the last record.
func (w *twin) last() Point {
	if len(w.pairs) == 0 || w.pairs[len(w.pairs)-1].Source < w.exact.Source {
		return w.exact
	}
	p := w.pairs[len(w.pairs)-1]
	return Point{p.Source + 1, p.Target + 1}
}

func (w *twin) segments() []Segment {
	var out []Segment
	for _, p := range w.pairs {
		if p.Source < w.exact.Source {
			continue
		}
		if n := len(out); n > 0 && out[n-1].SourceEnd() == p.Source && out[n-1].TargetEnd() == p.Target {
			out[n-1].Length++
		} else {
			out = append(out, Segment{p.Source, p.Target, 1})
		}
	}
	return out
}

func compare(t *testing.T, w *twin, m *Map) {
	t.Helper()
	got := []any{m.Start(), m.End(), m.Records(), m.Len()}
	want := []any{w.start, w.end, int64(len(w.pairs)), len(w.segments())}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatal(diff)
	}
	if diff := cmp.Diff(w.segments(), append([]Segment(nil), m.Segments()...)); diff != "" {
		t.Fatal(diff)
	}
	for p := w.start.Source - 2; p <= w.end.Source+2; p++ {
		want, ok := w.toTarget(p)
		got, err := m.ToTarget(p)
		if ok != (err == nil) || p >= w.exact.Source && got != (Place{want, want}) {
			t.Fatalf("source %d is target %d, %v; want %d, %v", p, got, err, want, ok)
		}
		if p < w.exact.Source && ok {
			w.rounded(t, p, want, got)
		}
	}
	for p := w.start.Target - 2; p <= w.end.Target+2; p++ {
		want, ok := w.toSource(p)
		got, err := m.ToSource(p)
		if ok != (err == nil) || p >= w.exact.Target && got != want || got > want {
			t.Fatalf("target %d is source %d, %v; want %d, %v", p, got, err, want, ok)
		}
	}
}

// rounded holds a place where the map is coarse to what it promises: nothing is
// missed, and no more records that lie before the position are read than it says.
func (w *twin) rounded(t *testing.T, position, want int64, got Place) {
	t.Helper()
	repeated := int64(0)
	for _, p := range w.pairs {
		if p.Target >= got.Target && p.Source < position {
			repeated++
		}
	}
	if got.Target > want || got.Latest < want || got.Target < w.start.Target || repeated > got.Repeats() {
		t.Fatalf("source %d is target %d, and said to be at %+v with up to %d records before it; %d are", position, want, got, got.Repeats(), repeated)
	}
}

// TestMapAgainstItsTwin does random things to both.
func TestMapAgainstItsTwin(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 100 {
		start := Point{rng.Int64N(50), rng.Int64N(50)}
		m, err := NewMap(start)
		if err != nil {
			t.Fatal(err)
		}
		m.most = 2 + rng.IntN(4)
		w := &twin{origin: start, start: start, end: start, exact: start}
		for range 40 {
			change(t, rng, w, m)
			compare(t, w, m)
		}
	}
}

func change(t *testing.T, rng *rand.Rand, w *twin, m *Map) {
	t.Helper()
	gap := func() int64 { return max(0, rng.Int64N(9)-5) }
	length := func() int64 { return max(1, rng.Int64N(8)-3) } // often the same, as of transactions
	within := func(a, b int64) int64 { return a + rng.Int64N(b-a+1) }
	var err error
	switch rng.IntN(10) {
	default:
		for range 1 + rng.IntN(5) {
			s := Segment{w.end.Source + min(1, gap()), w.end.Target + max(0, gap()-2), length()}
			w.append(s)
			err = errors.Join(err, m.Append(s))
		}
	case 0:
		w.end = Point{w.end.Source + gap(), w.end.Target + gap()}
		err = m.Cover(w.end)
	case 1:
		cut := within(w.start.Target, w.end.Target+2)
		if cut < w.end.Target {
			if cut >= w.exact.Target {
				w.keep(func(p Point) bool { return p.Target < cut })
				w.end = Point{w.last().Source, cut}
			} else { // at the beginning of a stretch: all before it is before it on both sides
				w.end = m.before(cut)
				w.exact = w.end
				if w.end.Target > cut || w.end.Source < w.start.Source || slices.ContainsFunc(w.pairs, func(p Point) bool { return (p.Source < w.end.Source) != (p.Target < w.end.Target) }) {
					t.Fatalf("cut at %d, it would end at %+v", cut, w.end)
				}
				w.keep(func(p Point) bool { return p.Target < w.end.Target })
			}
		}
		err = m.CutTarget(cut)
	case 2:
		from := within(max(0, w.start.Source-2), w.end.Source)
		m.Trim(from)
		if m.start.Source > max(from, w.start.Source) || m.origin != w.origin {
			t.Fatalf("trimmed at %d, it begins at %+v, and began at %+v", from, m.start, m.origin)
		}
		w.keep(func(p Point) bool { return p.Source >= m.start.Source })
		w.start = m.start
		if w.exact.Source < w.start.Source {
			w.exact = w.start
		}
	case 4:
		floor := within(w.start.Source, w.end.Source)
		m.Coarsen(floor)
		if at := m.exact(); at.Source > max(floor, w.exact.Source) {
			t.Fatalf("coarse below %d, it is exact from %+v on", floor, at)
		} else {
			w.exact = at
		}
	case 3: // what becomes of a clone is not seen
		c := m.Clone()
		*m, *c = *c, *m
		if err := errors.Join(c.CutTarget(within(c.start.Target, c.end.Target)), c.Append(Segment{c.end.Source, c.end.Target, 7}), c.Append(Segment{c.end.Source + 20, c.end.Target + 20, 7})); err != nil {
			t.Fatal(err)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestRecordsTranslateThereAndBack: each copied record, and each position in
// order.
func TestRecordsTranslateThereAndBack(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 100 {
		m := randomMap(t, rng)
		for _, s := range m.Segments() {
			for i := range s.Length {
				target, err := m.ToTarget(s.Source + i)
				if err != nil || target != (Place{s.Target + i, s.Target + i}) {
					t.Fatal(target, err)
				}
				if back, err := m.ToSource(target.Target); err != nil || back != s.Source+i {
					t.Fatal(back, err)
				}
			}
		}
		before := int64(-1)
		for p := m.Start().Source; p <= m.End().Source; p++ {
			target, err := m.ToTarget(p)
			if err != nil || target.Target < before {
				t.Fatalf("%d after %d: %v", target, before, err)
			}
			before = target.Target
		}
		if before != m.End().Target {
			t.Fatalf("the end translates to %d, and is %d", before, m.End().Target)
		}
	}
}

func randomMap(t testing.TB, rng *rand.Rand) *Map {
	t.Helper()
	m, err := NewMap(Point{rng.Int64N(100), rng.Int64N(100)})
	if err != nil {
		t.Fatal(err)
	}
	for range rng.IntN(20) {
		s := Segment{m.End().Source + rng.Int64N(4), m.End().Target + rng.Int64N(4), 1 + rng.Int64N(9)}
		if err := m.Append(s); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Cover(Point{m.End().Source + rng.Int64N(4), m.End().Target + rng.Int64N(4)}); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestDensePartitionIsOneSegment(t *testing.T) {
	m, err := NewMap(Point{1000, 0})
	if err != nil {
		t.Fatal(err)
	}
	for i := range int64(100) {
		if err := m.AppendRuns(10*i, []batch.Run{{Offset: 1000 + 10*i, Count: 4}, {Offset: 1004 + 10*i, Count: 6}}); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]Segment{{1000, 0, 1000}}, m.Segments()); diff != "" {
		t.Error(diff)
	}
	if b, err := m.MarshalBinary(); err != nil || len(b) > 24 {
		t.Errorf("%d bytes, %v", len(b), err)
	}
}

// exact compares all of two maps.
var exact = cmp.AllowUnexported(Map{}, run{})

func TestMapRefuses(t *testing.T) {
	for _, p := range []Point{{-1, 0}, {0, -1}} {
		if _, err := NewMap(p); err == nil {
			t.Errorf("%v is taken", p)
		}
	}
	m, err := NewMap(Point{10, 20})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Append(Segment{10, 20, 5}); err != nil {
		t.Fatal(err)
	}
	want := m.Clone()
	var order *OrderError
	for _, s := range []Segment{{14, 25, 1}, {15, 24, 1}, {15, 25, 0}, {15, 25, -1}, {math.MaxInt64, 25, 1}, {15, math.MaxInt64, 1}} {
		if err := m.Append(s); !errors.As(err, &order) {
			t.Errorf("%+v: %v", s, err)
		}
	}
	if err := m.AppendRuns(25, []batch.Run{{Offset: 15, Count: 3}, {Offset: 30, Count: 1}, {Offset: 2, Count: 1}}); !errors.As(err, &order) {
		t.Error(err)
	}
	if err := m.Cover(Point{14, 30}); err == nil {
		t.Error("the coverage goes back")
	}
	var outside *OutsideError
	if err := m.CutTarget(19); !errors.As(err, &outside) {
		t.Error(err)
	}
	if diff := cmp.Diff(want, m, exact); diff != "" {
		t.Errorf("a refused change changed the map: %s", diff)
	}
}

func TestFormsOfAMap(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 5))
	for range 100 {
		m := randomMap(t, rng)
		if m.Len() == 0 {
			continue
		}
		b, err := m.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		var fromBinary Map
		if err := fromBinary.UnmarshalBinary(b); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(m, &fromBinary, exact); diff != "" {
			t.Fatal(diff)
		}
		at := rng.IntN(len(b))
		b[at] ^= byte(1 + rng.IntN(255))
		if err := fromBinary.UnmarshalBinary(b); err == nil {
			t.Fatalf("a damaged byte %d goes unseen", at)
		}
		if diff := cmp.Diff(m, &fromBinary, exact); diff != "" {
			t.Fatalf("an error changed the map: %s", diff)
		}
	}
}
