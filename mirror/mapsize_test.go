package mirror

import (
	"context"
	"maps"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kplan/mirror/wire"
)

// transactions are a map of so many, each followed by a marker.
func transactions(t *testing.T, n int, length func(i int) int64) *Map {
	t.Helper()
	m, err := NewMap(Point{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		half := length(i) / 2 // in two batches, as they come
		for _, s := range []Segment{{m.end.Source + 1, m.end.Target, half}, {m.end.Source + 1 + half, m.end.Target + half, length(i) - half}} {
			if err := m.Append(s); err != nil {
				t.Fatal(err)
			}
		}
	}
	return m
}

// Transactions of one size take no room each, on the shelf and in memory; those
// of any size a few bytes. What is done every second, a clone, costs the same
// however many there are.
func TestALongMapIsSmall(t *testing.T) {
	const n = 1_000_000
	even := transactions(t, n, func(int) int64 { return 10 })
	if b, err := even.MarshalBinary(); err != nil || len(b) > 64 || len(even.open)+len(even.sealed) > 4 {
		t.Errorf("%d bytes, %d runs and %d blocks for %d transactions of one size, %v", len(b), len(even.open), len(even.sealed), n, err)
	}
	if even.Len() != n || even.Records() != 10*n {
		t.Errorf("%d segments, %d records", even.Len(), even.Records())
	}
	uneven := transactions(t, n, func(i int) int64 { return 2 + int64(i*7919%61) })
	packed := 0
	for _, b := range uneven.sealed {
		packed += len(b.packed)
	}
	if uneven.Len() != n || packed > 6*n {
		t.Errorf("%d segments of any size take %d bytes", uneven.Len(), packed)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	const clones = 100
	for range clones {
		runtime.KeepAlive(uneven.Clone())
	}
	runtime.ReadMemStats(&after)
	if each := (after.TotalAlloc - before.TotalAlloc) / clones; each > 100<<10 {
		t.Errorf("a clone takes %d bytes", each)
	}
	for _, position := range []int64{0, 5, 123_456, uneven.end.Source - 3} {
		at, err := uneven.ToTarget(position)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := uneven.ToSource(at.Target); err != nil || back < position || back > position+1 {
			t.Errorf("position %d is %d, and comes back as %d: %v", position, at, back, err)
		}
	}
}

// What the source has no longer is forgotten when the map is kept, but nothing
// that is not acknowledged; sequences are counted from the origin as before.
func TestAMapIsTrimmedAtTheLogStart(t *testing.T) {
	m := transactions(t, 10*mostOpen, func(i int) int64 { return 2 + int64(i%2) })
	p := &part{phase: Copying, offsets: m, next: m.end.Source, planned: m.end.Target, acked: m.end.Target, kept: unkept, keptAcked: unkept}
	half := m.end.Source / 2
	p.start = half
	place, err := m.ToTarget(half + 100)
	if err != nil {
		t.Fatal(err)
	}
	v, changed := p.changed()
	if !changed || v.Offsets.Start().Source <= 0 || v.Offsets.Start().Source > half || half-v.Offsets.Start().Source > 4*mostOpen {
		t.Fatalf("changed %t, it begins at %+v; the log at %d", changed, v.Offsets.Start(), half)
	}
	if got, err := v.Offsets.ToTarget(half + 100); err != nil || got != place {
		t.Errorf("position %d is %d (%v), and was %d", half+100, got, err, place)
	}
	if got, err := v.Offsets.Place(3); err != nil || got.Target != v.Offsets.Start().Target {
		t.Errorf("a position that is gone is at %d (%v)", got, err)
	}
	if v.Offsets.Origin() != (Point{}) || v.Offsets.Len() >= 10*mostOpen {
		t.Errorf("it began at %+v, with %d segments", v.Offsets.Origin(), v.Offsets.Len())
	}
	was := v.Offsets.Start()
	p.start, p.acked = m.end.Source, was.Target+10
	if v, _ = p.changed(); v.Offsets.Start() != was {
		t.Errorf("behind what is acknowledged, %d, it is trimmed up to %+v", p.acked, v.Offsets.Start())
	}
}

// What version 1 has written is read as it was.
func TestMapsOfVersionOne(t *testing.T) {
	m := transactions(t, 5000, func(i int) int64 { return 2 + int64(i%3) })
	var read Map
	if err := read.UnmarshalBinary(one(m)); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(m.Segments(), read.Segments()); d != "" || read.End() != m.End() || read.Origin() != m.Start() || len(read.sealed) != 0 {
		t.Errorf("up to %+v, from %+v, %d blocks:\n%s", read.End(), read.Origin(), len(read.sealed), d)
	}
}

// grown is a map of so many transactions of any size, as it is kept all along:
// positions follow half a minute behind, at a thousand transactions a second. It
// returns the most that its memory and the shelf have taken.
func grown(t *testing.T, transactions int, floor bool) (m *Map, memory, stored int) {
	t.Helper()
	p := wire.Partition{Topic: "t"}
	s := &counted{values: map[string][]byte{}}
	k := NewKeeper(s)
	m, err := NewMap(Point{})
	if err == nil {
		err = k.Begin(p, Beginning{})
	}
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 9))
	const look = 60_000 // a minute
	for i := range transactions {
		s := Segment{m.end.Source + 1 + rng.Int64N(20)*rng.Int64N(2), m.end.Target, 1 + rng.Int64N(60)} // some are aborted
		if err := m.Append(s); err != nil {
			t.Fatal(err)
		}
		if i%look != look-1 && i != transactions-1 {
			continue
		}
		if floor {
			m.Coarsen(m.end.Source - look/2*30)
		}
		if err := k.Keep(map[wire.Partition]Kept{p: {Offsets: m, Acked: Acked{Point: m.end}}}); err != nil {
			t.Fatal(err)
		}
	}
	all, _ := m.Size()
	memory, stored = all, s.bytes
	if read, _, err := NewKeeper(s).Load(t.Context(), []wire.Partition{p}); err != nil || read[p].End() != m.end || read[p].exact() != m.exact() {
		t.Fatalf("it is not what was kept: %v", err)
	}
	return m, memory, stored
}

