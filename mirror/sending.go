package mirror

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"kplan/mirror/batch"
	"kplan/mirror/wire"
)

// sender sends the batches of the partitions of one lane.
type sender struct {
	route
	copier *Copier
	work   chan struct{} // something is ready

	mu    sync.Mutex
	ready []*part
	in    map[*part]bool

	conn     *wire.Conn   // the last one; only send looks at it
	quickest atomic.Int64 // acknowledgement on it, in ns: about the round trip
	under    atomic.Int32 // requests under way
	dialling atomic.Bool  // a connection is waited for
	said     atomic.Int64 // when the broker answered last, or something began that it has to answer; in ns of Unix time
}

// silent returns for how long the broker has not answered what it was asked.
func (s *sender) silent(now time.Time) time.Duration {
	if s.under.Load() == 0 && !s.dialling.Load() {
		return 0
	}
	return now.Sub(time.Unix(0, s.said.Load()))
}

// connect returns the connection of the lane, before anything is taken off a
// queue: what waits there meanwhile can be moved out of the way.
func (s *sender) connect(ctx context.Context) (*wire.Conn, error) {
	if s.under.Load() == 0 {
		s.said.Store(time.Now().UnixNano())
	}
	s.dialling.Store(true)
	defer s.dialling.Store(false)
	return s.copier.Target.Broker(ctx, s.broker, s.lane)
}

// sender returns the one of a route, started.
func (c *Copier) sender(r route) *sender {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.senders[r]
	if s == nil {
		s = &sender{route: r, copier: c, work: make(chan struct{}, 1), in: map[*part]bool{}}
		c.senders[r] = s
		c.group.Go(func() { s.run(c.loopCtx) })
	}
	return s
}

// offer says that a partition has something to send.
func (s *sender) offer(p *part) {
	s.mu.Lock()
	if !s.in[p] {
		s.in[p] = true
		s.ready = append(s.ready, p)
	}
	s.mu.Unlock()
	s.poke()
}

func (s *sender) poke() {
	select {
	case s.work <- struct{}{}:
	default:
	}
}

// room reports whether another request is worth its cost now. A broker carries
// out one at a time of a connection: as many as fill the way, one that it is at
// and one that waits are enough, and what comes meanwhile goes into one request.
func (s *sender) room() bool {
	trip := time.Duration(s.quickest.Load())
	return trip > far || int64(s.under.Load()) < 2+trip.Milliseconds()
}

func (s *sender) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.work:
		}
		for ctx.Err() == nil && s.room() && s.waiting() {
			conn, err := s.connect(ctx)
			parts, cuts := s.pick()
			if len(parts) == 0 {
				break
			}
			s.send(ctx, conn, err, parts, cuts)
		}
	}
}

// waiting reports whether a partition is ready.
func (s *sender) waiting() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.ready) > 0
}

// pick takes a batch of each partition that is ready and may send, up to the
// size of a request. Those with more to send come last the next time.
func (s *sender) pick() ([]*part, []cut) {
	s.mu.Lock()
	ready := s.ready
	s.ready = nil
	clear(s.in)
	s.mu.Unlock()
	var parts []*part
	var cuts []cut
	size := 0
	for i, p := range ready {
		if size >= s.copier.Limits.Request {
			for _, later := range ready[i:] {
				s.offer(later)
			}
			break
		}
		p.mu.Lock()
		c, ok, more := p.pop(s)
		p.mu.Unlock()
		if ok {
			parts, cuts, size = append(parts, p), append(cuts, c), size+len(c.bytes)
		}
		if more {
			defer s.offer(p)
		}
	}
	return parts, cuts
}

// pop moves the next batch from the queue to the flight. more says that another
// may follow at once. p.mu is held.
func (p *part) pop(s *sender) (c cut, ok, more bool) {
	if p.phase != Copying || p.leaving || !p.durably(0) || len(p.flight) >= p.mostInFlight(s.copier.Limits) {
		return cut{}, false, false
	}
	if len(p.flight) > 0 && p.broker != s.broker {
		return cut{}, false, false // the leader moved: first comes the answer of the old one
	}
	c = p.merge(s)
	p.head = time.Now()
	p.broker = s.broker
	p.flight = append(p.flight, cut{base: c.base, count: c.count, bytes: c.bytes, time: c.time})
	return c, true, len(p.queue) > 0 && len(p.flight) < p.mostInFlight(s.copier.Limits)
}

