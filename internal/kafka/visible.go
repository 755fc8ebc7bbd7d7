package kafka

import (
	"errors"

	"kplan/internal/cluster"
	"kplan/mirror/batch"
	"kplan/mirror/wire"
)

// page is what one fetch showed of a partition.
type page struct {
	first      *cluster.Record // the first visible data record at or after the offset
	next       int64           // where to go on
	nothing    bool            // there was not a byte
	lastStable int64
}

// visible applies read_committed to what was fetched: the broker sends aborted
// records along and lists whose they are. What cannot be read counts as a
// record.
func visible(f wire.Fetched, from int64, splicer *batch.Splicer) page {
	out := page{next: from, lastStable: f.LastStable, nothing: len(f.Records) == 0}
	aborted := make([]batch.AbortedTransaction, 0, len(f.Aborted))
	for _, a := range f.Aborted {
		aborted = append(aborted, batch.AbortedTransaction(a))
	}
	var filter batch.Filter
	filter.Reset(aborted)
	r := batch.NewReader(f.Records)
	for r.Next() {
		var rec *cluster.Record
		var end int64
		if r.Magic() < 2 {
			rec, end = firstOfMessage(r.Message(), from, splicer), r.Message().Offset()+1
		} else {
			rec, end = firstOfBatch(r.Batch(), from, &filter, splicer), r.Batch().NextOffset()
		}
		if rec != nil {
			out.first = rec
			return out
		}
		out.next = max(out.next, end)
	}
	var damage *batch.DamageError
	if errors.As(r.Err(), &damage) {
		out.first = unread(max(from, damage.Offset), -1, damage)
	}
	return out
}

func firstOfBatch(b batch.Batch, from int64, filter *batch.Filter, splicer *batch.Splicer) *cluster.Record {
	kind, err := filter.Classify(b)
	switch {
	case b.LastOffset() < from:
		return nil
	case err != nil: // behind it committed and aborted cannot be told apart
		return unread(max(from, b.Offset()), b.ProducerID(), err)
	case kind != batch.Data:
		return nil
	}
	var found *cluster.Record
	err = splicer.Records(b, from, func(r batch.Record) bool {
		found = &cluster.Record{Offset: r.Offset, ProducerID: b.ProducerID(), HasKey: r.Key != nil}
		return false
	})
	if err != nil {
		return unread(max(from, b.Offset()), b.ProducerID(), err)
	}
	return found
}

// firstOfMessage is for formats 0 and 1, where the offset of a wrapper is that
// of the last record in it.
func firstOfMessage(m batch.Message, from int64, splicer *batch.Splicer) *cluster.Record {
	if m.Offset() < from && m.Offset() > 0 { // at 0 it may be as librdkafka produced it
		return nil
	}
	var found *cluster.Record
	err := splicer.MessageRecords(m, from, func(r batch.Record) bool {
		found = &cluster.Record{Offset: r.Offset, ProducerID: -1, HasKey: r.Key != nil}
		return false
	})
	if err != nil {
		return unread(from, -1, err)
	}
	return found
}

func unread(offset, producer int64, err error) *cluster.Record {
	return &cluster.Record{Offset: offset, ProducerID: producer, Unread: err.Error()}
}