// counted is a shelf that knows how much it has.
type counted struct {
	values map[string][]byte
	bytes  int
}

func (s *counted) Put(_ context.Context, values map[string][]byte) error {
	for name, v := range values {
		s.bytes += len(v) - len(s.values[name])
		if s.values[name] = v; v == nil {
			delete(s.values, name)
		}
	}
	return nil
}

func (s *counted) All(_ context.Context, prefix string) (map[string][]byte, error) {
	all := maps.Clone(s.values)
	maps.DeleteFunc(all, func(name string, _ []byte) bool { return !strings.HasPrefix(name, prefix) })
	return all, nil
}

// What every group has read takes no memory and no room in the state, however much
// that is; without their positions all of it stays. A group that is set back loses
// nothing, and reads no more twice than it is told.
func TestWhatIsReadTakesNoRoom(t *testing.T) {
	const n = 200_000
	_, _, tenth := grown(t, n, true)
	m, memory, stored := grown(t, 10*n, true)
	_, whole, unbounded := grown(t, n, false)
	t.Logf("%d transactions: %d bytes in memory, %d in the state (%d after a tenth), %d stretches; without positions a tenth takes %d and %d", 10*n, memory, stored, tenth, len(m.coarse.stretches), whole, unbounded)
	if memory > 300<<10 || stored > 300<<10 || stored > tenth+tenth/4 {
		t.Errorf("%d bytes in memory, %d in the state, and %d after a tenth", memory, stored, tenth)
	}
	if whole < 3*n || unbounded < 3*n {
		t.Errorf("without positions it is %d and %d bytes: the control shows nothing", whole, unbounded)
	}
	if got, err := m.Place(m.exact().Source); err != nil || got.Repeats() != 0 {
		t.Errorf("the lowest position is at %+v, %v", got, err)
	}
	for _, share := range []int64{2, 10, 100, 1000} { // so far back
		back := m.end.Source / share
		if back <= m.end.Source-m.exact().Source {
			continue
		}
		got, err := m.Place(m.end.Source - back)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("set back by %d offsets it begins at %d of %d, and reads up to %d records again", back, got.Target, m.end.Target, got.Repeats())
		if got.Repeats() > back/20 {
			t.Errorf("set back by %d it reads up to %d records again", back, got.Repeats())
		}
	}
}
