package mirror

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"kplan/mirror/batch"
	"kplan/mirror/wire"
)

// Phase is what a partition is at.
type Phase int

// The phases.
const (
	Resuming Phase = iota // the target's log end is being asked for
	Copying
	Stopped // it cannot go on; the reason says why
)

func (p Phase) String() string {
	return [...]string{"resuming", "copying", "stopped"}[p]
}

// cut is a record batch as it goes to the target.
type cut struct {
	base  int64 // target offset of its first record, as planned
	count int64
	bytes []byte
	held  holder // of its memory, until it is written; nil: it has its own
	time  int64  // newest time stamp in it, in ms
}

// holder keeps memory for a batch that waits.
type holder interface{ Release() }

func (c cut) release() {
	if c.held != nil {
		c.held.Release()
	}
}

// part is one partition under way. Source offsets below next are planned, or
// known to hold nothing to copy; target offsets below planned have a place in
// the map; those below acked are known to be in the target's log.
type part struct {
	wire.Partition
	lane int // the connection on which it is read and written: always the same; -1: none yet

	mu      sync.Mutex
	phase   Phase
	why     error     // Stopped: the reason; else what is waited for
	since   time.Time // since when it is that
	offsets *Map      // nil: where the copy begins is not known yet
	fresh   bool      // nothing was sent by this process yet
	leaving bool      // Remove waits for what is under way
	topics  Topics
	limit   int // bytes that a batch should have
	most    int // and that one of a single record may have
	ahead   bool
	fromEnd bool

	next    int64     // source offset to read
	epochs  epochs    // of what was read
	muted   bool      // why says that the source cannot be read
	starved bool      // the last answer had a part of a batch only
	busy    bool      // an answer is waited for
	asked   int64     // the source offset that it is about
	rest    time.Time // nothing is read before
	mark    int64     // the source's last stable offset, as heard last
	start   int64     // the source's log start, as heard last
	heard   time.Time // when the source told the two last; zero: never

	planned   int64
	present   int64 // target offsets below are in the log already and only planned anew
	acked     int64
	queue     []cut
	head      time.Time // since when the first of them is the first
	parked    bool      // the queue is short, in memory of its own, and nothing more is read
	apart     int       // batches that are sent before merging is tried again
	queued    int       // bytes
	flight    []cut
	broker    int32      // where the flight went
	conn      *wire.Conn // on which it went
	proved    bool       // a batch was acknowledged since the last resume
	tries     int        // failures without an acknowledgement in between
	until     time.Time  // not to be resumed before
	quiet     time.Time  // from then on nothing is under way that nobody waits for
	lostOld   bool       // a request was lost whose records the target may not recognise when they come late
	looked    time.Time  // when the target's log end was asked for that the plan goes on from
	doubt     error      // what seems to be wrong, and is looked into by the resumer
	looking   bool       // it is, or what is on the target is looked at
	ended     int64      // the target's log end at the last resume
	stuck     int        // refusals of the sequence that belongs there
	inspected int64      // target offsets below were looked at, or acknowledged
	warned    bool       // of records that somebody else has sent
	kept      Point      // up to where the store knows the map; -1: not this one
	plans     int        // resumes: what was planned before the last one does not count
	latest    int64      // newest time stamp of the batch that was acknowledged last, in ms
	durable   int64      // ahead: target offsets below have their place in the store's map

	keptAcked  Point   // up to where the store knows it to be acknowledged; -1: not this one
	keptCoarse *coarse // what the store knows of what is coarse
	steady     int64   // source offset below which all was acknowledged at the last look at the maps; 0: not known

	short bool // of replicas, since the last acknowledgement
	meter meter
	going going

	filter batch.Filter
	copied counts
}

type counts struct{ records, bytes int64 }

func newPart(p wire.Partition, a Assignment, wait time.Duration) *part {
	made := &part{
		Partition: p, lane: -1, fresh: true, offsets: a.Offsets, topics: a.Topics,
		limit: a.MaxBatch, most: a.MaxBatch, ahead: a.Ahead, fromEnd: a.Latest, going: going{moved: time.Now()},
	}
	if a.Unreadable != nil {
		made.quiet = time.Now().Add(wait)
		made.stop(a.Unreadable)
		return made
	}
	if a.Offsets != nil {
		end := a.Offsets.End()
		made.next, made.planned, made.durable = end.Source, end.Target, end.Target
		switch {
		case a.Acked != nil:
			made.acked, made.epochs, made.start = min(a.Acked.Target, end.Target), a.Acked.Epochs, a.Acked.Start
		case a.Ahead: // what was only planned is in the map as well
			made.acked = a.Offsets.Start().Target
		default:
			made.acked = end.Target
		}
		if !a.Settled { // whoever copied it before may have died a moment ago
			made.quiet = time.Now().Add(wait)
		}
	}
	return made
}

