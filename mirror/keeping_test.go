package mirror_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kplan/mirror"
	"kplan/mirror/wire"
)

// shelf is a shelf in memory that counts what is put on it.
type shelf struct {
	mu     sync.Mutex
	values map[string][]byte
	puts   int
	fail   error
}

func newShelf() *shelf { return &shelf{values: map[string][]byte{}} }

func (s *shelf) Put(_ context.Context, values map[string][]byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return s.fail
	}
	for name, v := range values {
		s.puts++
		if v == nil {
			delete(s.values, name)
		} else {
			s.values[name] = bytes.Clone(v)
		}
	}
	return nil
}

func (s *shelf) All(_ context.Context, prefix string) (map[string][]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := maps.Clone(s.values)
	maps.DeleteFunc(all, func(name string, _ []byte) bool { return !strings.HasPrefix(name, prefix) })
	return all, nil
}

func keeper(s *shelf) *mirror.Keeper {
	k := mirror.NewKeeper(s)
	mirror.ChunkOf(k, 3)
	return k
}

// allAcked is what is kept of a partition of which all is on the target.
func allAcked(p wire.Partition, m *mirror.Map) map[wire.Partition]mirror.Kept {
	return map[wire.Partition]mirror.Kept{p: {Offsets: m, Acked: mirror.Acked{Point: m.End()}}}
}

func sameMap(t *testing.T, want, got *mirror.Map) {
	t.Helper()
	if got == nil || want.Start() != got.Start() || want.End() != got.End() {
		t.Fatalf("want %v, got %v", want, got)
	}
	if d := cmp.Diff(append([]mirror.Segment{}, want.Segments()...), append([]mirror.Segment{}, got.Segments()...)); d != "" {
		t.Fatalf("segments (-want +got):\n%s", d)
	}
	for position := want.Start().Source; position <= want.End().Source; position++ {
		there, _ := want.ToTarget(position)
		if at, err := got.ToTarget(position); err != nil || at != there {
			t.Fatalf("position %d is at %+v, want %+v: %v", position, at, there, err)
		}
	}
}

// Whatever happens to a map between two looks, what is kept is what it is, for
// the keeper that kept it and for the next one.
func TestKeeperKeepsWhatIs(t *testing.T) {
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		s := newShelf()
		k := keeper(s)
		p, other := wire.Partition{Topic: "a.b-c_d", Number: 12}, wire.Partition{Topic: "a.b-c_d", Number: 1}
		begin := mirror.Beginning{Point: mirror.Point{Source: 5, Target: 7}, Topics: mirror.Topics{Source: wire.TopicID{1}, Target: wire.TopicID{2}}}
		if err := errors.Join(k.Begin(p, begin), k.Begin(other, begin)); err != nil {
			t.Fatal(err)
		}
		m, err := mirror.NewMap(begin.Point)
		if err != nil {
			t.Fatal(err)
		}
		mirror.PackAfter(m, 3)
		for range 30 {
			switch rnd.IntN(9) {
			case 8:
				m.Coarsen(m.Start().Source + rnd.Int64N(m.End().Source-m.Start().Source+1))
			case 0:
				err = m.CutTarget(m.Start().Target + rnd.Int64N(m.End().Target-m.Start().Target+1))
			case 1:
				m.Trim(m.Start().Source + rnd.Int64N(m.End().Source-m.Start().Source+1))
			default:
				for range rnd.IntN(6) {
					end := m.End()
					err = errors.Join(err, m.Append(mirror.Segment{Source: end.Source + rnd.Int64N(2), Target: end.Target, Length: 1 + rnd.Int64N(4)}))
				}
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := k.Keep(allAcked(p, m.Clone())); err != nil {
				t.Fatal(err)
			}
			if rnd.IntN(3) == 0 {
				k = keeper(s)
			}
			all, err := k.Assignments(t.Context(), []wire.Partition{p, other, {Topic: "a.b-c_d"}})
			if err != nil || len(all) != 3 {
				t.Fatal(all, err)
			}
			sameMap(t, m, all[p].Offsets)
			if all[p].Topics != begin.Topics || all[other].Offsets.End() != begin.Point || all[wire.Partition{Topic: "a.b-c_d"}].Offsets != nil {
				t.Fatalf("%+v", all)
			}
		}
	}
}

