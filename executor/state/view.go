package state

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// view is what one process has understood of a log up to an offset. It is a
// fold: every reader that has read as far has the same, but for the times.
type view struct {
	where string
	next  int64 // the first offset that is not in it

	epoch  int64   // of the last valid claim
	mark   string  // of that claim
	holder *Holder // nil: unlocked by hand
	by     *Holder // who unlocked
	top    int64   // the highest epoch that a record carries

	terms   map[int64]*term // holders that may still be at work, by epoch
	records []Record
	inbox   map[string]*letter
	order   []string // ids of the inbox, oldest first
}

// term is the time of one holder, as this process sees it.
type term struct {
	holder Holder
	mark   string        // of its claim
	beats  int           // heartbeats seen
	seen   time.Duration // when the last sign of life was seen here
}

// letter is a request with what became of it.
type letter struct {
	request   Request
	asked     string   // the mark of who left it
	withdrawn string   // the mark of who withdrew it
	taken     bool     // withdrawn and taken exclude each other: the first in the log counts
	keys      []string // its entries, for the tombstones; requests first
}

func newView(where string) *view {
	return &view{where: where, terms: map[int64]*term{}, inbox: map[string]*letter{}}
}

// apply folds one entry, seen at the time now.
func (v *view) apply(offset int64, key string, value []byte, now time.Duration) error {
	if offset < v.next {
		return nil // a batch is delivered whole, from its beginning
	}
	if value == nil {
		v.forget(key)
		v.next = offset + 1
		return nil
	}
	n, err := decodeNote(value)
	if err == nil {
		err = v.fold(n, key, now)
	}
	if err != nil {
		return damaged(fmt.Sprintf("%s, offset %d", v.where, offset), 0, err)
	}
	v.next = offset + 1
	return nil
}

func (v *view) fold(n note, key string, now time.Duration) error {
	switch n.Kind {
	case kindClaim:
		v.claim(n, now)
	case kindBeat:
		if t := v.terms[n.Epoch]; t != nil {
			t.beats, t.seen, t.holder.Beat = t.beats+1, now, n.At
		}
		v.seat(n)
	case kindGone:
		if t := v.terms[n.Epoch]; t != nil && t.mark == n.Mark {
			delete(v.terms, n.Epoch)
		}
		v.seat(n)
	case kindRecord:
		return v.record(n)
	case kindRequest, kindWithdrawn, kindTaken:
		v.letter(n, key)
	default:
		return fmt.Errorf("it is of the kind %q, which this kplan does not know", n.Kind)
	}
	return nil
}

// claim lets the first of those that follow the same epoch win.
func (v *view) claim(n note, now time.Duration) {
	if n.After != v.epoch || n.Epoch <= v.epoch {
		return
	}
	v.epoch, v.mark, v.holder, v.by = n.Epoch, n.Mark, n.Holder, n.By
	if n.Holder != nil {
		h := *n.Holder
		h.Epoch = n.Epoch
		v.holder = &h
		v.terms[n.Epoch] = &term{holder: h, mark: n.Mark, seen: now}
	}
}

// seat ends the terms of all before a holder that has waited them out.
func (v *view) seat(n note) {
	if !n.Seated {
		return
	}
	for epoch := range v.terms {
		if epoch < n.Epoch {
			delete(v.terms, epoch)
		}
	}
}

// record takes a record of the journal. That of a holder whose time was over is
// void; one that is there already was sent twice.
func (v *view) record(n note) error {
	if n.Epoch != v.epoch {
		return nil
	}
	r, err := decodeRecord(n.Record)
	if err != nil {
		return err
	}
	last := int64(len(v.records))
	if r.Seq > last+1 {
		return fmt.Errorf("record number %d stands where %d is expected", r.Seq, last+1)
	}
	if r.Seq == last+1 {
		v.records = append(v.records, r)
		v.top = max(v.top, r.Epoch)
	}
	return nil
}

func (v *view) letter(n note, key string) {
	l := v.inbox[n.ID]
	switch {
	case n.Kind == kindRequest && n.Request == nil || n.Kind != kindRequest && l == nil:
		return // what became of a request that is cleared
	case n.Kind == kindRequest && l == nil:
		v.inbox[n.ID] = &letter{request: *n.Request, asked: n.Mark, keys: []string{key}}
		v.order = append(v.order, n.ID)
		return
	case n.Kind == kindRequest:
		l.keys = slices.Insert(l.keys, 0, key)
		if l.withdrawn != "" && l.asked != n.Mark { // left again, not only sent twice
			l.request, l.asked, l.withdrawn = *n.Request, n.Mark, ""
		}
		return
	case n.Kind == kindWithdrawn && !l.taken && l.withdrawn == "":
		l.withdrawn = n.Mark
	case n.Kind == kindTaken && n.Epoch == v.epoch && l.withdrawn == "":
		l.taken = true
	}
	l.keys = append(l.keys, key)
}

// forget follows a tombstone. A request is gone with its last entry.
func (v *view) forget(key string) {
	id, ok := inboxID(key)
	l := v.inbox[id]
	if !ok || l == nil {
		return
	}
	l.keys = slices.DeleteFunc(l.keys, func(k string) bool { return k == key })
	asked := inboxKey(id) + string(kindRequest) + "/"
	if !slices.ContainsFunc(l.keys, func(k string) bool { return strings.HasPrefix(k, asked) }) {
		delete(v.inbox, id)
		v.order = slices.DeleteFunc(v.order, func(other string) bool { return other == id })
	}
}

// current is the term of the holder; nil: nobody holds the lock.
func (v *view) current() *term {
	if v.holder == nil {
		return nil
	}
	return v.terms[v.epoch]
}

// requests returns the letters that are not withdrawn.
func (v *view) requests() []Request {
	var out []Request
	for _, id := range v.order {
		if l := v.inbox[id]; l.withdrawn == "" {
			r := l.request
			r.ID, r.Taken = id, l.taken
			out = append(out, r)
		}
	}
	return out
}
