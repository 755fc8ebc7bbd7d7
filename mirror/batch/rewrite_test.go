package batch

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRewriteKeepsRecords(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 1))
	p := NewPatcher()
	for _, codec := range allCodecs() {
		for _, size := range []int{1, 40, 3000} {
			records := sample(rng, 77, 1+rng.IntN(60), size)
			whole := encode(t, spec{records: records, codec: codec, bits: transBit | horizonBit | 0x80, baseTime: 1_700_000_000_000, producer: 5, epoch: 1, sequence: 3})
			b := parse(t, bytes.Clone(whole))
			if err := b.Rewrite(Stamp{ProducerID: 42, Epoch: 6, Sequence: 1 << 30}); err != nil {
				t.Fatal(err)
			}
			got := []any{b.Offset(), b.LeaderEpoch(), b.Attributes(), b.ProducerID(), b.ProducerEpoch(), b.Sequence()}
			want := []any{int64(0), int32(-1), uint16(codec), int64(42), int16(6), int32(1 << 30)}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(renumber(records), decode(t, b.Bytes()), exactly()); diff != "" {
				t.Errorf("%s, %d bytes: %s", codec, size, diff)
			}
			parse(t, b.Bytes())
			patched := parse(t, bytes.Clone(whole))
			if err := p.Rewrite(patched, Stamp{ProducerID: 42, Epoch: 6, Sequence: 1 << 30}); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(patched.Bytes(), b.Bytes()) {
				t.Errorf("%s, %d bytes: patched %08x, computed %08x", codec, size, patched.CRC(), b.CRC())
			}
		}
	}
}

// TestPatchAgreesWithComputing over many lengths, stamps and payloads.
func TestPatchAgreesWithComputing(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	p := NewPatcher()
	for i := range 700 {
		n := rng.IntN(1 + rng.IntN(1+rng.IntN(1<<15)))
		if i < 300 {
			n = i
		}
		whole := encode(t, spec{records: []record{{Value: make([]byte, n)}}, producer: rng.Int64(), epoch: int16(rng.Uint32()), sequence: rng.Int32()})
		for j := HeaderSize; j < len(whole); j++ {
			whole[j] = byte(rng.Uint32())
		}
		fixCRC(whole)
		s := Stamp{ProducerID: rng.Int64(), Epoch: int16(rng.Uint32()), Sequence: rng.Int32()}
		a, b := parse(t, bytes.Clone(whole)), parse(t, whole)
		if err := errors.Join(a.Rewrite(s), p.Rewrite(b, s)); err != nil {
			t.Fatal(err)
		}
		if a.CRC() != b.CRC() {
			t.Fatalf("%d bytes: computed %08x, patched %08x", a.Size(), a.CRC(), b.CRC())
		}
	}
}

// TestPatchKeepsDamage: a checksum that was wrong stays wrong, while computing
// it anew makes the damage look whole.
func TestPatchKeepsDamage(t *testing.T) {
	whole := encode(t, spec{records: []record{{Value: []byte("good")}}})
	whole[len(whole)-2] ^= 0x10
	r := NewUncheckedReader(whole)
	if !r.Next() {
		t.Fatal(r.Err())
	}
	b := Batch{bytes.Clone(r.Batch().Bytes())}
	if err := NewPatcher().Rewrite(b, Stamp{ProducerID: 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := Parse(b.Bytes()); err == nil {
		t.Error("the damage was laundered")
	}
	if err := r.Batch().Rewrite(Stamp{ProducerID: 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := Parse(whole); err != nil {
		t.Errorf("the control does not control: %v", err)
	}
}

func TestRewriteRefusesWhatBrokersRefuse(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 3))
	records := sample(rng, 20, 3, 20)
	cases := map[Obstacle]spec{
		IsControl:     {records: records[:1], bits: controlBit | transBit},
		IsEmpty:       {base: 20, lastDelta: 2},
		HasGaps:       {records: []record{records[0], records[2]}},
		HasAppendTime: {records: records, bits: appendTimeBit},
	}
	p := NewPatcher()
	for want, s := range cases {
		whole := encode(t, s)
		for name, rewrite := range map[string]func(Batch, Stamp) error{"computed": Batch.Rewrite, "patched": p.Rewrite} {
			b := parse(t, bytes.Clone(whole))
			var unfit *UnfitError
			if err := rewrite(b, Stamp{}); !errors.As(err, &unfit) || unfit.Obstacle != want || unfit.Offset != 20 {
				t.Errorf("%s, %s: %v", want, name, err)
			}
			if !bytes.Equal(b.Bytes(), whole) {
				t.Errorf("%s, %s: the batch was changed", want, name)
			}
		}
	}
	if o := parse(t, encode(t, spec{records: records})).Obstacle(); o != NoObstacle {
		t.Error(o)
	}
}
