package kafka

import (
	"bytes"
	"testing"

	"kplan/mirror/batch"
	"kplan/mirror/wire"
)

const transactional, control = 1 << 4, 1 << 5

func seen(t *testing.T, f wire.Fetched, from int64) page {
	t.Helper()
	splicer, err := batch.NewSplicer(batch.Limits{Batch: 1 << 20, Unpacked: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	return visible(f, from, splicer)
}

// Compaction leaves batches with holes, and batches without records that keep
// their place: neither is a record, and the look goes on behind them (R7).
func TestVisibleAcrossCompactionHoles(t *testing.T) {
	emptied := BatchBytes(20, 9, 5, 0)
	f := wire.Fetched{LastStable: 40, Records: bytes.Join([][]byte{BatchBytes(10, 5, 5, 0, 0, 5), emptied, BatchBytes(35, 0, 5, 0, 0)}, nil)}
	for from, want := range map[int64]int64{10: 10, 11: 15, 15: 15, 16: 35, 25: 35, 35: 35} {
		if got := seen(t, f, from); got.first == nil || got.first.Offset != want || got.first.ProducerID != 5 || !got.first.HasKey || got.first.Unread != "" {
			t.Errorf("from %d: %+v, want offset %d", from, got.first, want)
		}
	}
	if got := seen(t, f, 36); got.first != nil || got.next != 36 || got.nothing {
		t.Errorf("behind all: %+v", got)
	}
	if got := seen(t, wire.Fetched{Records: emptied}, 20); got.first != nil || got.next != 30 {
		t.Errorf("an emptied batch: %+v, next %d, want 30", got.first, got.next)
	}
	cut := BatchBytes(20, 0, 5, 0, 0)
	if got := seen(t, wire.Fetched{Records: cut[:len(cut)-1]}, 20); got.first != nil || got.next != 20 || got.nothing {
		t.Errorf("a batch that was cut off: %+v: it has to be fetched again", got)
	}
	if got := seen(t, wire.Fetched{LastStable: 20}, 20); !got.nothing || got.next != 20 {
		t.Errorf("an empty answer: %+v", got)
	}
}

// What is aborted is no record, and what follows its marker is one.
func TestVisibleLeavesOutWhatWasAborted(t *testing.T) {
	marker := BatchBytes(12, 0, 7, transactional|control, 0)
	f := wire.Fetched{LastStable: 20, Aborted: []wire.Aborted{{ProducerID: 7, FirstOffset: 10}}, Records: bytes.Join([][]byte{
		BatchBytes(10, 0, 7, transactional, 0), BatchBytes(11, 0, 8, transactional, 0), marker, BatchBytes(13, 0, 7, transactional, 0),
	}, nil)}
	if got := seen(t, f, 10); got.first == nil || got.first.Offset != 11 {
		t.Errorf("%+v, want offset 11 of the other producer", got.first)
	}
}

// What cannot be read counts as a record: nothing says that it is none.
func TestVisibleCountsWhatCannotBeRead(t *testing.T) {
	damaged := BatchBytes(11, 2, 5, 0, 0, 1, 2)
	damaged[len(damaged)-1] ^= 1
	torn := BatchBytes(11, 2, 5, 1, 0, 1, 2) // says gzip, and is not
	message := MessageBytes(13, 1, nil, []byte("no gzip"))
	for what, bad := range map[string][]byte{"a checksum": damaged, "packed records": torn, "a wrapper": message} {
		whole := append(BatchBytes(10, 0, 5, 0, 0), bad...)
		got := seen(t, wire.Fetched{LastStable: 20, Records: whole}, 11)
		if got.first == nil || got.first.Offset != 11 || got.first.Unread == "" {
			t.Errorf("%s: %+v", what, got.first)
		}
		if got := seen(t, wire.Fetched{LastStable: 20, Records: whole}, 10); got.first == nil || got.first.Offset != 10 || got.first.Unread != "" {
			t.Errorf("%s, and a record before it: %+v", what, got.first)
		}
	}
}

// Format 0 with the frames of old LZ4 clients is what the client library cannot
// read (KAFKA-3160).
func TestVisibleReadsOldFormats(t *testing.T) {
	inner := append(MessageBytes(3, 0, []byte("k"), []byte("v")), MessageBytes(5, 0, nil, []byte("v"))...)
	wrapper := MessageBytes(5, 3, nil, OldLZ4Bytes(inner))
	for from, want := range map[int64]struct {
		offset int64
		keyed  bool
	}{0: {3, true}, 3: {3, true}, 4: {5, false}, 5: {5, false}} {
		got := seen(t, wire.Fetched{LastStable: 6, Records: wrapper}, from)
		if got.first == nil || got.first.Offset != want.offset || got.first.HasKey != want.keyed || got.first.ProducerID != -1 || got.first.Unread != "" {
			t.Errorf("from %d: %+v, want %+v", from, got.first, want)
		}
	}
	if got := seen(t, wire.Fetched{LastStable: 6, Records: wrapper}, 6); got.first != nil {
		t.Errorf("behind it: %+v", got.first)
	}
}
