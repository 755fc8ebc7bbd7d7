package batch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pierrec/lz4/v4"
)

// splice carries batches through s, and gives what the target holds and where
// on the source it was.
func splice(t testing.TB, s *Splicer, batches []Batch, from, end int64) (outs []Batch, offsets []int64) {
	t.Helper()
	finish := func() {
		out, runs, err := s.Finish(nil, Stamp{ProducerID: 4, Sequence: int32(len(offsets))})
		if err != nil {
			t.Fatal(err)
		}
		n := len(offsets)
		for _, run := range runs {
			for i := range run.Count {
				offsets = append(offsets, run.Offset+i)
			}
		}
		b := parse(t, out)
		if int(b.Count()) != len(offsets)-n || b.Sequence() != int32(n) || b.Obstacle() != NoObstacle || b.Size() > s.limits.Batch {
			t.Fatalf("a batch of %d bytes, count %d for %d offsets, sequence %d, %s", b.Size(), b.Count(), len(offsets)-n, b.Sequence(), b.Obstacle())
		}
		outs = append(outs, b)
	}
	for _, b := range batches {
		if err := s.Open(b, from, end); err != nil {
			t.Fatal(err)
		}
		for {
			rest, err := s.Take()
			if err != nil {
				t.Fatal(err)
			}
			if !rest {
				break
			}
			finish()
		}
	}
	if s.Len() > 0 {
		finish()
	}
	return outs, offsets
}

// TestSpliceAgainstTheWitness merges, slices, splits and renumbers random logs
// and compares what franz-go reads with the records that went in.
func TestSpliceAgainstTheWitness(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 1))
	for round := range 90 {
		limit := []int{400, 5000, 1 << 20}[round%3]
		s, err := NewSplicer(Limits{Batch: limit, Unpacked: 8 << 20})
		if err != nil {
			t.Fatal(err)
		}
		checkRound(t, s, rng, round, limit)
	}
}

func checkRound(t *testing.T, s *Splicer, rng *rand.Rand, round, limit int) {
	var batches []Batch
	var want []record
	offset := rng.Int64N(1 << 40)
	from := offset + rng.Int64N(10)
	end := from + rng.Int64N(300)
	if round%2 == 0 {
		end = All
	}
	codec := Codec(round % 5)
	for range 1 + rng.IntN(8) {
		if rng.IntN(6) == 0 {
			codec = Codec(rng.IntN(5))
		}
		one := spec{codec: codec, base: offset, baseTime: 1_700_000_000_000, lastDelta: int32(rng.IntN(3))}
		one.records = sample(rng, offset, rng.IntN(40), min(limit/8, 2000))
		if rng.IntN(3) == 0 {
			one.bits, one.maxTime = appendTimeBit, 1_800_000_000_000+rng.Int64N(1000)
		}
		if rng.IntN(3) == 0 { // compaction
			kept := one.records[:0:0]
			for _, r := range one.records {
				if rng.IntN(3) > 0 {
					kept = append(kept, r)
				}
			}
			one.lastDelta, one.records = int32(len(one.records)), kept
		}
		b := parse(t, encode(t, one))
		batches, offset = append(batches, b), b.NextOffset()+rng.Int64N(3)
		for _, r := range one.records {
			if one.bits&appendTimeBit != 0 {
				r.Time = one.maxTime
			}
			if r.Offset >= from && r.Offset < end {
				want = append(want, r)
			}
		}
	}
	outs, offsets := splice(t, s, batches, from, end)
	var got []record
	for _, b := range outs {
		for i, r := range decode(t, b.Bytes()) {
			if r.Offset != int64(i) {
				t.Fatalf("round %d: record %d of a batch has the offset %d", round, i, r.Offset)
			}
			r.Offset = offsets[len(got)]
			got = append(got, r)
		}
	}
	if diff := cmp.Diff(want, got, exactly()); diff != "" {
		t.Fatalf("round %d: %s", round, diff)
	}
	if limit == 1<<20 && len(outs) > len(batches) {
		t.Errorf("round %d: %d batches became %d", round, len(batches), len(outs))
	}
}

func TestSpliceMerges(t *testing.T) {
	for _, codec := range allCodecs() {
		rng := rand.New(rand.NewPCG(3, 2))
		var batches []Batch
		for i := range 20 {
			batches = append(batches, parse(t, encode(t, spec{records: sample(rng, int64(i*5), 5, 100), codec: codec})))
		}
		s := testSplicer(t)
		if outs, offsets := splice(t, s, batches, 0, All); len(outs) != 1 || len(offsets) != 100 || outs[0].Codec() != codec {
			t.Errorf("%s: %d batches, %d records", codec, len(outs), len(offsets))
		}
	}
}

