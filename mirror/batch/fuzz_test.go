package batch

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math/rand/v2"
	"testing"
)

// repair makes length and checksum of everything in b right, so that the
// fuzzer gets behind them.
func repair(b []byte) {
	for rest := b; len(rest) > atMagic; {
		size := int64(int32(binary.BigEndian.Uint32(rest[atLength:]))) + overhead
		if size < overhead+leastV0 || size > int64(len(rest)) {
			size = int64(len(rest))
			binary.BigEndian.PutUint32(rest[atLength:], uint32(size-overhead))
		}
		if entry := rest[:size]; entry[atMagic] == 2 && size > atAttributes {
			fixCRC(entry)
		} else if entry[atMagic] < 2 {
			binary.BigEndian.PutUint32(entry[overhead:], crc32.ChecksumIEEE(entry[atMagic:]))
		}
		rest = rest[size:]
	}
}

// seeds are one of each kind of entry.
func seeds(t testing.TB) [][]byte {
	rng := rand.New(rand.NewPCG(9, 9))
	var out [][]byte
	for _, codec := range allCodecs() {
		out = append(out, encode(t, spec{records: sample(rng, 3, 4, 20), codec: codec, bits: appendTimeBit, maxTime: 5}))
	}
	k, v := []byte("k"), []byte("v")
	return append(out,
		encode(t, marker(3, 1, 0)),
		encode(t, spec{base: 4, lastDelta: 2, bits: transBit}),
		encode(t, spec{records: []record{{Offset: 3, Key: k}, {Offset: 9, Value: v}}, codec: Snappy}),
		encodeV0(4, 0, k, v),
		encodeV0(5, byte(LZ4), nil, compress(t, LZ4, encodeV0(5, 0, k, nil))),
		encodeV1(6, 5, byte(Gzip)|appendTimeBit, nil, compress(t, Gzip, append(encodeV1(1, 5, 0, k, v), encodeV1(2, 5, 0, k, v)...))),
		encodeV1(6, 5, byte(Snappy), nil, compress(t, Snappy, encodeV1(1, 5, 0, k, v))),
	)
}

// FuzzFetched gives everything in the package a response that may be anything:
// nothing panics, memory stays bounded, and what comes out is a batch that the
// package itself finds sound and dense.
func FuzzFetched(f *testing.F) {
	for _, b := range seeds(f) {
		f.Add(b, int64(0), uint16(500))
		f.Add(append(bytes.Clone(b), b[:len(b)/2]...), int64(4), uint16(70))
	}
	p := NewPatcher()
	f.Fuzz(func(t *testing.T, b []byte, from int64, limit uint16) {
		repair(b)
		s, err := NewSplicer(Limits{Batch: HeaderSize + 1 + int(limit), Unpacked: 1 << 16})
		if err != nil {
			t.Fatal(err)
		}
		var filter Filter
		filter.Reset([]AbortedTransaction{{1, 0}})
		r := NewReader(b)
		for r.Next() {
			var err error
			look := func(rec Record) bool { return rec.Offset%3 != 0 } // an error is an answer, too
			if r.Magic() < 2 {
				_ = s.MessageRecords(r.Message(), from, look)
				err = s.OpenMessage(r.Message(), from, All)
			} else {
				_ = s.Records(r.Batch(), from, look)
				judge(t, p, &filter, r.Batch())
				if _, err := s.AppendRuns(nil, r.Batch()); err == nil && r.Batch().Control() {
					t.Fatal("a marker has runs")
				}
				err = s.Open(r.Batch(), from, All)
			}
			for rest := err == nil; rest; {
				// An error is an answer, too; it comes without a rest.
				if rest, err = s.Take(); rest {
					finishSound(t, s)
				}
				if rest && err != nil {
					t.Fatalf("a rest and an error: %v", err)
				}
			}
		}
		finishSound(t, s)
		if have, need := r.Partial(); have > len(b) || need < 0 || (need > 0 && have >= need) {
			t.Fatalf("partial: %d of %d", have, need)
		}
	})
}

func judge(t *testing.T, p *Patcher, filter *Filter, b Batch) {
	kind, err := filter.Classify(b)
	if err == nil && (kind < Data || kind > Empty) {
		t.Fatal(kind)
	}
	x, y := Batch{bytes.Clone(b.Bytes())}, Batch{bytes.Clone(b.Bytes())}
	stamp := Stamp{ProducerID: 1 << 40, Epoch: 3, Sequence: 9}
	err1, err2 := x.Rewrite(stamp), p.Rewrite(y, stamp)
	if (err1 == nil) != (err2 == nil) || !bytes.Equal(x.Bytes(), y.Bytes()) {
		t.Fatalf("computed %v, patched %v\n%x\n%x", err1, err2, x.Bytes(), y.Bytes())
	}
	if _, err := Parse(x.Bytes()); err != nil {
		t.Fatalf("a rewritten batch is not sound: %v", err)
	}
}

func finishSound(t *testing.T, s *Splicer) {
	n := s.Len()
	out, runs, err := s.Finish(nil, Stamp{ProducerID: 1})
	if err != nil {
		if s.Len() != 1 {
			t.Fatalf("%d records cannot be finished: %v", n, err)
		}
		s.restart() // keeps the opened batch, unlike Reset
		return
	}
	if n == 0 {
		return
	}
	b, err := Parse(out)
	if err != nil || b.Obstacle() != NoObstacle || int(b.Count()) != n || b.Size() > s.limits.Batch {
		t.Fatalf("%v: %d records, %s, %d bytes", err, n, b.Obstacle(), b.Size())
	}
	last, total := int64(-1), int64(0)
	for _, r := range runs {
		if r.Offset <= last || r.Count < 1 {
			t.Fatalf("runs %v", runs)
		}
		last, total = r.End(), total+r.Count
	}
	if total != int64(n) {
		t.Fatalf("%d records in runs %v", n, runs)
	}
}

// FuzzUnpack gives each codec bytes that may be anything, and lets it read back
// what it packs.
func FuzzUnpack(f *testing.F) {
	for _, codec := range allCodecs()[1:] {
		f.Add(uint8(codec), compress(f, codec, []byte("some text, some text, some text")))
		var c codecs
		own, err := c.pack(nil, codec, []byte("some text, some text, some text"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(codec), own)
	}
	const limit = 1 << 16
	f.Fuzz(func(t *testing.T, n uint8, b []byte) {
		var c codecs
		codec := Gzip + Codec(n%4)
		out, err := c.unpack(nil, codec, b, limit)
		if len(out) > limit || cap(out) > 4*limit {
			t.Fatalf("%s: %d bytes, room for %d, limit %d", codec, len(out), cap(out), limit)
		}
		if err == nil {
			b = out
		}
		packed, err := c.pack(nil, codec, b)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := c.unpack(nil, codec, packed, len(b)); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%s: %v", codec, err)
		}
	})
}