// wants reports whether more may be read. p.mu is held.
func (p *part) wants(limit int) bool {
	return p.phase == Copying && !p.leaving && !p.busy && !p.parked && p.queued < limit && !time.Now().Before(p.rest)
}

// stop ends the copy of this partition. p.mu is held.
func (p *part) stop(why error) {
	if p.phase == Stopped {
		return // the first reason counts
	}
	if name := fmt.Sprintf("%s[%d]", p.Topic, p.Number); !strings.Contains(why.Error(), name) {
		why = fmt.Errorf("%s: %w", name, why) // it is read among those of others
	}
	p.phase = Stopped
	p.note(why)
	p.drop()
}

// note says what the partition waits for. p.mu is held.
func (p *part) note(why error) {
	if why == nil || p.why == nil || why.Error() != p.why.Error() {
		p.since = time.Now()
	}
	p.why = why
}

// resume forgets what was not acknowledged: it is read again from where the
// target's log ends. p.mu is held.
func (p *part) resume(why error) {
	if p.phase == Stopped {
		return
	}
	p.phase = Resuming
	p.note(why)
	p.drop()
}

// drop gives back what waits to be sent. What is under way stays until it is
// answered.
func (p *part) drop() {
	for _, c := range p.queue {
		c.release()
	}
	p.queue, p.queued, p.parked = nil, 0, false
}

// take plans what an answer brought for this partition. p.mu is held.
func (p *part) take(c *Copier, a *wire.Answer, f wire.Fetched) error {
	p.filter.Reset(aborted(f))
	r := batch.NewReader(f.Records)
	read := false
	for r.Next() {
		read = true
		if r.Magic() < 2 {
			if err := p.message(c, r.Message()); err != nil {
				return err
			}
			continue
		}
		if err := p.one(c, a, r.Batch()); err != nil {
			return err
		}
	}
	if err := r.Err(); err != nil {
		return fmt.Errorf("reading the source: %w", err)
	}
	_, need := r.Partial()
	p.starved = need > 0 && !read
	return nil
}

func aborted(f wire.Fetched) []batch.AbortedTransaction {
	var all []batch.AbortedTransaction
	for _, a := range f.Aborted {
		all = append(all, batch.AbortedTransaction(a))
	}
	return all
}

// one plans a batch: passed over, known to be on the target, sent with a new
// header, or put together anew.
func (p *part) one(c *Copier, a *wire.Answer, b batch.Batch) error {
	kind, err := p.filter.Classify(b)
	if err != nil || b.LastOffset() < p.next {
		return err
	}
	p.epochs.note(b.LeaderEpoch(), b.Offset())
	if kind != batch.Data {
		p.next = b.NextOffset()
		return nil
	}
	run, dense := b.Run()
	if b.Offset() < p.next || !dense || b.Obstacle() != batch.NoObstacle || b.Size() > p.limit {
		return p.anew(c, b.NextOffset(), func(s *batch.Splicer) error { return s.Open(b, p.next, batch.All) })
	}
	switch {
	case p.planned+run.Count <= p.present:
		err = p.plan(run)
	case p.planned < p.present: // the target's log ends inside
		return p.anew(c, b.NextOffset(), func(s *batch.Splicer) error { return s.Open(b, p.next, batch.All) })
	default:
		var stamp batch.Stamp
		if stamp, err = p.stamp(c, p.planned); err == nil {
			err = c.patcher.Rewrite(b, stamp)
		}
		if err == nil {
			a.Hold()
			if err = p.put(c, cut{base: p.planned, count: run.Count, bytes: b.Bytes(), held: a, time: b.MaxTimestamp()}); err != nil {
				a.Release()
			}
		}
		if err == nil {
			err = p.plan(run)
		}
	}
	if err == nil {
		p.next = run.End()
	}
	return err
}

func (p *part) message(c *Copier, m batch.Message) error {
	if m.Offset() < p.next {
		return nil // a wrapper's own offset is its last record's
	}
	return p.anew(c, m.Offset()+1, func(s *batch.Splicer) error { return s.OpenMessage(m, p.next, batch.All) })
}

// anew puts the records of one batch of the source together to batches that the
// target takes: after a cut, with gaps closed, with the times of the append.
func (p *part) anew(c *Copier, next int64, open func(*batch.Splicer) error) error {
	s := c.splicer(p)
	defer c.splicers.Put(s)
	if err := open(s); err != nil {
		return err
	}
	for rest := true; rest; {
		var err error
		if rest, err = s.Take(); err != nil {
			return err
		}
		if err := p.finish(c, s); err != nil {
			return err
		}
	}
	p.next = next
	return nil
}

