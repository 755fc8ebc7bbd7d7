package worker_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// text is a record as the judge compares it, its time aside.
func text(r *kgo.Record) string {
	value := "null"
	if r.Value != nil {
		value = strconv.Quote(string(r.Value))
	}
	s := string(r.Key) + "=" + value
	for _, h := range r.Headers {
		s += fmt.Sprintf(" %s:%q", h.Key, h.Value)
	}
	return s
}

// mostFailures are writes in a row that may fail before a play gives up.
const mostFailures = 10

// everywhere is no partition: what is written goes to all of them, in transactions
// together.
const everywhere = -1

// write puts n records on the source, in transactions where it has some.
func (p *play) write(n int) {
	for failures := 0; n > 0 && failures < mostFailures; {
		cl, err := p.writer(everywhere)
		for err == nil && n > 0 {
			var wrote int
			if wrote, err = p.writeSome(p.Context(), cl, n, everywhere); err == nil {
				n, failures = n-wrote, 0
			}
		}
		p.unwritten(cl, err, &failures)
	}
}

// load writes to each partition until ctx ends: one that has no leader holds up no
// other.
func (p *play) load(ctx context.Context) {
	var all sync.WaitGroup
	for _, id := range p.ids {
		all.Go(func() { p.loadOne(ctx, id.Number) })
	}
	all.Wait()
}

func (p *play) loadOne(ctx context.Context, number int32) {
	for failures := 0; ctx.Err() == nil && failures < mostFailures; {
		cl, err := p.writer(number)
		for err == nil && ctx.Err() == nil {
			if _, err = p.writeSome(context.WithoutCancel(ctx), cl, 7, number); err == nil {
				failures = 0
				<-time.After(p.pause)
			}
		}
		p.unwritten(cl, err, &failures)
	}
}

// unwritten closes a writer, after a failure of which nobody knows what it has
// left in the log: the next one of the same transactional id settles that.
func (p *play) unwritten(cl *kgo.Client, err error, failures *int) {
	if cl != nil {
		cl.Close()
	}
	if err == nil {
		return
	}
	*failures++
	p.mu.Lock()
	p.unsure++
	p.mu.Unlock()
	p.Logf("%s: writing to the source: %v", p.name, err)
	if *failures == mostFailures {
		p.wrong("writing to the source fails again and again: %v", err)
	}
}

func (p *play) writer(number int32) (*kgo.Client, error) {
	var more []kgo.Opt
	if p.transactional {
		more = append(more, kgo.TransactionalID(fmt.Sprintf("producer of %s[%d]", p.topic, number)), kgo.TransactionTimeout(time.Minute))
	}
	return p.client(p.source, more...)
}

// writeSome writes a few; what was written is in the log, and noted, when it
// returns.
func (p *play) writeSome(ctx context.Context, cl *kgo.Client, most int, number int32) (int, error) {
	records, commit := p.some(most, number)
	if p.transactional {
		if err := cl.BeginTransaction(); err != nil {
			return 0, err
		}
	}
	results := cl.ProduceSync(ctx, records...)
	err := results.FirstErr()
	if p.transactional && err == nil {
		err = cl.EndTransaction(ctx, commit)
	}
	if err != nil {
		return 0, err
	}
	if p.transactional && commit == kgo.TryAbort {
		return len(records), nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range results {
		if !p.over[r.Record.Partition] {
			p.ever[r.Record.Partition][r.Record.Offset] = text(r.Record)
		}
	}
	return len(records), nil
}

// some are the next records, and whether their transaction is committed.
func (p *play) some(most int, number int32) (records []*kgo.Record, commit kgo.TransactionEndTry) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := min(most, 1+p.count%7)
	for range n {
		p.count++
		r := &kgo.Record{
			Topic: p.topic, Partition: int32(p.count % len(p.ids)), Key: fmt.Append(nil, "k", p.count%17),
			Value: fmt.Append(nil, "v", p.count, strings.Repeat(".", p.count%100)), Headers: []kgo.RecordHeader{{Key: "number", Value: fmt.Append(nil, p.count)}},
		}
		if number != everywhere {
			r.Partition = number
		}
		if p.tombstones && p.count%23 == 0 {
			r.Value = nil
		}
		records = append(records, r)
	}
	return records, kgo.TransactionEndTry(p.count%3 > 0)
}
