package kafka

import (
	"testing"

	"github.com/IBM/sarama"
)

// Compaction leaves batches with holes, and batches without records that keep
// their place: neither is a record, and the look goes on behind them (R7).
func TestVisibleAcrossCompactionHoles(t *testing.T) {
	batch := func(first int64, last int32, deltas ...int64) *sarama.Records {
		b := &sarama.RecordBatch{FirstOffset: first, LastOffsetDelta: last, ProducerID: 5}
		for _, d := range deltas {
			b.Records = append(b.Records, &sarama.Record{OffsetDelta: d, Key: []byte("k")})
		}
		return &sarama.Records{RecordBatch: b}
	}
	block := &sarama.FetchResponseBlock{LastStableOffset: 40, RecordsSet: []*sarama.Records{batch(10, 5, 0, 5), batch(20, 9), batch(35, 0, 0)}}
	for from, want := range map[int64]int64{10: 10, 11: 15, 15: 15, 16: 35, 25: 35, 35: 35} {
		if got := visible(block, from); got.first == nil || got.first.Offset != want || got.first.ProducerID != 5 {
			t.Errorf("from %d: %+v, want offset %d", from, got.first, want)
		}
	}
	if got := visible(block, 36); got.first != nil || got.next != 36 {
		t.Errorf("behind all: %+v", got)
	}
	block.RecordsSet = block.RecordsSet[1:2]
	if got := visible(block, 20); got.first != nil || got.next != 30 {
		t.Errorf("an emptied batch: %+v, next %d, want 30", got.first, got.next)
	}
	block.RecordsSet = []*sarama.Records{{RecordBatch: &sarama.RecordBatch{FirstOffset: 20, LastOffsetDelta: 9, PartialTrailingRecord: true}}}
	if got := visible(block, 20); got.first != nil || got.next != 20 {
		t.Errorf("a batch that was cut off: %+v, next %d: it has to be fetched again", got.first, got.next)
	}
}
