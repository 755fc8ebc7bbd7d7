package batch

import (
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// marker is the key and value of a control record.
func marker(offset, producer int64, kind byte) spec {
	return spec{
		records:  []record{{Offset: offset, Key: []byte{0, 0, 0, kind}, Value: []byte{0, 0, 0, 0, 0, 0}}},
		bits:     controlBit | transBit,
		producer: producer,
	}
}

func transactional(offset, producer int64, n int) spec {
	s := spec{bits: transBit, producer: producer}
	for i := range n {
		s.records = append(s.records, record{Offset: offset + int64(i), Value: []byte("v")})
	}
	return s
}

func plain(offset, producer int64) spec {
	s := transactional(offset, producer, 1)
	s.bits = 0
	return s
}

func TestFilterTellsCommittedFromAborted(t *testing.T) {
	empty := spec{base: 40, lastDelta: 3, bits: transBit, producer: 1}
	steps := []struct {
		batch spec
		want  Kind
	}{
		{transactional(10, 1, 2), Aborted}, // 1 aborts at 20
		{transactional(12, 2, 2), Data},    // 2 commits
		{plain(14, 1), Data},               // not of the transaction, although of its producer
		{transactional(15, 3, 1), Aborted},
		{marker(16, 1, 1), Marker}, // no end of the aborted one
		{transactional(17, 1, 1), Aborted},
		{marker(20, 1, 0), Marker},
		{transactional(21, 1, 1), Data}, // a new transaction of 1, committed
		{transactional(22, 3, 1), Aborted},
		{marker(23, 3, 0), Marker},
		{marker(24, 1, 1), Marker},
		{marker(25, 2, 1), Marker},
		{transactional(30, 1, 1), Aborted}, // and one more, aborted
		{spec{base: 31, bits: controlBit | transBit, producer: 8}, Marker},
		{empty, Empty},
		{transactional(50, 1, 1), Aborted},
	}
	var f Filter
	for range 2 {
		f.Reset([]AbortedTransaction{{3, 15}, {1, 30}, {1, 10}})
		for _, s := range steps {
			b := parse(t, encode(t, s.batch))
			got, err := f.Classify(b)
			if err != nil || got != s.want {
				t.Errorf("offset %d: %s, %v; want %s", b.Offset(), got, err, s.want)
			}
		}
	}
	f.Reset(nil)
	if got, err := f.Classify(parse(t, encode(t, transactional(60, 1, 1)))); got != Data || err != nil {
		t.Errorf("Reset keeps what was before: %s, %v", got, err)
	}
}

// TestFilterLikeAConsumer compares with franz-go reading committed records of
// random logs.
func TestFilterLikeAConsumer(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 1))
	for range 300 {
		var log []byte
		var aborted []AbortedTransaction
		p := kmsg.NewFetchResponseTopicPartition()
		open := map[int64]int64{}
		for offset := int64(0); offset < 60; {
			id := rng.Int64N(4)
			first, inside := open[id]
			switch {
			case inside && rng.IntN(3) == 0:
				kind := byte(rng.IntN(2))
				if kind == 0 {
					aborted = append(aborted, AbortedTransaction{id, first})
				}
				log = append(log, encode(t, marker(offset, id, kind))...)
				delete(open, id)
				offset++
			case !inside && rng.IntN(3) == 0:
				log = append(log, encode(t, plain(offset, 9))...)
				offset++
			default:
				if !inside {
					open[id] = offset
				}
				n := 1 + rng.IntN(3)
				log = append(log, encode(t, transactional(offset, id, n))...)
				offset += int64(n)
			}
		}
		// What is open is behind the last stable offset: not part of an answer.
		end := int64(60)
		for _, first := range open {
			end = min(end, first)
		}
		rng.Shuffle(len(aborted), func(i, j int) { aborted[i], aborted[j] = aborted[j], aborted[i] })
		for _, a := range aborted {
			p.AbortedTransactions = append(p.AbortedTransactions, kmsg.FetchResponseTopicPartitionAbortedTransaction{ProducerID: a.ProducerID, FirstOffset: a.FirstOffset})
		}
		var f Filter
		f.Reset(aborted)
		var got, want []int64
		for r := NewReader(log); r.Next() && r.Batch().Offset() < end; {
			kind, err := f.Classify(r.Batch())
			if err != nil {
				t.Fatal(err)
			}
			if kind == Data {
				for o := r.Batch().Offset(); o <= r.Batch().LastOffset(); o++ {
					got = append(got, o)
				}
			}
			p.RecordBatches = append(p.RecordBatches, r.Batch().Bytes()...)
		}
		fetched, _ := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{IsolationLevel: kgo.ReadCommitted()}, &p, kgo.DefaultDecompressor(), nil)
		if fetched.Err != nil {
			t.Fatal(fetched.Err)
		}
		for _, r := range fetched.Records {
			want = append(want, r.Offset)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	}
}

func TestFilterRefusesOddMarkers(t *testing.T) {
	short := marker(1, 1, 0)
	short.records[0].Key = []byte{0, 0, 0}
	null := marker(1, 1, 0)
	null.records[0].Key = nil
	packed := marker(1, 1, 0)
	packed.codec = LZ4
	for name, s := range map[string]spec{"short key": short, "null key": null, "compressed": packed} {
		var f Filter
		_, err := f.Classify(parse(t, encode(t, s)))
		var damage *DamageError
		if !errors.As(err, &damage) || damage.Fault != BadRecords {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRunsOfHeaders(t *testing.T) {
	s, err := NewSplicer(Limits{Batch: 1 << 20, Unpacked: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	dense, next := transactional(5, 1, 3), transactional(8, 1, 2)
	holed := transactional(20, 1, 6)
	holed.records = append(holed.records[:2:2], holed.records[4], holed.records[5])
	holed.codec, holed.lastDelta = Zstd, 9
	var runs []Run
	for _, one := range []spec{dense, next, holed, {base: 30, lastDelta: 5}} {
		if runs, err = s.AppendRuns(runs, parse(t, encode(t, one))); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]Run{{5, 5}, {20, 2}, {24, 2}}, runs); diff != "" {
		t.Error(diff)
	}
	var unfit *UnfitError
	if _, err := s.AppendRuns(nil, parse(t, encode(t, marker(1, 1, 0)))); !errors.As(err, &unfit) {
		t.Errorf("a marker is taken for a record: %v", err)
	}
}