// mostInFlight is how many requests may be under way: one until the broker is
// known to know the producer, for a broker that does not takes whichever request
// comes first (R23).
func (p *part) mostInFlight(l Limits) int {
	if p.proved {
		return l.InFlight
	}
	return 1
}

// durably reports whether the n-th batch that waits may be sent.
func (p *part) durably(n int) bool {
	return n < len(p.queue) && (!p.ahead || p.queue[n].base+p.queue[n].count <= p.durable)
}

// met takes the round trip of a connection for the way, until an acknowledgement
// is quicker.
func (s *sender) met(conn *wire.Conn) {
	if s.conn != conn {
		s.conn = conn
		s.quickest.Store(int64(conn.RoundTrip()))
	}
}

// clock takes the time of an acknowledgement. Most of it may be the broker's
// queue, so the quickest counts.
func (s *sender) clock(took time.Duration) {
	if int64(took) < s.quickest.Load() {
		s.quickest.Store(int64(took))
	}
}

// send sends one request, unless there is no connection, which err says.
// Whatever becomes of it is told to the partitions.
func (s *sender) send(ctx context.Context, conn *wire.Conn, err error, parts []*part, cuts []cut) {
	// Their memory is needed until they are written. What becomes of them is told
	// by their offsets, perhaps while they are still being written.
	whole := slices.Clone(cuts)
	for i := range cuts {
		cuts[i].held = nil
	}
	release := sync.OnceFunc(func() {
		for _, c := range whole {
			c.release()
		}
	})
	defer release()
	if err != nil {
		for i, p := range parts {
			p.failed(s.copier, cuts[i], err)
		}
		return
	}
	parts, cuts = s.still(conn, parts, cuts)
	if len(parts) == 0 {
		return
	}
	batches := make([]wire.Batch, len(parts))
	of := make(map[wire.Partition]int, len(parts))
	for i, p := range parts {
		batches[i] = wire.Batch{Partition: p.Partition, Records: cuts[i].bytes}
		of[p.Partition] = i
	}
	s.met(conn)
	began := time.Now()
	if s.under.Add(1) == 1 {
		s.said.Store(began.UnixNano())
	}
	answered := func(acks []wire.Ack, _ time.Duration, err error) {
		s.said.Store(time.Now().UnixNano())
		s.under.Add(-1)
		defer s.poke()
		if err == nil {
			s.clock(time.Since(began))
		}
		left := make([]bool, len(parts))
		for _, a := range acks {
			if i, ok := of[a.Partition]; ok && !left[i] {
				left[i] = true
				parts[i].answered(s, cuts[i], a)
			}
		}
		if err == nil {
			err = errUnanswered
		}
		for i, p := range parts {
			if !left[i] {
				p.failed(s.copier, cuts[i], err)
			}
		}
	}
	if err := conn.Produce(ctx, s.copier.Limits.Timeout, batches, release, answered); err != nil {
		s.under.Add(-1)
		for i, p := range parts {
			p.failed(s.copier, cuts[i], err)
		}
	}
}

// still leaves out what may not be written any more: the partition has been
// stopped or begun anew meanwhile, it has no lease, or what it sent before went
// over another connection, which may have lost it.
func (s *sender) still(conn *wire.Conn, parts []*part, cuts []cut) ([]*part, []cut) {
	n := 0
	for i, p := range parts {
		var unleased error
		if s.copier.Lease != nil {
			unleased = s.copier.Lease(p.Partition)
		}
		if p.embark(s.copier, conn, cuts[i], unleased) {
			parts[n], cuts[n] = p, cuts[i]
			n++
		}
	}
	return parts[:n], cuts[:n]
}

