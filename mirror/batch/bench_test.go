package batch

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// benchBatch is JSON-like values of that size with an 8-byte key, as
// docs/benchmarks.md uses them.
func benchBatch(b *testing.B, codec Codec, value, bytes int) []byte {
	rng := rand.New(rand.NewPCG(5, 5))
	var s spec
	s.codec, s.baseTime = codec, 1_700_000_000_000
	for i := range max(1, bytes/(value+20)) {
		text := ""
		for len(text) < value {
			text += fmt.Sprintf(`{"id":%d,"amount":%d,"state":"open"},`, rng.IntN(1_000_000), rng.IntN(1000))
		}
		s.records = append(s.records, record{Offset: int64(i), Time: s.baseTime + int64(i), Key: fmt.Append(nil, 10_000_000+i), Value: []byte(text[:value])})
	}
	return encode(b, s)
}

var sizes = []int{1 << 10, 16 << 10, 256 << 10}

func BenchmarkRewrite(b *testing.B) {
	p := NewPatcher()
	for _, size := range sizes {
		whole := benchBatch(b, None, 1000, size)
		for name, rewrite := range map[string]func(Batch, Stamp) error{"computed": Batch.Rewrite, "patched": p.Rewrite} {
			b.Run(fmt.Sprintf("%s/%dK", name, size>>10), func(b *testing.B) {
				one := parse(b, whole)
				b.SetBytes(int64(len(whole)))
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					if err := rewrite(one, Stamp{ProducerID: 7, Sequence: int32(i)}); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkRead(b *testing.B) {
	for _, size := range sizes {
		whole := benchBatch(b, None, 1000, size)
		for _, check := range []bool{true, false} {
			b.Run(fmt.Sprintf("%dK/checked=%v", size>>10, check), func(b *testing.B) {
				b.SetBytes(int64(len(whole)))
				b.ReportAllocs()
				for b.Loop() {
					r := NewReader(whole)
					r.check = check
					if !r.Next() {
						b.Fatal(r.Err())
					}
				}
			})
		}
	}
}

// BenchmarkSplice merges batches into ones of 512 KB; MB/s are of records, as
// they are unpacked.
func BenchmarkSplice(b *testing.B) {
	for _, codec := range allCodecs() {
		for _, value := range []int{100, 1000} {
			b.Run(fmt.Sprintf("%s/%dB in 4K", codec, value), func(b *testing.B) {
				benchSplice(b, codec, value, 4<<10)
			})
		}
	}
	b.Run("none/100B in 256K", func(b *testing.B) { benchSplice(b, None, 100, 256<<10) })
}

func benchSplice(b *testing.B, codec Codec, value, size int) {
	one := parse(b, benchBatch(b, codec, value, size))
	unpacked := len(benchBatch(b, None, value, size)) - HeaderSize
	s, err := NewSplicer(Limits{Batch: 512 << 10, Unpacked: 8 << 20})
	if err != nil {
		b.Fatal(err)
	}
	out := make([]byte, 0, 1<<20)
	rest := false
	b.SetBytes(int64(unpacked))
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Open(one, 0, All); err != nil {
			b.Fatal(err)
		}
		for {
			if rest, err = s.Take(); err != nil {
				b.Fatal(err)
			}
			if !rest {
				break
			}
			if out, _, err = s.Finish(out[:0], Stamp{}); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(one.Count())*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mrecords/s")
}