// finish plans the batch that a splicer has put together.
func (p *part) finish(c *Copier, s *batch.Splicer) error {
	if s.Len() == 0 {
		return nil
	}
	stamp, err := p.stamp(c, p.planned)
	if err != nil {
		return err
	}
	count := int64(s.Len())
	bytes, runs, err := s.Finish(nil, stamp)
	if err != nil {
		return err
	}
	if p.planned+count > p.present && p.planned < p.present {
		return p.halve(c, bytes, runs)
	}
	made, err := batch.Parse(bytes)
	if err != nil {
		return err
	}
	if p.planned >= p.present {
		if err := p.put(c, cut{base: p.planned, count: count, bytes: bytes, time: made.MaxTimestamp()}); err != nil {
			return err
		}
	}
	return p.plan(runs...)
}

// halve plans a batch whose first records are on the target already.
func (p *part) halve(c *Copier, bytes []byte, runs []batch.Run) error {
	there := p.present - p.planned
	var known []batch.Run
	left := there
	for _, r := range runs {
		n := min(r.Count, left)
		if n > 0 {
			known = append(known, batch.Run{Offset: r.Offset, Count: n})
		}
		left -= n
	}
	whole, err := batch.Parse(bytes)
	if err != nil {
		return err
	}
	if err := p.plan(known...); err != nil {
		return err
	}
	s := c.splicer(p)
	defer c.splicers.Put(s)
	if err := s.Open(whole, there, batch.All); err != nil {
		return err
	}
	if _, err := s.Take(); err != nil {
		return err
	}
	stamp, err := p.stamp(c, p.planned)
	if err != nil {
		return err
	}
	count := int64(s.Len())
	rest, _, err := s.Finish(nil, stamp)
	if err != nil {
		return err
	}
	if err := p.put(c, cut{base: p.planned, count: count, bytes: rest, time: whole.MaxTimestamp()}); err != nil {
		return err
	}
	return p.plan(behind(runs, there)...)
}

// behind returns the runs without their first n records.
func behind(runs []batch.Run, n int64) []batch.Run {
	var rest []batch.Run
	for _, r := range runs {
		skip := min(r.Count, n)
		n -= skip
		if r.Count > skip {
			rest = append(rest, batch.Run{Offset: r.Offset + skip, Count: r.Count - skip})
		}
	}
	return rest
}

// stamp is the header of a batch at that target offset (R24).
func (p *part) stamp(c *Copier, target int64) (batch.Stamp, error) {
	sequence, err := batch.Sequence(target, p.offsets.Origin().Target, 0)
	return batch.Stamp{ProducerID: c.Producer.ID, Epoch: c.Producer.Epoch, Sequence: sequence}, err
}

// plan notes where records of the source have their place on the target.
func (p *part) plan(runs ...batch.Run) error {
	if err := p.offsets.AppendRuns(p.planned, runs); err != nil {
		return err
	}
	p.planned = p.offsets.End().Target
	if p.planned <= p.present {
		p.acked = p.planned
	}
	return nil
}

// put makes a batch wait to be sent, unless it has to be waited for those that
// another process, or a broken connection, may still bring: the broker does not
// recognise them again where records are old, and not for what they are where
// the source is compacted (R23). A log end that was read before they must have
// come is of no use, however late it is now. The error is errUnderWay.
func (p *part) put(c *Copier, one cut) error {
	if p.looked.Before(p.quiet) && (p.ahead || c.forgotten(one.time, time.Now())) {
		return errUnderWay
	}
	if len(p.queue) == 0 {
		p.head = time.Now()
	}
	p.queue = append(p.queue, one)
	p.queued += len(one.bytes)
	return nil
}

// forgotten reports whether the target may have forgotten the producer of a
// batch, by its newest time stamp in ms.
func (c *Copier) forgotten(stamp int64, now time.Time) bool {
	return c.MaxAge > 0 && now.Sub(time.UnixMilli(stamp)) > c.MaxAge-c.Wait
}

// errUnderWay says that sending has to wait.
var errUnderWay = errors.New("what was sent before may still be under way, and the target would not recognise it (R23)")

// errSuperseded says that a mirror of a later phase writes.
var errSuperseded = errors.New("a mirror of a later phase writes to the target: this one must not go on")

// header reads the header of a batch that was made or checked here.
func header(bytes []byte) (batch.Batch, error) {
	r := batch.NewUncheckedReader(bytes)
	if !r.Next() {
		return batch.Batch{}, r.Err()
	}
	return r.Batch(), nil
}