// A long map is not written anew for each record.
func TestKeeperWritesWhatChanged(t *testing.T) {
	s := newShelf()
	k := keeper(s)
	p := wire.Partition{Topic: "t"}
	m, err := mirror.NewMap(mirror.Point{})
	if err == nil {
		err = k.Begin(p, mirror.Beginning{})
	}
	if err != nil {
		t.Fatal(err)
	}
	mirror.PackAfter(m, 3)
	for i := range int64(300) {
		if err := m.Append(mirror.Segment{Source: m.End().Source + 1, Target: m.End().Target, Length: 1 + i%2}); err != nil {
			t.Fatal(err)
		}
		if err := k.Keep(allAcked(p, m)); err != nil {
			t.Fatal(err)
		}
	}
	if s.puts > 1+2*300+100 {
		t.Errorf("%d values for 300 changes of a map of 100 chunks", s.puts)
	}
}

// Chunks that an owner was writing when it died do not join up: the map ends
// before them.
func TestKeeperJoinsWhatFits(t *testing.T) {
	s := newShelf()
	p := wire.Partition{Topic: "t"}
	m, _ := mirror.NewMap(mirror.Point{})
	mirror.PackAfter(m, 3)
	if err := keeper(s).Begin(p, mirror.Beginning{}); err != nil {
		t.Fatal(err)
	}
	var before map[string][]byte
	for i := range 9 {
		if err := m.Append(mirror.Segment{Source: m.End().Source + 1, Target: m.End().Target, Length: 1 + int64(i%2)}); err != nil {
			t.Fatal(err)
		}
		if i == 3 {
			if err := keeper(s).Keep(allAcked(p, m)); err != nil {
				t.Fatal(err)
			}
			before, _ = s.All(t.Context(), "")
		}
	}
	if err := keeper(s).Keep(allAcked(p, m)); err != nil {
		t.Fatal(err)
	}
	s.values["map/t/0/000001"] = before["map/t/0/000001"]
	got, _, err := keeper(s).Load(t.Context(), []wire.Partition{p})
	if err != nil || got[p].Len() != 4 {
		t.Errorf("%d segments, %v", got[p].Len(), err)
	}
	s.values["map/t/0/000000"][9] ^= 1
	if got, _, err := keeper(s).Load(t.Context(), []wire.Partition{p}); err != nil || got[p] != nil {
		t.Error("a damaged chunk is taken for a map")
	}
}

// Chunks that version 1 has written are read, go on, and are not written again.
func TestKeeperGoesOnFromVersionOne(t *testing.T) {
	s := newShelf()
	p := wire.Partition{Topic: "t"}
	whole, _ := mirror.NewMap(mirror.Point{Source: 5})
	if err := keeper(s).Begin(p, mirror.Beginning{Point: whole.Start()}); err != nil {
		t.Fatal(err)
	}
	for number := range 3 { // a chunk begins where the one before ends
		part, _ := mirror.NewMap(whole.End())
		for i := range int64(8) {
			one := mirror.Segment{Source: whole.End().Source + 1, Target: whole.End().Target, Length: 1 + i%2}
			if err := errors.Join(part.Append(one), whole.Append(one)); err != nil {
				t.Fatal(err)
			}
		}
		s.values[fmt.Sprintf("map/t/0/%06d", number)] = mirror.One(part)
	}
	k := keeper(s)
	known, err := k.Assignments(t.Context(), []wire.Partition{p})
	if err != nil {
		t.Fatal(err)
	}
	m := known[p].Offsets
	sameMap(t, whole, m)
	first := bytes.Clone(s.values["map/t/0/000000"])
	for range 20 {
		one := mirror.Segment{Source: whole.End().Source + 2, Target: whole.End().Target, Length: 1}
		if err := errors.Join(m.Append(one), whole.Append(one), k.Keep(allAcked(p, m.Clone()))); err != nil {
			t.Fatal(err)
		}
		got, _, err := keeper(s).Load(t.Context(), []wire.Partition{p})
		if err != nil {
			t.Fatal(err)
		}
		sameMap(t, whole, got[p])
	}
	if !bytes.Equal(first, s.values["map/t/0/000000"]) {
		t.Error("a chunk that has not changed is written again")
	}
}

func TestKeeperSettles(t *testing.T) {
	s := newShelf()
	p, q := wire.Partition{Topic: "t"}, wire.Partition{Topic: "t", Number: 1}
	settled := func(want bool) {
		t.Helper()
		if all, err := keeper(s).Assignments(t.Context(), []wire.Partition{p, q}); err != nil || all[p].Settled != want || all[q].Settled {
			t.Errorf("%+v, %v", all, err)
		}
	}
	settled(false)
	if err := keeper(s).Settle(t.Context(), []wire.Partition{p}); err != nil {
		t.Fatal(err)
	}
	settled(true)
	if err := keeper(s).Unsettle(t.Context(), []wire.Partition{p}); err != nil {
		t.Fatal(err)
	}
	settled(false)
}