// TestSpliceKeepsCodecsApart: what goes out has one codec, and each record the
// one that its producer chose.
func TestSpliceKeepsCodecsApart(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 6))
	var batches []Batch
	var want []Codec
	for i, codec := range []Codec{LZ4, LZ4, None, Zstd, Zstd, LZ4} {
		batches = append(batches, parse(t, encode(t, spec{records: sample(rng, int64(i*5), 5, 100), codec: codec})))
		if len(want) == 0 || want[len(want)-1] != codec {
			want = append(want, codec)
		}
	}
	outs, _ := splice(t, testSplicer(t), batches, 0, All)
	var got []Codec
	for _, b := range outs {
		got = append(got, b.Codec())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestSpliceTellsTimes(t *testing.T) {
	batches := []Batch{
		parse(t, encode(t, spec{records: []record{{Offset: 1, Time: 500}, {Offset: 2, Time: 900}, {Offset: 3, Time: 100}}, baseTime: 7})),
		parse(t, encode(t, spec{records: []record{{Offset: 4, Time: 3}, {Offset: 5, Time: 4}}, bits: appendTimeBit, maxTime: 700})),
	}
	outs, _ := splice(t, testSplicer(t), batches, 0, All)
	if len(outs) != 1 || outs[0].BaseTimestamp() != 500 || outs[0].MaxTimestamp() != 900 {
		t.Errorf("%d batches, times from %d to %d", len(outs), outs[0].BaseTimestamp(), outs[0].MaxTimestamp())
	}
}

// TestSpliceKeepsTheLimitWithNoise: bytes that cannot be compressed grow when
// they are packed, and the batch must fit all the same.
func TestSpliceKeepsTheLimitWithNoise(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	noise := make([]byte, 300<<10)
	for i := range noise {
		noise[i] = byte(rng.Uint32())
	}
	for _, codec := range allCodecs() {
		for _, limit := range []int{2000, 70_000, 1_048_588} {
			var batches []Batch
			for i := range 6 {
				one := spec{codec: codec}
				for j := range 300 {
					one.records = append(one.records, record{Offset: int64(300*i + j), Value: noise[1000*j : 1000*(j+1)]})
				}
				batches = append(batches, parse(t, encode(t, one)))
			}
			s, err := NewSplicer(Limits{Batch: limit, Unpacked: 8 << 20})
			if err != nil {
				t.Fatal(err)
			}
			if _, offsets := splice(t, s, batches, 0, All); len(offsets) != 1800 {
				t.Errorf("%s in %d bytes: %d records", codec, limit, len(offsets))
			}
		}
	}
}

func TestSpliceLimits(t *testing.T) {
	for _, codec := range allCodecs()[1:] {
		// A bomb: a megabyte of zeros takes almost nothing.
		bomb := parse(t, encode(t, spec{records: []record{{Offset: 9, Value: make([]byte, 1<<20)}}, codec: codec}))
		s, err := NewSplicer(Limits{Batch: 1 << 16, Unpacked: 1<<20 - 1})
		if err != nil {
			t.Fatal(err)
		}
		var large *TooLargeError
		if err := s.Open(bomb, 0, All); !errors.As(err, &large) || large.Offset != 9 || large.Limit != 1<<20-1 {
			t.Errorf("%s: %v", codec, err)
		}
		if got := cap(s.loose); got > 5<<20 {
			t.Errorf("%s: %d bytes were taken for a limit of 1 MiB", codec, got)
		}
		if rest, err := s.Take(); rest || err != nil || s.Len() != 0 {
			t.Errorf("%s: something is open: %v %v", codec, rest, err)
		}
	}
	s := testSplicer(t)
	if err := s.Open(parse(t, encode(t, spec{records: []record{{Offset: 3, Value: make([]byte, 1<<20)}, {Offset: 4}}})), 0, All); err != nil {
		t.Fatal(err)
	}
	if rest, err := s.Take(); !rest || err != nil {
		t.Fatal(rest, err)
	}
	var large *TooLargeError
	if out, _, err := s.Finish([]byte("x"), Stamp{}); !errors.As(err, &large) || large.Offset != 3 || string(out) != "x" {
		t.Errorf("%v", err)
	}
	for _, l := range []Limits{{}, {HeaderSize, 1}, {1 << 20, 0}, {1 << 32, 1}, {1 << 20, 1 << 31}} {
		if _, err := NewSplicer(l); err == nil {
			t.Errorf("%+v is taken", l)
		}
	}
}

func TestSpliceNamesDamage(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	records := sample(rng, 5, 4, 20)
	count := func(b []byte, n byte) []byte { b[atCount+3] = n; fixCRC(b); return b }
	swapped := []record{records[1], records[0], records[2], records[3]}
	cases := map[string]struct {
		b    []byte
		want Fault
	}{
		"fewer than it says":  {count(encode(t, spec{records: records[:3], lastDelta: 3}), 4), BadRecords},
		"more than it says":   {count(encode(t, spec{records: records}), 3), BadRecords},
		"offsets backwards":   {encode(t, spec{records: swapped, base: 5}), BadRecords},
		"not compressed":      {func() []byte { b := encode(t, spec{records: records}); b[atAttributes+1] = 1; fixCRC(b); return b }(), BadCompression},
		"deltas beyond":       {func() []byte { b := encode(t, spec{records: records}); b[atLastDelta+3] = 2; return count(b, 3) }(), BadRecords},
		"a record of nothing": {func() []byte { b := encode(t, spec{records: records[:1]}); b[HeaderSize] = 0; fixCRC(b); return b }(), BadRecords},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s := testSplicer(t)
			err := s.Open(parse(t, c.b), 0, All)
			if err == nil {
				_, err = s.Take()
			}
			var damage *DamageError
			if c.want == 0 {
				if err != nil {
					t.Error(err)
				}
			} else if !errors.As(err, &damage) || damage.Fault != c.want || damage.Offset != 5 {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
	var unfit *UnfitError
	if err := testSplicer(t).Open(parse(t, encode(t, marker(1, 1, 0))), 0, All); !errors.As(err, &unfit) {
		t.Errorf("a marker is spliced: %v", err)
	}
}

// TestCodecs packs and unpacks sizes around the blocks' borders, and reads what
// others packed and lets others read it.
func TestCodecs(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 5))
	var c codecs
	for _, codec := range allCodecs()[1:] {
		for _, size := range []int{0, 1, 2, 15, xerialBlock - 1, xerialBlock, xerialBlock + 1, lz4Block, lz4Block + 1, 300_000} {
			for _, noisy := range []bool{true, false} {
				src := bytes.Repeat([]byte("abcdefg"), size/7+1)[:size]
				if noisy {
					for i := range src {
						src[i] = byte(rng.Uint32())
					}
				}
				name := fmt.Sprintf("%s, %d bytes, noisy %v", codec, size, noisy)
				packed, err := c.pack([]byte("before"), codec, src)
				if err != nil || string(packed[:6]) != "before" {
					t.Fatalf("%s: %v", name, err)
				}
				for who, packed := range map[string][]byte{"own": packed[6:], "franz-go's": compress(t, codec, src)} {
					got, err := c.unpack([]byte("at"), codec, packed, size)
					if err != nil || string(got[:2]) != "at" || !bytes.Equal(got[2:], src) {
						t.Errorf("%s, %s: %d bytes, %v", name, who, len(got)-2, err)
					}
					if size > 0 {
						if _, err := c.unpack(nil, codec, packed, size-1); !errors.Is(err, errTooLong) {
							t.Errorf("%s, %s: one byte less room: %v", name, who, err)
						}
					}
				}
			}
		}
	}
}

func TestSnappyOnlyClaims(t *testing.T) {
	block := append(binary.AppendUvarint(nil, 1<<30), 0, 'x')
	got, err := unsnappy(nil, block, 1<<30)
	if !errors.Is(err, errSnappySize) || cap(got) > 1000 {
		t.Errorf("room for %d bytes, %v", cap(got), err)
	}
	for _, cut := range []string{xerialHeader + "\x00\x00", xerialHeader + "\x00\x00\x00\x09x", xerialHeader + "\xff\xff\xff\xff"} {
		if _, err := unsnappy(nil, []byte(cut), 1<<20); !errors.Is(err, errXerial) {
			t.Errorf("%q: %v", cut, err)
		}
	}
}

// TestFramesOfLZ4 reads every kind of frame that Kafka reads, and no other.
func TestFramesOfLZ4(t *testing.T) {
	text := bytes.Repeat([]byte("some text "), 10_000)
	for name, options := range map[string][]lz4.Option{
		"small blocks":   {lz4.BlockSizeOption(lz4.Block64Kb)},
		"large blocks":   {lz4.BlockSizeOption(lz4.Block4Mb)},
		"content size":   {lz4.SizeOption(uint64(len(text)))},
		"block checksum": {lz4.BlockChecksumOption(true), lz4.ChecksumOption(true)},
		"no checksum":    {lz4.ChecksumOption(false)},
	} {
		var frame bytes.Buffer
		w := lz4.NewWriter(&frame)
		if err := errors.Join(w.Apply(options...), func() error { _, err := w.Write(text); return err }(), w.Close()); err != nil {
			t.Fatal(err)
		}
		if got, err := unlz4(nil, frame.Bytes(), len(text)); err != nil || !bytes.Equal(got, text) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
	own, err := new(codecs).pack(nil, LZ4, text)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(lz4.NewReader(bytes.NewReader(own))); err != nil || !bytes.Equal(got, text) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	for n := 0; n < len(own)-1; n += 7 {
		if _, err := unlz4(nil, own[:n], len(text)); err == nil {
			t.Fatalf("%d of %d bytes are taken for a frame", n, len(own))
		}
	}
	for name, flags := range map[string]byte{"dependent blocks": 0x40, "version 2": 0xa0, "a dictionary": 0x61} {
		odd := bytes.Clone(own)
		odd[4] = flags
		if _, err := unlz4(nil, odd, len(text)); !errors.Is(err, errLZ4Kind) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
