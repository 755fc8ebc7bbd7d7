package batch

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// handed are the records that Records hands out, with copies of what they hold.
func handed(t *testing.T, of func(func(Record) bool) error, most int) []record {
	t.Helper()
	var all []record
	err := of(func(r Record) bool {
		all = append(all, record{Offset: r.Offset, Key: bytes.Clone(r.Key), Value: bytes.Clone(r.Value)})
		return len(all) < most
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// Records hands out what was put in, of every codec, from an offset on, and stops
// when it is told to.
func TestRecords(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, codec := range allCodecs() {
		all := sample(rng, 50, 6, 30)
		all = append(all, record{Offset: 70, Key: nil, Value: []byte{}}, record{Offset: 75, Key: []byte{}, Value: nil})
		b, err := Parse(encode(t, spec{records: all, codec: codec}))
		if err != nil {
			t.Fatal(err)
		}
		s := testSplicer(t)
		for from := all[0].Offset - 1; from <= 76; from++ {
			var want []record
			for _, r := range all {
				if r.Offset >= from {
					want = append(want, record{Offset: r.Offset, Key: r.Key, Value: r.Value})
				}
			}
			got := handed(t, func(each func(Record) bool) error { return s.Records(b, from, each) }, 1000)
			if d := cmp.Diff(want, got, exactly()); d != "" {
				t.Fatalf("%s from %d (-want +got):\n%s", codec, from, d)
			}
			if got := handed(t, func(each func(Record) bool) error { return s.Records(b, from, each) }, 1); len(got) > 1 {
				t.Errorf("%d records after it was told to stop", len(got))
			}
		}
		if s.Len() != 0 {
			t.Errorf("%d records wait to go out", s.Len())
		}
	}
}

// The same for the old formats, and what is no data is told from what is.
func TestRecordsOfOldFormats(t *testing.T) {
	packed := compress(t, LZ4, bytes.Join([][]byte{encodeV0(9, 0, []byte("k"), []byte("v")), encodeV0(12, 0, nil, nil)}, nil))
	packed[6] ^= 0x55 // KAFKA-3160
	r := NewReader(encodeV0(12, byte(LZ4), nil, packed))
	if !r.Next() {
		t.Fatal(r.Err())
	}
	s, m := testSplicer(t), r.Message()
	got := handed(t, func(each func(Record) bool) error { return s.MessageRecords(m, 0, each) }, 9)
	if d := cmp.Diff([]record{{Offset: 9, Key: []byte("k"), Value: []byte("v")}, {Offset: 12}}, got, exactly()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if got := handed(t, func(each func(Record) bool) error { return s.MessageRecords(m, 10, each) }, 9); len(got) != 1 || got[0].Offset != 12 {
		t.Errorf("from 10: %+v", got)
	}
	b, err := Parse(encode(t, marker(3, 1, 0)))
	if err != nil {
		t.Fatal(err)
	}
	var unfit *UnfitError
	if err := s.Records(b, 0, func(Record) bool { return true }); !errors.As(err, &unfit) {
		t.Errorf("a marker: %v", err)
	}
}