func (p *part) embark(c *Copier, conn *wire.Conn, one cut, unleased error) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	other := len(p.flight) > 1 && p.conn != conn
	if p.phase == Copying && !p.leaving && unleased == nil && !other {
		p.conn = conn
		return true
	}
	p.land(one)
	switch {
	case p.phase != Copying:
	case unleased != nil:
		// By the time there is a lease again somebody else may have sent it.
		p.resume(fmt.Errorf("asking for the lease: %w", unleased))
		p.until = time.Now().Add(pauseBroken)
	default:
		p.resume(errReconnected)
	}
	c.resumeSoon()
	return false
}

var errReconnected = errors.New("the connection to the target is another one")

var errUnanswered = errors.New("the broker's answer leaves the partition out")

// answered takes an acknowledgement, or a refusal.
func (p *part) answered(s *sender, c cut, a wire.Ack) {
	if a.Err != nil {
		p.failed(s.copier, c, refusal(a))
		return
	}
	p.mu.Lock()
	p.land(c)
	misplaced := batch.CheckAcknowledged(c.base, a.BaseOffset)
	switch {
	case misplaced != nil:
		p.suspect(s.copier, misplaced)
	case p.phase == Copying:
		p.acked = max(p.acked, c.base+c.count)
		p.going.arrived(p.acked, time.Now())
		p.latest = c.time
		if p.short {
			p.short = false
			p.note(nil)
		}
		p.proved = true
		p.copied.records += c.count
		p.copied.bytes += int64(len(c.bytes))
		p.tries = 0
	}
	more := p.phase == Copying && len(p.queue) > 0
	resuming := p.phase == Resuming && len(p.flight) == 0
	p.mu.Unlock()
	if more {
		s.copier.forward(p)
	}
	if resuming {
		s.copier.resumeSoon()
	}
}

func refusal(a wire.Ack) error {
	if a.Why != "" {
		return fmt.Errorf("%w: %s", a.Err, a.Why)
	}
	return a.Err
}

// land takes a batch out of the flight. p.mu is held.
func (p *part) land(c cut) {
	for i := range p.flight {
		if p.flight[i].base == c.base && p.flight[i].count == c.count {
			p.flight = append(p.flight[:i:i], p.flight[i+1:]...)
			break
		}
	}
}

// failed decides what a failure means: to be told apart are what the log end
// tells, what passes, and what will fail again.
func (p *part) failed(c *Copier, sent cut, err error) {
	p.mu.Lock()
	p.land(sent)
	switch {
	case errors.Is(err, wire.ErrSuperseded):
		p.stop(errors.Join(errSuperseded, err))
	case p.phase != Copying: // its first failure has said why
	case wire.TooLarge(err) && sent.count > 1:
		p.limit = len(sent.bytes) / 2
		p.resume(fmt.Errorf("writing to the target: %w", err))
	case wire.Retriable(err):
		p.again(c, sent, err)
	default:
		p.stop(p.refused(sent, err))
	}
	if wire.Lost(err) {
		p.quiet = time.Now().Add(c.Wait)
		p.lostOld = p.lostOld || c.forgotten(sent.time, time.Now())
	}
	p.mu.Unlock()
	c.reroute()
	c.resumeSoon()
}

// again goes on from the log end. A sequence that is refused where the log ends
// is no race with anybody: it is counted. p.mu is held.
func (p *part) again(c *Copier, sent cut, err error) {
	if errors.Is(err, wire.ErrSequence) && sent.base == p.ended {
		if p.stuck++; p.stuck > mostStuck {
			p.stop(&SequenceError{Partition: p.Partition, Offset: sent.base, Cause: err})
			return
		}
	} else {
		p.stuck = 0
	}
	p.resume(fmt.Errorf("writing to the target: %w", err))
	p.short = wire.UnderReplicated(err)
	p.until = time.Now().Add(p.patience())
	p.tries++
}

// refused names the records of a batch. p.mu is held.
func (p *part) refused(sent cut, err error) error {
	at, outside := p.offsets.ToSource(sent.base)
	if outside != nil {
		return errors.Join(err, outside)
	}
	return &RefusedError{Partition: p.Partition, Source: at, Records: sent.count, Size: len(sent.bytes), Cause: err}
}
