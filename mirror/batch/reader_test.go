package batch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReaderReadsWhatABrokerSends(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	first := encode(t, spec{records: sample(rng, 100, 3, 50), codec: LZ4, bits: transBit, producer: 9, epoch: 2, sequence: 40})
	second := encode(t, spec{records: sample(rng, 110, 1, 50), bits: horizonBit, baseTime: 5})
	third := encode(t, spec{records: sample(rng, 111, 9, 50)})
	bytes := append(append(append([]byte{}, first...), second...), third[:len(third)-1]...)
	r := NewReader(bytes)
	if !r.Next() {
		t.Fatal(r.Err())
	}
	b := r.Batch()
	got := []any{r.Magic(), b.Offset(), b.LastOffset(), b.NextOffset(), b.LeaderEpoch(), b.Codec(), b.Transactional(), b.Control(), b.LogAppendTime(), b.ProducerID(), b.ProducerEpoch(), b.Sequence(), b.Count(), b.Size()}
	want := []any{2, int64(100), int64(102), int64(103), int32(7), LZ4, true, false, false, int64(9), int16(2), int32(40), int32(3), len(first)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if !r.Next() {
		t.Fatal(r.Err())
	}
	if horizon, ok := r.Batch().DeleteHorizon(); !ok || horizon != 5 {
		t.Errorf("the delete horizon is %d, %v", horizon, ok)
	}
	if r.Next() || r.Err() != nil {
		t.Fatalf("a partial batch was handed out, or is an error: %v", r.Err())
	}
	if have, need := r.Partial(); have != len(third)-1 || need != len(third) {
		t.Errorf("partial: have %d, need %d", have, need)
	}
	if r.Next() || r.Magic() != -1 || r.Batch().Bytes() != nil || r.Message().Bytes() != nil {
		t.Error("the reader goes on behind its end")
	}
}

func TestReaderAtEveryCut(t *testing.T) {
	whole := encode(t, spec{records: sample(rand.New(rand.NewPCG(1, 2)), 0, 4, 30), codec: Zstd})
	for n := range whole {
		r := NewReader(whole[:n])
		if r.Next() || r.Err() != nil {
			t.Fatalf("%d of %d bytes: next or error %v", n, len(whole), r.Err())
		}
		if have, need := r.Partial(); n > 0 && (have != n || need < 12) {
			t.Fatalf("%d bytes: have %d, need %d", n, have, need)
		}
	}
}

func TestReaderNamesDamage(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 3))
	good := encode(t, spec{records: sample(rng, 10, 2, 30)})
	set := func(at int, v ...byte) func([]byte) {
		return func(b []byte) { copy(b[at:], v) }
	}
	cases := map[string]struct {
		damage func([]byte)
		keep   bool // the checksum as it was
		want   Fault
	}{
		"a record's byte":         {set(len(good)-1, good[len(good)-1]^1), true, BadCRC},
		"the attributes":          {set(atAttributes, 0xff), true, BadCRC},
		"the stored checksum":     {set(atCRC, ^good[atCRC]), true, BadCRC},
		"magic 3":                 {set(atMagic, 3), false, BadMagic},
		"negative length":         {set(atLength, 0xff), false, BadLength},
		"length 13":               {set(atLength, 0, 0, 0, 13), false, BadLength},
		"length below the header": {set(atLength, 0, 0, 0, leastV2-1), false, BadLength},
		"negative offset":         {set(0, 0x80), false, BadHeader},
		"offset at the end":       {set(0, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), false, BadHeader},
		"negative last delta":     {set(atLastDelta, 0x80), false, BadHeader},
		"negative count":          {set(atCount, 0x80), false, BadHeader},
		"more than the offsets":   {set(atCount, 0, 0, 0, 3), false, BadHeader},
		"codec 5":                 {set(atAttributes+1, 5), false, BadHeader},
		"an offset seen before":   {set(0, 0, 0, 0, 0, 0, 0, 0, 9), false, BadOrder},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			b := bytes.Clone(good)
			c.damage(b)
			if !c.keep {
				fixCRC(b)
			}
			before := encode(t, spec{records: sample(rng, 9, 1, 5)})
			r := NewReader(append(bytes.Clone(before), b...))
			if !r.Next() {
				t.Fatal(r.Err())
			}
			if r.Next() {
				t.Fatal("it was handed out")
			}
			var damage *DamageError
			if !errors.As(r.Err(), &damage) || damage.Fault != c.want || damage.At != len(before) || damage.Offset != int64(binary.BigEndian.Uint64(b)) {
				t.Errorf("got %v (%+v), want %s at byte %d", r.Err(), damage, c.want, len(before))
			}
			if _, err := Parse(b); c.want != BadOrder && err == nil {
				t.Error("Parse takes it")
			}
			if r := NewUncheckedReader(b); c.want == BadCRC && !r.Next() {
				t.Errorf("an unchecked reader looks at the checksum: %v", r.Err())
			}
		})
	}
}

func TestParseTakesOneBatch(t *testing.T) {
	b := encode(t, spec{records: sample(rand.New(rand.NewPCG(1, 4)), 0, 1, 5)})
	for name, bytes := range map[string][]byte{
		"nothing": nil, "two": append(bytes.Clone(b), b...), "a part": b[:len(b)-1], "an old message": encodeV1(5, 1, 0, []byte("k"), []byte("v")),
	} {
		if _, err := Parse(bytes); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func TestReaderAllocatesNothing(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 5))
	var all []byte
	for i := range 10 {
		all = append(all, encode(t, spec{records: sample(rng, int64(10*i), 10, 50), codec: Codec(i % 5)})...)
	}
	var f Filter
	allocs := testing.AllocsPerRun(10, func() {
		f.Reset(nil)
		for r := NewReader(all); r.Next(); {
			if kind, err := f.Classify(r.Batch()); kind != Data || err != nil {
				t.Fatal(kind, err)
			}
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}
