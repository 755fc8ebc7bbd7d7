package batch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func encodeV0(offset int64, attributes byte, key, value []byte) []byte {
	return legacy(offset, 0, attributes, nil, key, value)
}

func encodeV1(offset, time int64, attributes byte, key, value []byte) []byte {
	return legacy(offset, 1, attributes, binary.BigEndian.AppendUint64(nil, uint64(time)), key, value)
}

func legacy(offset int64, magic, attributes byte, time, key, value []byte) []byte {
	body := append([]byte{magic, attributes}, time...)
	for _, v := range [][]byte{key, value} {
		if v == nil {
			body = append(body, 0xff, 0xff, 0xff, 0xff)
		} else {
			body = append(binary.BigEndian.AppendUint32(body, uint32(len(v))), v...)
		}
	}
	b := binary.BigEndian.AppendUint64(nil, uint64(offset))
	b = binary.BigEndian.AppendUint32(b, uint32(len(body)+4))
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(body))
	return append(b, body...)
}

// convert carries all entries of a message set through a Splicer.
func convert(t *testing.T, s *Splicer, set []byte) ([]byte, []Run) {
	t.Helper()
	r := NewReader(set)
	for r.Next() {
		if err := s.OpenMessage(r.Message(), 0, All); err != nil {
			t.Fatal(err)
		}
		if rest, err := s.Take(); rest || err != nil {
			t.Fatal(rest, err)
		}
	}
	if r.Err() != nil {
		t.Fatal(r.Err())
	}
	out, runs, err := s.Finish(nil, Stamp{ProducerID: 1})
	if err != nil {
		t.Fatal(err)
	}
	return out, runs
}

