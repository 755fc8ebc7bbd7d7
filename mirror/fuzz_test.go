package mirror

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math/rand/v2"
	"testing"
)

// FuzzMap reads maps that may be anything, asks them, and writes them again.
func FuzzMap(f *testing.F) {
	rng := rand.New(rand.NewPCG(2, 2))
	for range 5 {
		m := randomMap(f, rng)
		b, err := m.MarshalBinary()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, int64(50))
		f.Add(one(m), int64(50))
		m.most = 2
		for range 9 {
			if err := m.Append(Segment{m.end.Source + 1 + rng.Int64N(3), m.end.Target + rng.Int64N(2), 1 + rng.Int64N(3)}); err != nil {
				f.Fatal(err)
			}
		}
		m.Coarsen(m.end.Source)
		if b, err = m.MarshalBinary(); err != nil {
			f.Fatal(err)
		}
		f.Add(b, int64(50))
	}
	f.Fuzz(func(t *testing.T, b []byte, at int64) {
		var m Map
		if n := len(b) - 4; n >= 0 { // behind the checksum it gets interesting
			binary.BigEndian.PutUint32(b[n:], crc32.Checksum(b[:n], castagnoli))
		}
		if err := m.UnmarshalBinary(b); err == nil {
			ask(t, &m, at)
			again, err := m.MarshalBinary()
			if err != nil {
				t.Fatal(err)
			}
			var twice Map
			if err := twice.UnmarshalBinary(again); err != nil {
				t.Fatal(err)
			}
			last, err := twice.MarshalBinary()
			if err != nil || !bytes.Equal(again, last) {
				t.Fatalf("%x, then %x: %v", again, last, err)
			}
		}
	})
}

func ask(t *testing.T, m *Map, at int64) {
	if target, err := m.ToTarget(at); err == nil {
		if target.Target < m.Start().Target || target.Latest > m.End().Target || target.Repeats() < 0 || target.Repeats() > 0 && at >= m.exact().Source {
			t.Fatalf("%d translates to %d, of %+v and %+v", at, target, m.Start(), m.End())
		}
		if back, err := m.ToSource(target.Target); err != nil || back < at && at >= m.exact().Source {
			t.Fatalf("%d goes to %d and comes back as %d: %v", at, target, back, err)
		}
	}
	c := m.Clone()
	if c.CutTarget(at) == nil && c.End().Target > m.End().Target {
		t.Fatalf("cut at %d, it ends at %+v", at, c.End())
	}
	c = m.Clone()
	if c.Coarsen(at); c.Records() != m.Records() || c.Start() != m.Start() || c.End() != m.End() || c.exact().Source > max(at, m.exact().Source) {
		t.Fatalf("coarse below %d, it has %d records of %d from %+v to %+v", at, c.Records(), m.Records(), c.Start(), c.End())
	}
	c = m.Clone()
	if c.Trim(at); c.Records() > m.Records() || c.Start().Source > max(at, m.Start().Source) {
		t.Fatalf("trimmed at %d, it has %d records of %d from %+v on", at, c.Records(), m.Records(), c.Start())
	}
}

// one is a map as version 1 has it.
func one(m *Map) []byte {
	b := appendNumbers([]byte(binaryHeadOne), m.start.Source, m.start.Target, int64(m.Len()))
	at := m.start
	for _, s := range m.Segments() {
		b = appendNumbers(b, s.Source-at.Source, s.Target-at.Target, s.Length)
		at = s.end()
	}
	b = appendNumbers(b, m.end.Source-at.Source, m.end.Target-at.Target)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}