type issuer int64

func (i issuer) ProducerID(context.Context) (int64, error) { return int64(i), nil }

// One producer id for a target cluster, for good.
func TestIdentify(t *testing.T) {
	s := newShelf()
	held, taken := 0, 0
	lock := func(context.Context) (func() error, error) {
		held, taken = held+1, taken+1
		return func() error { held--; return nil }, nil
	}
	for i := range int64(3) {
		p, err := mirror.Identify(t.Context(), s, issuer(40+i), "new", false, lock)
		if err != nil || p != (mirror.Producer{ID: 40}) {
			t.Errorf("%+v, %v", p, err)
		}
	}
	if held != 0 || taken != 1 {
		t.Errorf("the lock was taken %d times and is held %d times", taken, held)
	}
	refused := func(err error) {
		t.Helper()
		if e := (*mirror.IdentityError)(nil); !errors.As(err, &e) {
			t.Error(err)
		}
	}
	_, err := mirror.Identify(t.Context(), s, issuer(50), "rebuilt", false, lock)
	refused(err)
	if err := keeper(s).Begin(wire.Partition{Topic: "t"}, mirror.Beginning{}); err != nil {
		t.Fatal(err)
	}
	delete(s.values, "producer")
	_, err = mirror.Identify(t.Context(), s, issuer(50), "new", false, nil)
	refused(err)
	_, err = mirror.Identify(t.Context(), newShelf(), issuer(50), "new", true, nil) // all of the shelf is lost, the journal is not
	refused(err)
	s = newShelf()
	s.fail = errors.New("no room")
	if p, err := mirror.Identify(t.Context(), s, issuer(50), "new", false, nil); !errors.Is(err, s.fail) || p.ID != 0 {
		t.Errorf("an id that is not kept is given out: %+v, %v", p, err)
	}
}

// torn is a shelf of which a Put gets only some of its values down: those of the
// first names, as a request after the other, and then none.
type torn struct {
	*shelf
	left int
}

var errTorn = errors.New("torn")

func (s *torn) Put(ctx context.Context, values map[string][]byte) error {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if s.left--; s.left < 0 {
			return errTorn
		}
		if err := s.shelf.Put(ctx, map[string][]byte{name: values[name]}); err != nil {
			return err
		}
	}
	return nil
}

// Wherever an owner dies while it keeps what has become coarse, or was cut there,
// who reads the map finds no position behind its true place, and what follows
// takes away what was left.
func TestKeeperDiesWhileItKeepsStretches(t *testing.T) {
	p := wire.Partition{Topic: "t"}
	made := func(floor, more, cut int64) *mirror.Map {
		m, err := mirror.NewMap(mirror.Point{Source: 5})
		if err != nil {
			t.Fatal(err)
		}
		mirror.PackAfter(m, 3)
		for i := range int64(40) {
			if err := m.Append(mirror.Segment{Source: m.End().Source + 1 + i%3, Target: m.End().Target, Length: 1 + i%2}); err != nil {
				t.Fatal(err)
			}
		}
		m.Coarsen(floor)
		m.Coarsen(more)
		if cut >= 0 {
			if err := m.CutTarget(cut); err != nil {
				t.Fatal(err)
			}
		}
		return m
	}
	whole := made(0, 0, -1)
	for _, c := range []struct {
		name         string
		before, then func() *mirror.Map
	}{
		{"the first stretches", func() *mirror.Map { return made(0, 0, -1) }, func() *mirror.Map { return made(60, 0, -1) }},
		{"more of them", func() *mirror.Map { return made(60, 0, -1) }, func() *mirror.Map { return made(60, 90, -1) }},
		{"a cut among them", func() *mirror.Map { return made(60, 0, -1) }, func() *mirror.Map { return made(60, 0, 20) }},
		{"a cut in the first", func() *mirror.Map { return made(60, 0, -1) }, func() *mirror.Map { return made(60, 0, 1) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			for left := 0; ; left++ {
				s := newShelf()
				before, then := c.before(), c.then()
				if err := errors.Join(keeper(s).Begin(p, mirror.Beginning{Point: whole.Start()}), keeper(s).Keep(allAcked(p, before))); err != nil {
					t.Fatal(err)
				}
				dying := &torn{shelf: s, left: left}
				k := mirror.NewKeeper(dying)
				if _, err := k.Assignments(t.Context(), []wire.Partition{p}); err != nil {
					t.Fatal(err)
				}
				died := k.Keep(allAcked(p, then))
				all, err := keeper(s).Assignments(t.Context(), []wire.Partition{p})
				if err != nil {
					t.Fatal(err)
				}
				got := all[p].Offsets
				if got.Start() != whole.Start() {
					t.Fatalf("after %d values it begins at %+v", left, got.Start())
				}
				for position := got.Start().Source; position <= got.End().Source; position++ {
					want, _ := whole.ToTarget(position)
					if at, err := got.ToTarget(position); err != nil || at.Target > want.Target || at.Latest < want.Target {
						t.Fatalf("after %d values position %d is at %+v, and truly at %d: %v", left, position, at, want.Target, err)
					}
				}
				next := keeper(s)
				if _, err := next.Assignments(t.Context(), []wire.Partition{p}); err != nil {
					t.Fatal(err)
				}
				if err := next.Keep(allAcked(p, then)); err != nil {
					t.Fatal(err)
				}
				clean := newShelf()
				if err := keeper(clean).Keep(allAcked(p, then)); err != nil {
					t.Fatal(err)
				}
				delete(s.values, "begin/t/0")
				if d := cmp.Diff(slices.Sorted(maps.Keys(clean.values)), slices.Sorted(maps.Keys(s.values))); d != "" {
					t.Fatalf("after %d values and another Keep (-want +got):\n%s", left, d)
				}
				if died == nil {
					return
				}
				if !errors.Is(died, errTorn) {
					t.Fatal(died)
				}
			}
		})
	}
}