func testSplicer(t testing.TB) *Splicer {
	t.Helper()
	s, err := NewSplicer(Limits{Batch: 1 << 20, Unpacked: 4 << 20})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestOldFormats(t *testing.T) {
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	k, v := []byte("k"), bytes.Repeat([]byte("value"), 50)
	for _, codec := range []Codec{None, Gzip, Snappy, LZ4} {
		wrapped := func(magic byte, offset, time int64, bits byte, inner []byte) []byte {
			packed := compress(t, codec, inner)
			if magic == 0 {
				if codec == LZ4 {
					packed[6] ^= 0x55 // KAFKA-3160: the checksum of its header is wrong
				}
				return encodeV0(offset, byte(codec)|bits, nil, packed)
			}
			return encodeV1(offset, time, byte(codec)|bits, nil, packed)
		}
		flat := map[string]struct {
			set  []byte
			want []record
			runs []Run
		}{
			"v0": {
				join(encodeV0(7, 0, k, v), encodeV0(8, 0, nil, nil), encodeV0(11, 0, []byte{}, []byte{})),
				[]record{{0, -1, k, v, nil}, {1, -1, nil, nil, nil}, {2, -1, []byte{}, []byte{}, nil}},
				[]Run{{7, 2}, {11, 1}},
			},
			"v1": {
				join(encodeV1(7, 1000, 0, k, v), encodeV1(8, 900, 0, k, nil)),
				[]record{{0, 1000, k, v, nil}, {1, 900, k, nil, nil}},
				[]Run{{7, 2}},
			},
		}
		deep := map[string]struct {
			set  []byte
			want []record
			runs []Run
		}{
			"v0": {
				wrapped(0, 12, 0, 0, join(encodeV0(9, 0, k, v), encodeV0(12, 0, k, nil))),
				[]record{{0, -1, k, v, nil}, {1, -1, k, nil, nil}},
				[]Run{{9, 1}, {12, 1}},
			},
			"v1, compacted": {
				wrapped(1, 105, 2000, 0, join(encodeV1(2, 1500, 0, k, v), encodeV1(3, 2000, 0, nil, v), encodeV1(5, 1900, 0, k, nil))),
				[]record{{0, 1500, k, v, nil}, {1, 2000, nil, v, nil}, {2, 1900, k, nil, nil}},
				[]Run{{102, 2}, {105, 1}},
			},
			"v1, append time": {
				wrapped(1, 1, 2000, appendTimeBit, join(encodeV1(0, 5, 0, k, v), encodeV1(1, -1, 0, k, v))),
				[]record{{0, 2000, k, v, nil}, {1, 2000, k, v, nil}},
				[]Run{{0, 2}},
			},
			"v1 at 0 by librdkafka": {
				wrapped(1, 0, 2000, 0, join(encodeV1(0, 5, 0, k, v), encodeV1(1, 6, 0, k, v))),
				[]record{{0, 5, k, v, nil}, {1, 6, k, v, nil}},
				[]Run{{0, 2}},
			},
		}
		cases := deep
		if codec == None {
			cases = flat
		}
		for name, c := range cases {
			t.Run(codec.String()+" "+name, func(t *testing.T) {
				out, runs := convert(t, testSplicer(t), c.set)
				if diff := cmp.Diff(c.want, decode(t, out), exactly()); diff != "" {
					t.Error(diff)
				}
				if diff := cmp.Diff(c.runs, runs); diff != "" {
					t.Error(diff)
				}
				if b := parse(t, out); b.Codec() != codec || b.Obstacle() != NoObstacle {
					t.Error(b.Codec(), b.Obstacle())
				}
			})
		}
	}
}

// TestOldFormatsBesideNew: after an upgrade one log holds all three.
func TestOldFormatsBesideNew(t *testing.T) {
	set := bytes.Join([][]byte{
		encodeV0(1, 0, nil, []byte("a")),
		encodeV1(5, 10, byte(Gzip), nil, compress(t, Gzip, append(encodeV1(0, 8, 0, nil, []byte("b")), encodeV1(1, 9, 0, nil, []byte("c"))...))),
		encode(t, spec{records: []record{{Offset: 6, Time: 11, Value: []byte("d")}}}),
	}, nil)
	s := testSplicer(t)
	var out []byte
	r := NewReader(set)
	for r.Next() {
		var err error
		if r.Magic() < 2 {
			err = s.OpenMessage(r.Message(), 0, All)
		} else {
			err = s.Open(r.Batch(), 0, All)
		}
		for rest := err == nil; rest; {
			if rest, err = s.Take(); rest {
				out, _, err = s.Finish(out, Stamp{})
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	out, _, err := s.Finish(out, Stamp{})
	if err != nil || r.Err() != nil {
		t.Fatal(err, r.Err())
	}
	var values []string
	// Each batch begins at offset 0, which only a Produce request allows.
	for rest := out; len(rest) > 0; {
		size := 12 + int(binary.BigEndian.Uint32(rest[atLength:]))
		for _, one := range decode(t, rest[:size]) {
			values = append(values, string(one.Value))
		}
		rest = rest[size:]
	}
	if diff := cmp.Diff([]string{"a", "b", "c", "d"}, values); diff != "" {
		t.Error(diff)
	}
}

func TestOldFormatsDamaged(t *testing.T) {
	k, v := []byte("k"), []byte("v")
	inner := encodeV1(0, 5, 0, k, v)
	broken := bytes.Clone(inner)
	broken[len(broken)-1] ^= 1
	cases := map[string]struct {
		set  []byte
		want Fault
	}{
		"inner checksum":    {encodeV1(3, 5, byte(Gzip), nil, compress(t, Gzip, broken)), BadCRC},
		"nested wrapper":    {encodeV1(3, 5, byte(Gzip), nil, compress(t, Gzip, encodeV1(0, 5, byte(Gzip), nil, v))), BadRecords},
		"cut inside":        {encodeV1(3, 5, byte(Gzip), nil, compress(t, Gzip, inner[:len(inner)-1])), BadRecords},
		"empty wrapper":     {encodeV1(3, 5, byte(Gzip), nil, compress(t, Gzip, nil)), BadRecords},
		"null wrapper":      {encodeV1(3, 5, byte(Gzip), nil, nil), BadRecords},
		"not compressed":    {encodeV1(3, 5, byte(Gzip), nil, v), BadCompression},
		"zstd":              {encodeV1(3, 5, byte(Zstd), nil, compress(t, Zstd, inner)), BadHeader},
		"offset below":      {encodeV1(3, 5, byte(Gzip), nil, compress(t, Gzip, encodeV1(4, 5, 0, k, v))), BadRecords},
		"offsets backwards": {encodeV1(3, 5, byte(Gzip), nil, compress(t, Gzip, append(encodeV1(1, 5, 0, k, v), inner...))), BadRecords},
		"value too long":    {legacy(3, 1, 0, []byte{0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 9}, k, v), BadRecords},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r := NewReader(c.set)
			if !r.Next() {
				t.Fatal(r.Err())
			}
			err := testSplicer(t).OpenMessage(r.Message(), 0, All)
			var damage *DamageError
			if c.want == 0 {
				if err != nil {
					t.Error(err)
				}
			} else if !errors.As(err, &damage) || damage.Fault != c.want {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}