// What a kplan without stretches has kept is read as it is, becomes coarse, and
// then has a form that such a kplan refuses: it would take what is behind the
// stretches for all that the source has.
func TestKeeperMakesOlderMapsCoarse(t *testing.T) {
	s := newShelf()
	for name, text := range map[string]string{
		"acked/t/0":      `{"source":49,"target":19}`,
		"begin/t/0":      `{"source":5,"target":0,"source_topic":[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0],"target_topic":[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]}`,
		"map/t/0/000000": "KOM\x02\x05\x00\x00\x00\x03\x01\x00\x01\x00\x02\x00\x02\x00\x03\x00\x01\x00\x00\x00VdI\xc8",
		"map/t/0/000001": "KOM\x02\x0f\x04\x00\x00\x03\x01\x00\x02\x00\x02\x00\x01\x00\x03\x00\x02\x00\x00\x00-)\x16V",
		"map/t/0/000002": "KOM\x02\x1a\t\x00\x00\x03\x01\x00\x01\x00\x02\x00\x02\x00\x03\x00\x01\x00\x00\x00j\xb5\x0f\xfb",
		"map/t/0/000003": "KOM\x02$\r\x00\x00\x03\x01\x00\x02\x00\x02\x00\x01\x00\x03\x00\x02\x00\x00\x00,\x05\xdf\xd7",
		"map/t/0/000004": "KOM\x02/\x12\x00\x00\x01\x01\x00\x01\x00\x00\x00\xb6\xd9\x0e\xb5",
	} {
		s.values[name] = []byte(text)
	}
	p := wire.Partition{Topic: "t"}
	whole, _ := mirror.NewMap(mirror.Point{Source: 5})
	mirror.PackAfter(whole, 3)
	for i := range int64(13) {
		if err := whole.Append(mirror.Segment{Source: whole.End().Source + 1 + i%3, Target: whole.End().Target, Length: 1 + i%2}); err != nil {
			t.Fatal(err)
		}
	}
	k := keeper(s)
	all, err := k.Assignments(t.Context(), []wire.Partition{p})
	if err != nil {
		t.Fatal(err)
	}
	m := all[p].Offsets
	sameMap(t, whole, m)
	rest := s.values["map/t/0/000003"]
	m.Coarsen(40)
	if err := k.Keep(allAcked(p, m)); err != nil {
		t.Fatal(err)
	}
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(s.values)), func(name string) bool { return !strings.HasPrefix(name, "map/") })
	if d := cmp.Diff([]string{"map/t/0/000002", "map/t/0/000003", "map/t/0/000004"}, names); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if got := s.values["map/t/0/000002"]; !bytes.HasPrefix(got, []byte("KOM\x03")) || !bytes.Equal(rest, s.values["map/t/0/000003"]) {
		t.Errorf("the stretches are %q", got)
	}
	whole.Coarsen(40)
	got, _, err := keeper(s).Load(t.Context(), []wire.Partition{p})
	if err != nil {
		t.Fatal(err)
	}
	sameMap(t, whole, got[p])
}
